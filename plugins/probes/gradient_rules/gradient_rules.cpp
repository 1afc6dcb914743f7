// The network's gradient against those of the solvers that the probe's definition names. See
// gradient_rules.md.

#include <torch/types.h>

#include "unmask/kit/attack/names.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class GradientRules final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "the cell's gradient against those of other solvers of the same network",
            .source = "own; specified in gradient_rules.md",
            .params =
                {choice("loss", {"ce", "margin"}, "loss that is differentiated").by_default("ce")},
            .capabilities = {}};
  }

  explicit GradientRules(const Params& params) : loss_(kit::loss_of(params.get_text("loss"))) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override {
    const auto gradient_of = [&](Target& network) {
      return kit::rows_of_numbers(network.loss_and_gradient(x, y, loss_).gradient);
    };
    const Tensor own = gradient_of(target);
    std::vector<ProbeValue> values = {{"gradient_l2", kit::row_lengths(own)}};
    for (const NamedGradient& other : context.gradients()) {
      const Tensor gradient = gradient_of(*other.target);
      values.push_back({"cosine_" + other.name, kit::cosines(own, gradient)});
      values.push_back({"sign_agreement_" + other.name, kit::sign_agreements(own, gradient)});
      values.push_back({"norm_ratio_" + other.name, kit::length_ratios(own, gradient)});
    }
    return values;
  }

 private:
  Loss loss_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::GradientRules)
