#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// The relative change is large wherever the loss is small, as that of confident networks is: no vote.
const Rule kUnstableLoss = {
    .id = "unstable_loss",
    .question = "Does a little noise change the loss?",
    .source = "Pintor et al. 2022, indicator 2",
    .about = "landscape",
    .needs = "probe noise_stability, of a network that is not random",
    .statistic = "share of samples whose loss changes with a little noise",
    .says = "the loss changes with a little noise: average gradients (eot)",
    .symptom_at = "share_masked",
    .is_note = true,
    .supply =
        R"({"define": {"probe": {"noise_stability": {"plugin": "noise_stability"}}}, "evaluate": {"matrix": {"probes": ["noise_stability"]}}})",
    .measure = [](const Evidence& e) {
      const double limit = e.threshold("loss_noise");
      return share_of_samples(
          e,
          "noise_stability",
          "i2",
          [&](double change) { return change > limit; },
          "have a loss that noise changes by more than " + percent(limit));
    }};

}  // namespace unmask::verdict::rules
