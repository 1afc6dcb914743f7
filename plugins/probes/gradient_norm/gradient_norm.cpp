// Size of the input gradient of every sample's loss. See gradient_norm.md for what it can show.

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class GradientNorm final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "norms, zeros and non-finite entries of the input gradient",
            .source = "Athalye, Carlini, Wagner 2018, arXiv 1802.00420",
            .params =
                {choice("loss", {"ce", "margin"}, "loss that is differentiated").by_default("ce")},
            .capabilities = {}};
  }

  explicit GradientNorm(const Params& params)
      : loss_(params.get_text("loss") == "margin" ? Loss::kMargin : Loss::kCrossEntropy) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext&) override {
    // In float64: the squares of a saturated float32 gradient would vanish.
    const Tensor gradient =
        target.loss_and_gradient(x, y, loss_).gradient.flatten(1).to(at::kDouble);
    return {{"gradient_l1", gradient.norm(1, 1)},
            {"gradient_l2", gradient.norm(2, 1)},
            {"gradient_linf", gradient.abs().amax(1)},
            {"zero_share", gradient.eq(0).to(at::kDouble).mean(1)},
            {"non_finite", gradient.isfinite().logical_not().any(1).to(at::kDouble)}};
  }

 private:
  Loss loss_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::GradientNorm)
