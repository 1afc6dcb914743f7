#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// What the losses of other images put into an image's gradient, over what its own loss puts there.
const Rule kLeakRatio = {
    .id = "leak_ratio",
    .question = "Do losses of other images drown the own part of a gradient?",
    .source = "measured for adaptive solvers; docs/probes.md",
    .about = "batch gradient",
    .needs = "probe batch_gradient, of a network that is not random",
    .statistic = "share of samples whose gradient is mostly other images' losses",
    .says = "the gradient of an image is that of other images' losses",
    .decides_at = "share_masked",
    .symptom_at = "share_suspect",
    .is_about_gradient = true,
    .unhindered = [](const Evidence& e) { return e.past_the_batch(); },
    .supply = kSupplyBatchGradient,
    .measure =
        [](const Evidence& e) {
          const double limit = e.threshold("leak_ratio");
          return share_of_samples(
              e,
              "batch_gradient",
              "leak_ratio",
              [&](double ratio) { return ratio > limit; },
              "have a gradient of which others' losses make more than " + short_number(limit) +
                  " times the own part");
        }};

}  // namespace unmask::verdict::rules
