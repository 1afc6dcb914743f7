#include <cmath>
#include <utility>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// At a tenth of the radius, where an attack takes its steps. A gradient that is right at a thousandth of
// it alone is that of a shattered loss; one that is right nowhere has the wrong sign, or is detached.
const Rule kFiniteDifferences = {
    .id = "finite_differences",
    .question = "Does the gradient say how the loss changes over the steps of an attack?",
    .source = "Athalye, Carlini, Wagner 2018 (shattered gradients); docs/probes.md",
    .about = "direction",
    .needs = "probe finite_differences with loss margin, of a network that is not random",
    .statistic =
        "share of samples whose gradient has little to do with differences of the margin over a "
        "tenth of the radius",
    .says = "the gradient does not say where the loss rises",
    .decides_at = "share_masked",
    .symptom_at = "share_suspect",
    .is_about_gradient = true,
    .supply =
        R"({"define": {"probe": {"finite_differences": {"plugin": "finite_differences", "params": {"epsilon": "${epsilon}"}}}}, "evaluate": {"matrix": {"probes": ["finite_differences"]}}})",
    .measure = [](const Evidence& e) {
      Measurement best;
      const double limit = e.threshold("cosine");
      for (const Probe* probe : e.probes("finite_differences", "fd_cosine_large")) {
        // A saturated cross-entropy changes by less than it is rounded.
        if (probe->loss == "ce") continue;
        keep_larger(best,
                    share_of_probe(
                        e,
                        *probe,
                        "fd_cosine_large",
                        [&](double cosine) { return cosine < limit; },
                        "have a gradient that agrees with finite differences by less than " +
                            short_number(limit)));
      }
      return best;
    }};

}  // namespace unmask::verdict::rules
