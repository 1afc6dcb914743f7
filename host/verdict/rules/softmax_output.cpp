#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// A second softmax behind probabilities takes most of the gradient, and rounding the rest.
const Rule kSoftmaxOutput = {
    .id = "softmax_output",
    .question = "Does the network answer with probabilities?",
    .source = "Croce, Hein 2020 (check of AutoAttack); docs/attacks.md, checks",
    .about = "confidence",
    .needs = "any attack",
    .statistic = "1 when logits are probabilities",
    .says = "losses pass a second softmax and lose their gradient",
    .symptom_at = "share_masked",
    .is_about_gradient = true,
    .supply = kSupplyPlain,
    .measure = [](const Evidence& e) {
      return largest_metric(
          e, "check.softmax_output", e.attacks(), "logits are probabilities (1: yes)");
    }};

}  // namespace unmask::verdict::rules
