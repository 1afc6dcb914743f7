#pragma once
// Auto-PGD: projected gradient steps with momentum whose step size halves by itself, per sample
// [CH20a]; its l1 form with a sparsity that adapts itself [CH21]. What `apgd` and `autoattack`
// share.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/best_points.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/draws.hpp"
#include "unmask/kit/attack/trace.hpp"

namespace unmask::kit {

/// Iterations after which the step size is reconsidered: the first window is 0.22 of the steps,
/// each next one 0.03 of the steps shorter, none below 0.06. All three are rounded down, none to
/// zero, as in the published implementation.
inline std::vector<std::int64_t> apgd_checkpoints(std::int64_t steps) {
  const auto share = [steps](std::int64_t percent) {
    return std::max<std::int64_t>(steps * percent / 100, 1);
  };
  std::vector<std::int64_t> result;
  std::int64_t window = share(22);
  for (std::int64_t at = window; at <= steps; at += window) {
    result.push_back(at);
    window = std::max(window - share(3), share(6));
  }
  return result;
}

/// Steps in each of the two larger balls: 30 % rounded up, and at least one is left for the last.
inline std::int64_t apgd_early_steps(std::int64_t steps) {
  return std::min((3 * steps + 9) / 10, (steps - 1) / 2);
}

struct ApgdSettings {
  std::int64_t steps = 100;
  Loss loss = Loss::kCrossEntropy;
  double rho = 0.75;              ///< share of rising steps that keeps the step size
  std::int64_t draws = 1;         ///< gradients averaged for one step
  bool from_large_balls = false;  ///< 30 % of the steps in 3 epsilon, 30 % in 2 epsilon first
};

class ApgdSearch {
 public:
  explicit ApgdSearch(const ApgdSettings& settings) : settings_(settings) {}

  /// One run from a random point of the ball's surface. Every visited point inside the ball is
  /// offered to `best`; fooled samples leave the batch where they may.
  /// @param targets  int64 [active rows], or undefined for a loss without target
  /// @param trace    told of every point; may be null
  void run(Target& target,
           ActiveRows& active,
           Tensor targets,
           const Threat& threat,
           SampleRandom& random,
           BestPoints& best,
           Trace* trace = nullptr) const {
    if (active.empty()) return;
    const std::int64_t early = settings_.from_large_balls ? apgd_early_steps(settings_.steps) : 0;
    Threat ball = threat;
    ball.epsilon = (early > 0 ? 3 : 1) * threat.epsilon;
    Tensor point = start(active, ball, random);
    for (const double factor : {3.0, 2.0}) {
      if (early == 0) break;
      ball.epsilon = factor * threat.epsilon;
      point = project(point, active.x(), ball);
      point = climb(target, active, targets, ball, point, early, nullptr, trace);
    }
    point = project(point, active.x(), threat);
    climb(target, active, targets, threat, point, settings_.steps - 2 * early, &best, trace);
  }

 private:
  // A random point of the ball's surface. In l1 the nearest one to a step of normal numbers: few
  // pixels differ from the image, as at the end of the search.
  static Tensor start(const ActiveRows& active, const Threat& ball, SampleRandom& random) {
    const Tensor& x = active.x();
    const Tensor step = ball.norm == Norm::kL1
                            ? random.normal(x, active.rows())
                            : ball.epsilon * random_direction(x, active.rows(), ball.norm, random);
    return project(x + step, x, ball);
  }

  // What belongs to one row of the batch while it climbs.
  struct State {
    Tensor point;       // x_k
    Tensor previous;    // x_{k-1}
    Tensor gradient;    // at x_k
    Tensor loss;        // at x_k
    Tensor logits;      // at x_k
    Tensor best_point;  // visited point of the largest loss, its gradient and loss
    Tensor best_gradient;
    Tensor best_loss;
    Tensor step;            // step size
    Tensor rises;           // steps of this window that raised the loss
    Tensor checked_loss;    // best loss at the last checkpoint
    Tensor was_reduced;     // whether the last checkpoint reduced the step
    Tensor sparsity;        // l1: pixels that one step moves
    Tensor checked_pixels;  // l1: pixels that differed from x at the last checkpoint
    Tensor targets;
    Trace* trace = nullptr;  // of the whole run
  };

  static void drop(const Tensor& fooled, ActiveRows& active, State& s) {
    active.drop(fooled,
                {&s.point,
                 &s.previous,
                 &s.gradient,
                 &s.loss,
                 &s.best_point,
                 &s.best_gradient,
                 &s.best_loss,
                 &s.step,
                 &s.rises,
                 &s.checked_loss,
                 &s.was_reduced,
                 &s.sparsity,
                 &s.checked_pixels,
                 &s.targets});
  }

