// How sure the network is, and whether its cross-entropy still has a gradient. See confidence.md.

#include <torch/types.h>

#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Confidence final : public Probe {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "margin, scale of the logits, and whether cross-entropy is exactly 0",
            .source = "Carlini, Wagner 2017, arXiv 1608.04644, on logits that saturate the softmax",
            .params = {},
            .capabilities = {}};
  }

  explicit Confidence(const Params&) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext&) override {
    const LossGradient here = target.loss_and_gradient(x, y, Loss::kCrossEntropy);
    const Tensor logits = here.logits.to(at::kDouble);
    const Tensor in_float = per_sample_loss(here.logits.to(at::kFloat), y, Loss::kCrossEntropy);
    const Tensor gradient = kit::rows_of_numbers(here.gradient);
    return {{"margin", -per_sample_loss(logits, y, Loss::kMargin)},
            {"logit_scale", logits.amax(1) - logits.amin(1)},
            {"cross_entropy_zero", kit::as_numbers(in_float.eq(0))},
            {"loss_gradient_zero", kit::as_numbers(kit::has_entries(gradient).logical_not())}};
  }
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Confidence)
