#include <cmath>
#include <map>
#include <utility>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

namespace {

// Below this a promise is lost in the rounding of a float32 loss of about 1.
constexpr double kNoPromise = 1e-5;

}  // namespace

// A linear loss would gain the radius times the dual norm of its gradient. Honest networks gain about as
// much, or more; steep ripples promise much and give nothing.
const Rule kGain = {
    .id = "gain",
    .question = "Does the loss rise as its gradient promises?",
    .source = "docs/probes.md, gradient_norm",
    .about = "direction",
    .needs = "probe gradient_norm with epsilon, of a network that is not random",
    .statistic = "share of samples whose loss gains next to nothing of what its gradient promises",
    .says = "gradients promise what steps do not bring",
    .symptom_at = "share_masked",
    .is_about_gradient = true,
    .supply =
        R"({"define": {"probe": {"gradient_norm": {"plugin": "gradient_norm", "params": {"epsilon": "${epsilon}"}}}}, "evaluate": {"matrix": {"probes": ["gradient_norm"]}}})",
    .measure = [](const Evidence& e) {
      const double limit = e.threshold("gain_ratio");
      Measurement best;
      for (const Probe* probe : e.probes("gradient_norm", "predicted_gain")) {
        const auto realised = probe->values.find("realised_gain");
        if (realised == probe->values.end()) continue;
        const std::map<std::int64_t, double> gains(realised->second.begin(),
                                                   realised->second.end());
        Marks marks;
        for (const auto& [sample, promised] : probe->values.at("predicted_gain")) {
          const auto gain = gains.find(sample);
          if (gain == gains.end() || !std::isfinite(gain->second) || !std::isfinite(promised))
            continue;
          // A saturated loss promises nothing, and keeps it.
          if (promised > kNoPromise) marks.emplace_back(sample, gain->second < limit * promised);
        }
        Measurement found = share_of_marks(
            e, marks, "gain less than " + short_number(limit) + " of what their gradient promises");
        found.cells = {probe->cell};
        keep_larger(best, std::move(found));
      }
      return best;
    }};

}  // namespace unmask::verdict::rules