  // Returns the point of the largest loss of every row. Without `best` nobody leaves.
  Tensor climb(Target& target,
               ActiveRows& active,
               const Tensor& targets,
               const Threat& ball,
               const Tensor& start,
               std::int64_t steps,
               BestPoints* best,
               Trace* trace) const {
    State s;
    s.trace = trace;
    s.targets = targets;
    s.point = start;
    s.previous = start;
    look(target, active, s);
    s.best_point = s.point;
    s.best_gradient = s.gradient;
    s.best_loss = s.loss;
    s.checked_loss = s.loss;
    s.was_reduced = at::ones_like(s.loss).to(at::kBool);
    s.rises = at::zeros_like(s.loss);
    const bool is_l1 = ball.norm == Norm::kL1;
    const auto pixels = static_cast<double>(active.x()[0].numel());
    s.step = at::full_like(s.loss, (is_l1 ? 1 : 2) * ball.epsilon);
    if (is_l1) {
      if (settings_.from_large_balls) {
        // The start is where a larger ball was left, or the sparse random one.
        s.checked_pixels = differing_pixels(active, s.point);
        s.sparsity = s.checked_pixels / 1.5;
      } else {
        s.checked_pixels = at::full_like(s.loss, pixels);
        s.sparsity = 0.2 * s.checked_pixels;
      }
    }
    if (leave(active, s, best)) return s.best_point;

    const std::vector<std::int64_t> checkpoints =
        is_l1 ? every(std::max<std::int64_t>(steps / 25, 1), steps) : apgd_checkpoints(steps);
    std::size_t next = 0;
    std::int64_t last = 0;
    for (std::int64_t k = 1; k <= steps; ++k) {
      move(active, s, ball, k == 1);
      const Tensor before = s.loss;
      look(target, active, s);
      s.rises = s.rises + s.loss.gt(before).to(s.loss.scalar_type());
      const Tensor better = s.loss > s.best_loss;
      s.best_point = at::where(per_row(better, s.point), s.point, s.best_point);
      s.best_gradient = at::where(per_row(better, s.point), s.gradient, s.best_gradient);
      s.best_loss = at::where(better, s.loss, s.best_loss);
      if (leave(active, s, best)) break;
      if (next < checkpoints.size() && checkpoints[next] == k) {
        is_l1 ? check_l1(active, s, ball) : check(s, k - last);
        last = k;
        ++next;
      }
    }
    return s.best_point;
  }

  static std::vector<std::int64_t> every(std::int64_t window, std::int64_t steps) {
    std::vector<std::int64_t> result;
    for (std::int64_t at = window; at <= steps; at += window) result.push_back(at);
    return result;
  }

  void look(Target& target, const ActiveRows& active, State& s) const {
    LossGradient here = averaged(settings_.draws, [&] {
      return target.loss_and_gradient(
          s.point, active.y(), s.targets, settings_.loss, active.rows());
    });
    s.gradient = here.gradient;
    s.loss = here.loss.to(at::kDouble);
    s.logits = here.logits;
    if (s.trace != nullptr) {
      s.trace->add(active.rows(), s.point, s.loss, s.logits, active.y());
    }
  }

  // True when nobody is left.
  static bool leave(ActiveRows& active, State& s, BestPoints* best) {
    if (best == nullptr) return false;
    drop(best->offer(active.rows(), s.point, s.logits, active.y()), active, s);
    return active.empty();
  }

  void move(const ActiveRows& active, State& s, const Threat& ball, bool is_first) const {
    const Tensor& x = active.x();
    const Tensor length = per_row(s.step.to(x.scalar_type()), x);
    const Tensor here = s.point;
    if (ball.norm == Norm::kL1) {
      s.point = project(here + length * sparse_direction(s.gradient, s.sparsity.ceil()), x, ball);
    } else {
      const Tensor ahead =
          project(here + length * ascent_direction(s.gradient, ball.norm), x, ball);
      const double share = is_first ? 1.0 : 0.75;
      s.point = project(here + share * (ahead - here) + (1 - share) * (here - s.previous), x, ball);
    }
    s.previous = here;
  }

  // Halve the step and go back to the best point where too few steps rose, or where nothing was
  // gained since a checkpoint that did not halve.
  void check(State& s, std::int64_t window) const {
    const Tensor oscillates = s.rises.le(settings_.rho * static_cast<double>(window));
    const Tensor stands = s.was_reduced.logical_not().logical_and(s.checked_loss.ge(s.best_loss));
    const Tensor reduce = oscillates.logical_or(stands);
    s.step = at::where(reduce, s.step / 2, s.step);
    go_to_best(s, reduce);
    s.was_reduced = reduce;
    s.checked_loss = s.best_loss;
    s.rises = at::zeros_like(s.rises);
  }

  // Where the best point came to differ from x in fewer pixels, the step starts anew from it;
  // elsewhere it shrinks. The next steps move two thirds of the pixels that differ.
  static void check_l1(const ActiveRows& active, State& s, const Threat& ball) {
    const Tensor differing = differing_pixels(active, s.best_point);
    const Tensor sparser = differing.lt(0.95 * s.checked_pixels);
    s.sparsity = differing / 1.5;
    s.step = at::where(sparser,
                       at::full_like(s.step, ball.epsilon),
                       (s.step / 1.5).clamp(ball.epsilon / 10, ball.epsilon));
    go_to_best(s, sparser);
    s.checked_pixels = differing;
  }

  // float64 [rows]
  static Tensor differing_pixels(const ActiveRows& active, const Tensor& point) {
    return point.ne(active.x()).flatten(1).sum(1).to(at::kDouble);
  }

  static void go_to_best(State& s, const Tensor& who) {
    const Tensor rows = per_row(who, s.point);
    s.point = at::where(rows, s.best_point, s.point);
    s.gradient = at::where(rows, s.best_gradient, s.gradient);
    s.loss = at::where(who, s.best_loss, s.loss);
  }

  ApgdSettings settings_;
};

}  // namespace unmask::kit
