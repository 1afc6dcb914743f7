#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// A random network is not masked for that, but a single gradient of it is one draw.
const Rule kRandomised = {
    .id = "randomised",
    .question = "Does the network give other answers when asked again?",
    .source = "Croce, Hein 2020 (check of AutoAttack); docs/attacks.md, checks",
    .about = "randomness",
    .needs = "any attack",
    .statistic = "largest distance between repeated answers",
    .says = "the network is random: a single gradient is one draw of many",
    .symptom_at = "randomised",
    .is_note = true,
    .supply = kSupplyPlain,
    .measure = [](const Evidence& e) {
      return largest_metric(
          e, "check.randomised", e.attacks(), "distance between repeated answers");
    }};

}  // namespace unmask::verdict::rules
