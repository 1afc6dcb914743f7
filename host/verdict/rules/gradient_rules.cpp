#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// No vote: one coarse step of an honest solver is another function than many fine ones, and their
// gradients differ, too.
const Rule kGradientRules = {
    .id = "gradient_rules",
    .question = "Do the rules of differentiation agree?",
    .source = "docs/solvers.md, gradient rules",
    .about = "solver",
    .needs = "probe gradient_rules",
    .statistic = "share of samples whose gradient points elsewhere by another rule",
    .says = "the gradient depends on how the solver is differentiated",
    .symptom_at = "share_masked",
    .is_note = true,
    .supply =
        R"({"define": {"solver": {"frozen": {"extends": "SOLVER", "params": {"step_gradient": "none"}}}, "probe": {"gradient_rules": {"plugin": "gradient_rules", "gradients": ["frozen"]}}}, "evaluate": {"matrix": {"probes": ["gradient_rules"]}}})",
    .measure = [](const Evidence& e) {
      const double limit = e.threshold("cosine");
      Measurement worst;
      for (const Probe& probe : e.network().probes) {
        if (probe.plugin != "gradient_rules") continue;
        for (const auto& [name, values] : probe.values) {
          if (name.rfind("cosine_", 0) != 0) continue;
          keep_larger(worst,
                      share_of_samples(
                          e,
                          "gradient_rules",
                          name,
                          [&](double cosine) { return cosine < limit; },
                          "have a gradient that agrees with that of " + name.substr(7) +
                              " by less than " + short_number(limit)));
        }
      }
      return worst;
    }};

}  // namespace unmask::verdict::rules
