// Size of the input gradient of every sample's loss, and what steps along it gain. See
// gradient_norm.md for what it can show.

#include <cstdint>
#include <optional>

#include <torch/types.h>

#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/names.hpp"
#include "unmask/kit/attack/radius.hpp"
#include "unmask/kit/probe/alone.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class GradientNorm final : public Probe {
 public:
  static PluginInfo info() {
    return {
        .version = "1.1",
        .summary = "norms, zeros and non-finite entries of the input gradient, and what it gains",
        .source = "Athalye, Carlini, Wagner 2018, arXiv 1802.00420",
        .params = {choice("loss", {"ce", "margin"}, "loss that is differentiated").by_default("ce"),
                   real("epsilon",
                        "radius of the ball in which the gain is predicted and sought; left out: "
                        "neither is measured; \"${epsilon}\": that of the cell")
                       .above(0)
                       .optional()
                       .unit("pixel range"),
                   choice("norm", {"linf", "l2"}, "norm of that ball").by_default("linf"),
                   integer("steps", "gradient steps that seek the gain").by_default(5).at_least(1)},
        .capabilities = {}};
  }

  explicit GradientNorm(const Params& params)
      : loss_(kit::loss_of(params.get_text("loss"))),
        norm_(kit::norm_of(params.get_text("norm"))),
        steps_(params.get_integer("steps")) {
    if (params.has("epsilon")) epsilon_ = kit::radius_of(params, norm_);
  }

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext&) override {
    const LossGradient here = target.loss_and_gradient(x, y, loss_);
    const Tensor gradient = kit::rows_of_numbers(here.gradient);
    const Tensor l1 = gradient.norm(1, 1);
    const Tensor l2 = gradient.norm(2, 1);
    std::vector<ProbeValue> values = {
        {"gradient_l1", l1},
        {"gradient_l2", l2},
        {"gradient_linf", gradient.abs().amax(1)},
        {"zero_share", gradient.eq(0).to(at::kDouble).mean(1)},
        {"non_finite", kit::as_numbers(gradient.isfinite().logical_not().any(1))}};
    if (epsilon_) {
      // The dual norm: what a step of length 1 can gain at most.
      values.push_back({"predicted_gain", *epsilon_ * (norm_ == Norm::kL2 ? l2 : l1)});
      values.push_back({"realised_gain", gain(target, x, y, here)});
    }
    return values;
  }

 private:
  // The largest loss on the way of a few gradient steps, less that of the image: float64 [B].
  Tensor gain(Target& target, const Tensor& x, const Tensor& y, LossGradient here) const {
    const Threat threat{norm_, *epsilon_, 0, 1};
    const double length = 2 * *epsilon_ / static_cast<double>(steps_);
    const Tensor before = kit::exact_losses(here.logits, y, loss_);
    Tensor best = before;
    Tensor point = x;
    for (std::int64_t i = 1; i <= steps_; ++i) {
      point = project(point + length * kit::ascent_direction(here.gradient, norm_), x, threat);
      if (i < steps_) {
        here = target.loss_and_gradient(point, y, loss_);
      } else {
        here.logits = target.logits(point);
      }
      best = at::maximum(best, kit::exact_losses(here.logits, y, loss_));
    }
    return best - before;
  }

  Loss loss_;
  Norm norm_;
  std::int64_t steps_;
  std::optional<double> epsilon_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::GradientNorm)
