#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Many steps contain the first one. They lose only where the gradient near the image leads astray.
const Rule kSingleStepGap = {
    .id = "single_step_gap",
    .question = "Does one step fool samples that many steps do not?",
    .source = "Athalye, Carlini, Wagner 2018, symptom 1; Carlini et al. 2019",
    .about = "steps",
    .needs = "the plain gradient attack and fgsm",
    .statistic = "share of samples that only one step fools",
    .says = "one step finds what many steps do not",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply =
        R"({"define": {"attack": {"fgsm": {"plugin": "fgsm"}}}, "evaluate": {"matrix": {"attack": ["fgsm"]}}})",
    .measure = [](const Evidence& e) {
      return paired_gap(e, e.plain(), e.own(Group::kSingleStep));
    }};

}  // namespace unmask::verdict::rules
