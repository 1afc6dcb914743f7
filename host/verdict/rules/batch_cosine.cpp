#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Exactly 1 for networks that answer each image by itself: the best separator that was measured.
const Rule kBatchCosine = {
    .id = "batch_cosine",
    .question = "Is the gradient of an image in its batch that of the image alone?",
    .source = "measured for adaptive solvers; docs/probes.md",
    .about = "batch gradient",
    .needs = "probe batch_gradient, of a network that is not random",
    .statistic = "share of samples whose gradient in the batch points elsewhere than alone",
    .says = "gradients in a batch are not those of its images",
    .decides_at = "share_masked",
    .symptom_at = "share_suspect",
    .is_about_gradient = true,
    .unhindered = [](const Evidence& e) { return e.past_the_batch(); },
    .supply = kSupplyBatchGradient,
    .measure =
        [](const Evidence& e) {
          const double limit = e.threshold("cosine");
          return share_of_samples(
              e,
              "batch_gradient",
              "batch_cosine",
              [&](double cosine) { return cosine < limit; },
              "have a gradient in their batch that agrees with the one alone by less than " +
                  short_number(limit));
        }};

}  // namespace unmask::verdict::rules
