#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

namespace {

// Attacks along a gradient of the same network, of the losses that plain() follows.
Attacks through_other_methods(const Evidence& e) {
  Attacks result;
  for (const Attack* attack : e.with_view(View::kSolver)) {
    if (!attack->is_same_method && attack->group == e.plain().front()->group)
      result.push_back(attack);
  }
  return result;
}

}  // namespace

// A gradient through another method is an approximation of the own one. It cannot be the better guide
// unless the own one is bad.
const Rule kGradientSolverGap = {
    .id = "gradient_solver_gap",
    .question = "Does the gradient work through another solver?",
    .source =
        "docs/attacks.md; BPDA of Athalye, Carlini, Wagner 2018 with a solver as the surrogate",
    .about = "solver",
    .needs = "the plain gradient attack, and the same with another gradient solver",
    .statistic = "share of samples that only the attack through the other solver fools",
    .says = "the solver spoils the gradient: another one finds more",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply =
        R"({"define": {"solver": {"rk4_fine": {"plugin": "rk4", "params": {"step_size": 0.25}}}}, "evaluate": {"matrix": {"gradient": ["@eval", "rk4_fine"]}}})",
    .measure = [](const Evidence& e) {
      return e.plain().empty() ? Measurement{} : paired_gap(e, e.plain(), through_other_methods(e));
    }};

}  // namespace unmask::verdict::rules
