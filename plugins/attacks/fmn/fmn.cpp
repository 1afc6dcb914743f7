// FMN: gradient steps inside a ball that adapts itself to the boundary. See fmn.md.

#include <numbers>

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/closest_points.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

// From `first` to `last` along half a cosine.
double annealed(double first, double last, std::int64_t i, std::int64_t steps) {
  const double turn = std::numbers::pi * static_cast<double>(i) / static_cast<double>(steps);
  return last + (first - last) * (1 + std::cos(turn)) / 2;
}

class Fmn final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "gradient steps inside a ball whose radius follows the boundary",
            .source = "Pintor, Roli, Brendel, Biggio 2021, arXiv 2102.12827",
            .params =
                {choice("norm", {"linf", "l2", "l1"}, "norm that is kept small").by_default("linf"),
                 integer("steps", "gradient steps").by_default(100).at_least(1),
                 real("step_size", "length (l2) of the first step").by_default(1.0).above(0),
                 real("last_step_size", "length (l2) of the last step").by_default(0.01).above(0),
                 real("radius_step", "share by which the radius changes at first")
                     .by_default(0.05)
                     .above(0)
                     .below(1),
                 real("last_radius_step", "share by which the radius changes at last")
                     .by_default(0.001)
                     .above(0)
                     .below(1),
                 kit::minimise_option()},
            .capabilities = {"asks_outside_ball"}};
  }

  explicit Fmn(const Params& params)
      : BallAttack(params.get_text("norm")),
        steps_(params.get_integer("steps")),
        step_size_(params.get_real("step_size")),
        last_step_size_(params.get_real("last_step_size")),
        radius_step_(params.get_real("radius_step")),
        last_radius_step_(params.get_real("last_radius_step")),
        minimise_(params.get_boolean("minimise")) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext&) override {
    kit::ClosestPoints closest(target, x, threat);
    kit::ActiveRows active(target, x, y);
    Tensor point = x;
    Tensor radius = at::full(
        {x.size(0)}, std::numeric_limits<double>::infinity(), x.options().dtype(at::kDouble));
    for (std::int64_t i = 0; i < steps_; ++i) {
      LossGradient here = target.loss_and_gradient(point, active.y(), Loss::kMargin, active.rows());
      Tensor fooled = closest.offer(active.rows(), point, here.logits, active.y());
      if (!minimise_) {
        const Tensor done = closest.is_done(active.rows());
        if (done.all().item<bool>()) return closest.result(y, minimise_);
        active.drop(done, {&point, &radius, &here.gradient, &here.loss, &fooled});
      }
      const Tensor gradient = kit::finite_part(here.gradient);
      radius = next_radius(radius,
                           point,
                           fooled,
                           here.loss,
                           gradient,
                           active,
                           closest,
                           annealed(radius_step_, last_radius_step_, i, steps_));
      const double length = annealed(step_size_, last_step_size_, i, steps_);
      point = cut(
          point + length * kit::ascent_direction(gradient, Norm::kL2), active.x(), radius, threat);
    }
    closest.offer(active.rows(), point, target.logits(point, active.rows()), active.y());
    return closest.result(y, minimise_);
  }

  // Inside the boundary of the class the ball grows, outside it shrinks, never beyond the best
  // success. Before the first success it is a little larger than the linearised network asks for:
  // exactly as large, the search would creep towards the boundary and never cross it.
  Tensor next_radius(const Tensor& radius,
                     const Tensor& point,
                     const Tensor& fooled,
                     const Tensor& margin,
                     const Tensor& gradient,
                     const kit::ActiveRows& active,
                     const kit::ClosestPoints& closest,
                     double share) const {
    const Tensor best = closest.distances().index_select(0, active.rows());
    const Tensor moved = distance(point, active.x(), norm());
    const Tensor slope = kit::dual_norm(gradient, norm());
    const Tensor linear = moved + margin.to(at::kDouble).abs() / slope.clamp_min(1e-300);
    const Tensor guess = at::where(
        slope > 0, linear, at::full_like(linear, std::numeric_limits<double>::infinity()));
    const Tensor grown = at::where(best.isfinite(), radius, guess) * (1 + share);
    return at::where(fooled, at::minimum(radius * (1 - share), best), grown);
  }

  // Into the ball of each row's own radius, and the box.
  Tensor cut(const Tensor& point,
             const Tensor& x,
             const Tensor& radius,
             const Threat& threat) const {
    const Tensor d = point - x;
    Tensor inside = d;
    if (norm() == Norm::kLinf) {
      const Tensor limit = kit::per_row(radius.to(d.scalar_type()), d);
      inside = at::minimum(at::maximum(d, -limit), limit);
    } else if (norm() == Norm::kL2) {
      const Tensor length = distance(point, x, Norm::kL2).clamp_min(1e-300);
      const Tensor scale = (radius / length).clamp_max(1.0);
      inside = d * kit::per_row(scale.to(d.scalar_type()), d);
    } else {
      inside = kit::soft_threshold_to(d, radius);
    }
    return (x + inside).clamp(threat.lower, threat.upper);
  }

  std::int64_t steps_;
  double step_size_;
  double last_step_size_;
  double radius_step_;
  double last_radius_step_;
  bool minimise_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Fmn)
