#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Exactly zero, from the loss that the plain attack follows. Every attack counts it at its first gradient;
// the probes are asked only when there is no attack to tell.
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
    .supply =
        R"({"define": {"attack": {"pgd": {"plugin": "pgd", "params": {"steps": 20, "step_size": "${epsilon}/10"}}}}, "evaluate": {"matrix": {"attack": ["pgd"]}}})",
    .measure = [](const Evidence& e) {
      Measurement found = largest_metric(
          e, "check.zero_gradient", e.plain(), "share of samples whose first gradient is zero");
      const Measurement probed = share_of_samples(
          e,
          "confidence",
          "loss_gradient_zero",
          [](double zero) { return zero > 0; },
          "have a gradient of exactly zero");
      return probed.value && (!found.value || *probed.value > *found.value) ? probed : found;
    }};

}  // namespace unmask::verdict::rules
