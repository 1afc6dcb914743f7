#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Where the loss is smooth, every start leads to the same neighbourhood.
const Rule kRestartElasticity = {
    .id = "restart_elasticity",
    .question = "Do more restarts fool many more samples?",
    .source = "Carlini et al. 2019; Mosbach et al. 2018",
    .about = "steps",
    .needs = "the same gradient attack with two numbers of restarts, one at least twice the other",
    .statistic = "share of samples that only more restarts fool",
    .says = "success depends on the start: the loss is rugged near the image",
    .symptom_at = "effort_gap_suspect",
    .supply =
        R"({"define": {"attack": {"pgd_restarts": {"plugin": "pgd", "params": {"random_start": true, "step_size": "${epsilon}/10"}, "sweep": {"restarts": [1, 10]}}}}, "evaluate": {"matrix": {"attack": ["pgd_restarts.*"]}}})",
    .measure = [](const Evidence& e) { return effort_gap(e, "restarts"); }};

}  // namespace unmask::verdict::rules
