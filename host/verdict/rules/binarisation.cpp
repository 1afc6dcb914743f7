#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// An adversarial example is planted at the edge of the ball; an attack that works finds it. Means
// something only where noise does not find it.
const Rule kBinarisation = {
    .id = "binarisation",
    .question = "Does the attack find adversarial examples that were planted?",
    .source = "Zimmermann et al. 2022",
    .about = "attack",
    .needs = "probe binarisation",
    .statistic = "share of planted adversarial examples that the attack finds",
    .says = "the attack misses adversarial examples that exist",
    .direction = Direction::kBelow,
    .symptom_at = "binarised_fooled",
    .is_about_gradient = true,
    .supply =
        R"({"define": {"probe": {"binarisation": {"plugin": "binarisation", "params": {"epsilon": "${epsilon}"}}}}, "evaluate": {"matrix": {"probes": ["binarisation"]}}})",
    .measure = [](const Evidence& e) {
      const auto is_set = [](double value) { return value > 0; };
      const Measurement random = share_of_samples(
          e, "binarisation", "binarised_random_fooled", is_set, "are found by noise");
      if (!random.value || *random.value > e.threshold("binarised_random")) return Measurement{};
      return share_of_samples(e,
                              "binarisation",
                              "binarised_fooled",
                              is_set,
                              "have a planted adversarial example that the attack finds");
    }};

}  // namespace unmask::verdict::rules
