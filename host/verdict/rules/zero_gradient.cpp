#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Exactly zero, from the loss that the plain attack follows. Every attack counts it at its first gradient,
// the probe confidence at the images themselves; the larger share counts.
const Rule kZeroGradient = {
    .id = "zero_gradient",
    .question = "Is there a gradient at all?",
    .source = "Pintor et al. 2022, indicator 1; Croce, Hein 2020 (check of AutoAttack)",
    .about = "gradient",
    .needs = "the plain gradient attack",
    .statistic = "share of samples whose first gradient is exactly zero",
    .says = "there is no gradient to follow",
    .decides_at = "zero_masked",
    .symptom_at = "zero_suspect",
    .is_about_gradient = true,
    .unhindered = [](const Evidence& e) { return e.past_the_saturation(); },
    .supply = kSupplyPlain,
    .measure =
        [](const Evidence& e) {
          Measurement best = largest_metric(
              e, "check.zero_gradient", e.plain(), "share of samples whose first gradient is zero");
          keep_larger(best,
                      share_of_samples(
                          e,
                          "confidence",
                          "loss_gradient_zero",
                          [](double zero) { return zero > 0; },
                          "have a gradient of exactly zero"));
          return best;
        }};

}  // namespace unmask::verdict::rules
