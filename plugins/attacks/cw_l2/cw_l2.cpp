// Carlini and Wagner's L2 attack. See cw_l2.md.

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/closest_points.hpp"
#include "unmask/kit/attack/cw.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class CwL2 final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.2",
        .summary = "smallest l2 perturbation by Adam, with a search for the weight of the margin",
        .source = "Carlini, Wagner 2017, arXiv 1608.04644",
        .params = {integer("search_steps", "weights that are tried; 1: only initial_c")
                       .by_default(9)
                       .at_least(1),
                   integer("steps", "Adam steps for each weight").by_default(1000).at_least(1),
                   real("learning_rate", "Adam's rate").by_default(0.01).above(0),
                   real("initial_c", "first weight of the margin").by_default(1e-3).above(0),
                   real("confidence", "margin that must be exceeded")
                       .by_default(0.0)
                       .at_least(0)
                       .unit("logits"),
                   boolean("abort_early", "end a weight's steps when the objective stalls")
                       .by_default(true),
                   kit::minimise_option()},
        .capabilities = {"asks_outside_ball"}};
  }

  explicit CwL2(const Params& params)
      : BallAttack("l2"),
        search_steps_(params.get_integer("search_steps")),
        steps_(params.get_integer("steps")),
        rate_(params.get_real("learning_rate")),
        initial_c_(params.get_real("initial_c")),
        confidence_(params.get_real("confidence")),
        abort_early_(params.get_boolean("abort_early")),
        minimise_(params.get_boolean("minimise")) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext&) override {
    kit::ClosestPoints closest(target, x, threat);
    kit::ActiveRows active(target, x, y);
    kit::WeightSearch weights(x, initial_c_);
    for (std::int64_t round = 0; round < search_steps_ && !active.empty(); ++round) {
      // After ten rounds the bounds are close: the last one makes sure of a weight that works.
      if (round + 1 == search_steps_ && search_steps_ >= 10) weights.use_upper();
      weights.update(run(target, active, weights.weights(), threat, closest));
      if (minimise_) continue;
      const Tensor done = closest.is_done(active.rows());
      if (done.all().item<bool>()) break;
      active.drop(done, {});
    }
    return closest.result(y, minimise_);
  }

  // Adam with one weight per sample, from the images. Returns who was fooled, bool [B].
  // @param weights  [B] of the whole batch
  Tensor run(Target& target,
             kit::ActiveRows rows,
             const Tensor& weights,
             const Threat& threat,
             kit::ClosestPoints& closest) const {
    const kit::TanhBox box(threat);
    Tensor fooled_once = at::zeros_like(weights, weights.options().dtype(at::kBool));
    Tensor free = box.free(rows.x());
    kit::Adam adam(free);
    kit::StallDetector stalls(free, steps_);
    Tensor c = weights.index_select(0, rows.rows());
    for (std::int64_t i = 0; i < steps_; ++i) {
      const Tensor point = box.pixels(free);
      const LossGradient here =
          target.loss_and_gradient(point, rows.y(), Loss::kMargin, rows.rows());
      const Tensor fooled = closest.offer(rows.rows(), point, here.logits, rows.y(), confidence_);
      fooled_once.index_copy_(
          0, rows.rows(), fooled_once.index_select(0, rows.rows()).logical_or(fooled));

      // Objective: ||d||^2 + c max(confidence - margin, 0)
      const Tensor d = point - rows.x();
      const Tensor lack = (confidence_ - here.loss.to(at::kDouble)).clamp_min(0);
      const Tensor objective = distance(point, rows.x(), Norm::kL2).square() + c * lack;
      const Tensor pull = at::where(lack > 0, c, at::zeros_like(c)).to(d.scalar_type());
      const Tensor gradient = 2 * d - kit::per_row(pull, d) * kit::finite_part(here.gradient);
      free = free + adam.step(gradient * box.slope(free), rate_);

      Tensor done = minimise_ ? at::zeros_like(fooled) : closest.is_done(rows.rows());
      if (abort_early_) done = done.logical_or(stalls.stalled(i, objective));
      if (done.all().item<bool>()) break;
      rows.drop(done, {&free, &adam.mean, &adam.square, &c, stalls.state()});
    }
    return fooled_once;
  }

  std::int64_t search_steps_;
  std::int64_t steps_;
  double rate_;
  double initial_c_;
  double confidence_;
  bool abort_early_;
  bool minimise_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::CwL2)
