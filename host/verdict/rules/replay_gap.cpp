#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

namespace {

// Attacks along a gradient of the same network, of the losses that plain() follows.
Attacks through_other_rules(const Evidence& e) {
  Attacks result;
  for (const Attack* attack : e.with_view(View::kSolver)) {
    if (attack->is_same_method && attack->group == e.plain().front()->group)
      result.push_back(attack);
  }
  return result;
}

}  // namespace

// The same method, with the steps of the clean batch replayed or their sizes held constant in the
// gradient: what is left of the gradient is that of the network, without that of the step control.
const Rule kReplayGap = {
    .id = "replay_gap",
    .question = "Does the gradient work when steps are replayed or not differentiated?",
    .source = "docs/solvers.md, gradient rules",
    .about = "solver",
    .needs =
        "the plain gradient attack, and the same through the same method with another gradient "
        "rule",
    .statistic = "share of samples that only the attack through the other gradient rule fools",
    .says = "the derivative of the step control spoils the gradient",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply =
        R"({"define": {"solver": {"frozen": {"extends": "SOLVER", "params": {"step_gradient": "none"}}}}, "evaluate": {"matrix": {"gradient": ["@eval", "frozen"]}}})",
    .measure = [](const Evidence& e) {
      return e.plain().empty() ? Measurement{} : paired_gap(e, e.plain(), through_other_rules(e));
    }};

}  // namespace unmask::verdict::rules
