// How much the loss changes under small input noise. See noise_stability.md.

#include <torch/types.h>

#include "unmask/kit/attack/names.hpp"
#include "unmask/kit/probe/alone.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class NoiseStability final : public Probe {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "mean relative change of the loss under small input noise",
        .source = "Pintor et al. 2022, arXiv 2106.09947, indicator I2",
        .params = {real("radius", "width of the interval that each pixel's noise is drawn from")
                       .by_default(8.0 / 255)
                       .above(0)
                       .unit("pixel range"),
                   integer("draws", "noisy images of each image").by_default(100).at_least(1),
                   choice("loss", {"margin", "ce"}, "loss that is compared").by_default("margin")},
        .capabilities = {}};
  }

  explicit NoiseStability(const Params& params)
      : radius_(params.get_real("radius")),
        draws_(params.get_integer("draws")),
        loss_(kit::loss_of(params.get_text("loss"))) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override {
    const Tensor reference = kit::own_losses(target, x, y, loss_);
    Tensor sum = at::zeros_like(reference);
    for (std::int64_t i = 0; i < draws_; ++i) {
      SampleRandom random = context.random.stream("draw", static_cast<std::uint64_t>(i));
      const Tensor noise = random.uniform(x, -radius_ / 2, radius_ / 2);
      sum += (kit::own_losses(target, (x + noise).clamp(0, 1), y, loss_) - reference).abs();
    }
    const Tensor divisor = reference.abs().masked_fill(reference.eq(0), 1.0);
    return {{"i2", (sum / static_cast<double>(draws_) / divisor).clamp_max(1)}};
  }

 private:
  double radius_;
  std::int64_t draws_;
  Loss loss_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::NoiseStability)
