#pragma once
// Projected gradient steps inside the ball [Madry18]: the search that `pgd` and `multi_targeted`
// share.

#include <cstdint>
#include <optional>
#include <vector>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/best_points.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/draws.hpp"
#include "unmask/kit/attack/trace.hpp"

namespace unmask::kit {

struct PgdSettings {
  std::int64_t steps = 20;
  std::optional<double> step_size;
  bool random_start = true;
  Loss loss = Loss::kCrossEntropy;
  double momentum = 0;
  std::int64_t draws = 1;  ///< gradients averaged for one step
  double l1_share = 0.01;  ///< of the pixels that one l1 step moves
  double l2_offset = 0;    ///< added to the norm by which an l2 step divides the gradient

  /// What every such attack declares.
  static std::vector<ParamSpec> params() {
    return {choice("norm", {"linf", "l2", "l1"}, "norm of the ball and of the steps")
                .by_default("linf"),
            integer("steps", "gradient steps of one run").by_default(20).at_least(1),
            real("step_size", "length of one step in the norm; left out: 2.5 epsilon / steps")
                .above(0)
                .optional()
                .unit("pixel range"),
            real("momentum", "decay of the sum of past gradients that is followed; 0: none")
                .by_default(0.0)
                .at_least(0),
            integer("eot", "gradients that are averaged for one step").by_default(1).at_least(1),
            real("l1_share", "share of the pixels that one l1 step moves; at least one pixel")
                .by_default(0.01)
                .above(0)
                .at_most(1),
            real("l2_offset",
                 "added to the norm that an l2 step divides the gradient by: steps shrink where "
                 "gradients are of that size; 0: every step has its full length")
                .by_default(0.0)
                .at_least(0)};
  }

  /// @param loss  that is increased
  static PgdSettings from(const Params& params, Loss loss) {
    PgdSettings settings;
    settings.steps = params.get_integer("steps");
    if (params.has("step_size")) settings.step_size = params.get_real("step_size");
    settings.loss = loss;
    settings.momentum = params.get_real("momentum");
    settings.draws = params.get_integer("eot");
    settings.l1_share = params.get_real("l1_share");
    settings.l2_offset = params.get_real("l2_offset");
    return settings;
  }
};

class PgdSearch {
 public:
  explicit PgdSearch(const PgdSettings& settings) : settings_(settings) {}

  /// The classic attack: every step is made, nothing is looked at. Returns the last point.
  /// @param targets  int64 [B], or undefined for a loss without target
  /// @param trace    told of every point but the last one, which nobody looks at; may be null
  Tensor run_to_the_end(Target& target,
                        const Tensor& x,
                        const Tensor& y,
                        const Tensor& targets,
                        const Threat& threat,
                        SampleRandom& random,
                        Trace* trace = nullptr) const {
    Tensor point = start(x, {}, threat, random);
    Tensor velocity;
    for (std::int64_t i = 0; i < settings_.steps; ++i) {
      const LossGradient here = averaged(settings_.draws, [&] {
        return target.loss_and_gradient(point, y, targets, settings_.loss);
      });
      if (trace != nullptr) {
        const Tensor rows = at::arange(x.size(0), y.options().dtype(at::kLong));
        trace->add(rows, point, here.loss, here.logits, y);
      }
      point = step(point, here.gradient, velocity, x, threat);
    }
    return point;
  }

  /// Every visited point is offered to `best`. A fooled sample leaves the batch when its
  /// batch-mates cannot notice; otherwise the whole batch goes on moving, because the points of
  /// fooled samples are part of the function that the others climb.
  /// @param targets  int64 [active rows], or undefined
  /// @param trace    told of every point; may be null
  void run_keeping_best(Target& target,
                        ActiveRows& active,
                        Tensor targets,
                        const Threat& threat,
                        SampleRandom& random,
                        BestPoints& best,
                        Trace* trace = nullptr) const {
    Tensor point = start(active.x(), active.rows(), threat, random);
    Tensor velocity;
    for (std::int64_t i = 0; i < settings_.steps && !active.empty(); ++i) {
      LossGradient here = averaged(settings_.draws, [&] {
        return target.loss_and_gradient(point, active.y(), targets, settings_.loss, active.rows());
      });
      if (trace != nullptr) {
        trace->add(active.rows(), point, here.loss, here.logits, active.y());
      }
      const Tensor fooled = best.offer(active.rows(), point, here.logits, active.y());
      active.drop(fooled, {&point, &here.gradient, &velocity, &targets});
      if (active.empty()) return;
      point = step(point, here.gradient, velocity, active.x(), threat);
    }
    if (active.empty()) return;
    const Tensor logits = mean_logits(target, point, active.rows());
    if (trace != nullptr) {
      const Tensor loss = per_sample_loss(logits, active.y(), targets, settings_.loss);
      trace->add(active.rows(), point, loss, logits, active.y());
    }
    const Tensor fooled = best.offer(active.rows(), point, logits, active.y());
    active.drop(fooled, {});
  }

  /// Answers as this search judges them: averaged over the draws.
  Tensor mean_logits(Target& target, const Tensor& point, const Tensor& rows) const {
    Tensor sum = target.logits(point, rows);
    for (std::int64_t i = 1; i < settings_.draws; ++i) sum = sum + target.logits(point, rows);
    return settings_.draws == 1 ? sum : sum / static_cast<double>(settings_.draws);
  }

 private:
  double step_size(const Threat& threat) const {
    // The usual 2.5 epsilon / steps: the far side of the ball can be reached from every start, with
    // steps to spare.
    return settings_.step_size.value_or(2.5 * threat.epsilon /
                                        static_cast<double>(settings_.steps));
  }

  Tensor start(const Tensor& x,
               const Tensor& rows,
               const Threat& threat,
               SampleRandom& random) const {
    if (!settings_.random_start) return x;
    return project(x + uniform_in_ball(x, rows, threat, random), x, threat);
  }

  // `velocity` is the sum of the gradients so far, each of l1 norm 1, with decay [Dong18].
  Tensor step(const Tensor& point,
              const Tensor& gradient,
              Tensor& velocity,
              const Tensor& x,
              const Threat& threat) const {
    Tensor ascent = gradient;
    if (settings_.momentum > 0) {
      const Tensor direction = ascent_direction(gradient, Norm::kL2);
      const Tensor size = per_row(direction.flatten(1).abs().sum(1), direction);
      const Tensor unit = at::where(size > 0, direction / size, direction);
      velocity = velocity.defined() ? settings_.momentum * velocity + unit : unit;
      ascent = velocity;
    }
    const double length = step_size(threat);
    if (threat.norm == Norm::kL1) {
      const Tensor movable = movable_part(finite_part(ascent), point, threat);
      const double pixels = settings_.l1_share * static_cast<double>(x[0].numel());
      const Tensor count = at::full({x.size(0)}, pixels, x.options().dtype(at::kDouble));
      return project(point + sparse_direction(movable, count) * length, x, threat);
    }
    Tensor direction = ascent_direction(ascent, threat.norm);
    if (threat.norm == Norm::kL2 && settings_.l2_offset > 0) {
      // g / (||g|| + offset)
      const Tensor size = distance(finite_part(ascent), at::zeros_like(ascent), Norm::kL2);
      const Tensor share = size / (size + settings_.l2_offset);
      direction = direction * per_row(share.to(direction.scalar_type()), direction);
    }
    return project(point + direction * length, x, threat);
  }

  PgdSettings settings_;
};

}  // namespace unmask::kit
