#include <algorithm>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// The smaller ball lies in the larger one.
const Rule kRadiusInversion = {
    .id = "radius_inversion",
    .question = "Does the plain attack fool at a smaller radius what it leaves at a larger one?",
    .source = "Athalye, Carlini, Wagner 2018, symptom 5",
    .about = "radius",
    .needs = "the plain gradient attack at this radius and at a smaller one",
    .statistic = "share of samples that only the smaller radius fools",
    .says = "a larger radius finds less than a smaller one",
    .symptom_at = "inversion",
    .supply =
        R"({"define": {"attack": {"pgd": {"plugin": "pgd", "params": {"steps": 20, "step_size": "${epsilon}/10"}}}}, "evaluate": {"matrix": {"attack": ["pgd"], "epsilon": ["4/255", "8/255"]}}})",
    .measure = [](const Evidence& e) {
      double nearest = 0;
      for (const Attack& attack : e.network().attacks) {
        if (attack.norm == e.norm() && attack.epsilon < e.epsilon()) {
          nearest = std::max(nearest, attack.epsilon);
        }
      }
      if (e.plain().empty() || nearest == 0) return Measurement{};
      Attacks here;
      Attacks smaller;
      for (const Attack& attack : e.network().attacks) {
        if (attack.norm != e.norm() || attack.epsilon != nearest || attack.view != View::kOwn)
          continue;
        // The same attack: definitions whose step follows the radius differ in it.
        for (const Attack* twin : e.plain()) {
          if (twin->name != attack.name || twin->seed != attack.seed) continue;
          here.push_back(twin);
          smaller.push_back(&attack);
        }
      }
      Measurement found = paired_gap(e, here, smaller);
      if (found.value) found.sentence += " (radius " + short_number(nearest) + " first)";
      return found;
    }};

}  // namespace unmask::verdict::rules
