#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Another loss has the same mask in front of it, so honest networks show some gap, too: this rule asks
// for a larger one.
const Rule kLossGap = {
    .id = "loss_gap",
    .question = "Does another loss fool samples that cross-entropy does not?",
    .source = "Carlini, Wagner 2017; Croce, Hein 2020",
    .about = "confidence",
    .needs =
        "a plain gradient attack on cross-entropy and one on another loss (margin, dlr, pm, cw)",
    .statistic = "share of samples that only another loss fools",
    .says = "cross-entropy hides the gradient: another loss finds more",
    .decides_at = "effort_gap_masked",
    .symptom_at = "effort_gap_suspect",
    .supply =
        R"({"define": {"attack": {"pgd_margin": {"plugin": "pgd", "params": {"steps": 50, "step_size": "${epsilon}/10", "loss": "margin"}}}}, "evaluate": {"matrix": {"attack": ["pgd_margin"]}}})",
    .measure = [](const Evidence& e) {
      if (e.plain().empty() || e.plain().front()->group == Group::kOtherLoss) return Measurement{};
      return paired_gap(e, e.plain(), e.own(Group::kOtherLoss));
    }};

}  // namespace unmask::verdict::rules
