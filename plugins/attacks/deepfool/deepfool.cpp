// DeepFool: step after step to the nearest boundary of the linearised network. See deepfool.md.

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/classes.hpp"
#include "unmask/kit/attack/closest_points.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

// A tie of two logits does not fool, and its distance to the boundary is zero: without a least step
// the search would stop there.
constexpr double kLeastStep = 1e-6;

class DeepFool final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "steps to the nearest boundary of the linearised network",
        .source = "Moosavi-Dezfooli, Fawzi, Frossard 2016, arXiv 1511.04599",
        .params = {choice("norm", {"l2", "linf"}, "norm that is kept small").by_default("l2"),
                   integer("steps", "steps to a boundary").by_default(50).at_least(1),
                   real("overshoot", "how far to go beyond the boundary, as a share of the way")
                       .by_default(0.02)
                       .at_least(0),
                   integer("candidates",
                           "most likely classes whose boundaries are looked at, the label's own "
                           "included")
                       .by_default(10)
                       .at_least(2)},
        .capabilities = {"asks_outside_ball"}};
  }

  explicit DeepFool(const Params& params)
      : BallAttack(params.get_text("norm")),
        steps_(params.get_integer("steps")),
        overshoot_(params.get_real("overshoot")),
        candidates_(params.get_integer("candidates")) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext&) override {
    kit::ClosestPoints closest(target, x, threat);
    kit::ActiveRows active(target, x, y);
    Tensor classes = kit::other_classes(target.logits(x), y);
    classes = classes.narrow(1, 0, std::min(candidates_ - 1, classes.size(1)));
    Tensor way = at::zeros_like(x);  // sum of the steps, without overshoot
    Tensor point = x;

    for (std::int64_t i = 0; i < steps_; ++i) {
      const LossFunction lead = kit::lead_of(classes, active.y());
      LossGradient here = target.loss_and_gradient(point, lead, active.rows());
      Tensor gaps = here.loss.to(at::kDouble).neg();
      // Rows first: that is how rows leave.
      Tensor slopes = kit::finite_part(here.gradient).transpose(0, 1);
      Tensor fooled = closest.offer(active.rows(), point, here.logits, active.y());
      active.drop(fooled, {&way, &point, &classes, &gaps, &slopes, &fooled});
      if (active.empty() || fooled.all().item<bool>()) return closest.result(y, false);

      way = way + at::where(kit::per_row(fooled, way), at::zeros_like(way), step(gaps, slopes));
      const Tensor moved = (active.x() + (1 + overshoot_) * way).clamp(threat.lower, threat.upper);
      // Under a batch-coupled target a fooled sample waits where it is.
      point = at::where(kit::per_row(fooled, point), point, moved);
    }
    closest.offer(active.rows(), point, target.logits(point, active.rows()), active.y());
    return closest.result(y, false);
  }

  // The shortest step to the plane of one of the classes.
  // @param gaps    [B, M] what the class lacks to the label
  // @param slopes  [B, M, ...] gradients of its lead
  Tensor step(const Tensor& gaps, const Tensor& slopes) const {
    const std::int64_t rows = slopes.size(0);
    const std::int64_t count = slopes.size(1);
    const Tensor gain = kit::dual_norm(slopes.flatten(0, 1), norm()).view({rows, count});
    const Tensor lengths = at::where(gain > 0,
                                     gaps.abs() / gain.clamp_min(1e-300),
                                     at::full_like(gain, std::numeric_limits<double>::infinity()));
    const Tensor nearest = lengths.argmin(1);
    const Tensor length = lengths.gather(1, nearest.unsqueeze(1)).squeeze(1).clamp_min(kLeastStep);
    const Tensor slope = kit::rows_of(slopes, nearest);
    // A network without slope gives no direction; zero times infinity would be no number.
    const Tensor finite = at::where(length.isfinite(), length, at::zeros_like(length));
    return kit::ascent_direction(slope, norm()) *
           kit::per_row(finite.to(slope.scalar_type()), slope);
  }

  std::int64_t steps_;
  double overshoot_;
  std::int64_t candidates_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::DeepFool)
