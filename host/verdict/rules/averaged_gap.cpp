#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Random networks give another gradient each time; their mean is what an attack needs.
const Rule kAveragedGap = {
    .id = "averaged_gap",
    .question = "Does the mean of several gradients succeed where one fails?",
    .source = "Athalye, Carlini, Wagner 2018: expectation over transformations",
    .about = "randomness",
    .needs = "the plain gradient attack, and the same with eot above 1",
    .statistic = "share of samples that only the attack with averaged gradients fools",
    .says = "chance hides the gradient: its mean finds more",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply =
        R"({"define": {"attack": {"pgd": {"plugin": "pgd", "params": {"steps": 20, "step_size": "${epsilon}/10"}}, "pgd_eot": {"extends": "pgd", "params": {"eot": 20}}}}, "evaluate": {"matrix": {"attack": ["pgd", "pgd_eot"]}}})",
    .measure = [](const Evidence& e) {
      if (e.plain().empty() || e.plain().front()->group != Group::kPlain) return Measurement{};
      return paired_gap(e, e.plain(), e.own(Group::kAveraged));
    }};

}  // namespace unmask::verdict::rules
