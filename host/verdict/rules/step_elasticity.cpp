#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Of healthy networks fifty times as many steps find two points more. A network that keeps falling has
// a gradient that leads slowly, or astray.
const Rule kStepElasticity = {
    .id = "step_elasticity",
    .question = "Do many more steps fool many more samples?",
    .source = "Carlini et al. 2019; step counts 20 and 1000 of Huang et al. 2021",
    .about = "steps",
    .needs = "the same gradient attack with two numbers of steps, one at least twice the other",
    .statistic = "share of samples that only more steps fool",
    .says = "few steps are not enough: the gradient leads slowly, or astray",
    .decides_at = "effort_gap_masked",
    .symptom_at = "effort_gap_suspect",
    .supply =
        R"({"define": {"attack": {"pgd_steps": {"plugin": "pgd", "params": {"step_size": "${epsilon}/10"}, "sweep": {"steps": [20, 1000]}}}}, "evaluate": {"matrix": {"attack": ["pgd_steps.*"]}}})",
    .measure = [](const Evidence& e) { return effort_gap(e, "steps"); }};

}  // namespace unmask::verdict::rules
