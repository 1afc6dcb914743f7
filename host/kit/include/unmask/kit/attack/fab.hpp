#pragma once
// FAB: the fast adaptive boundary attack [CH20b]. Every step goes to the nearest boundary of the
// linearised network, biased towards the image. What `fab`, `fab_t` and `autoattack` share.

#include <cstdint>
#include <vector>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/classes.hpp"
#include "unmask/kit/attack/closest_points.hpp"

namespace unmask::kit {

// A tie of two logits does not fool, and its distance to the boundary is zero: without a least step
// the search would stop there.
inline constexpr double kLeastStep = 1e-6;

/// The shortest step d, in a norm and inside the box, with <slope, d> = gain; where the box is too
/// small for that, the step that comes closest. Exact: pixels move in the direction of their slope
/// at the pace that suits the norm (linf: all alike, l2: in proportion to the slope, l1: one after
/// the other, steepest first) until they meet the box.
/// @param x      [B, ...] in the box
/// @param slope  shape of x
/// @param gain   float64 [B], of any sign
inline Tensor step_to_plane(const Tensor& x,
                            const Tensor& slope,
                            const Tensor& gain,
                            const Threat& threat) {
  const Tensor w = slope.flatten(1).to(at::kDouble) * gain.sign().unsqueeze(1);
  const Tensor wanted = gain.abs().unsqueeze(1);
  const Tensor pixels = x.flatten(1).to(at::kDouble);
  const Tensor room = at::where(w > 0, threat.upper - pixels, pixels - threat.lower);
  const Tensor steepness = w.abs();
  const Tensor is_used = steepness > 0;
  const Tensor zero = at::zeros_like(w);

  Tensor moved;
  if (threat.norm == Norm::kL1) {
    const Tensor order = std::get<1>(steepness.sort(/*stable=*/true, 1, /*descending=*/true));
    const Tensor gains = (steepness * room).gather(1, order);
    const Tensor missing = (wanted - (gains.cumsum(1) - gains)).clamp_min(0);
    const Tensor sorted = at::where(
        is_used.gather(1, order), missing / steepness.gather(1, order).clamp_min(1e-300), zero);
    moved = at::minimum(at::zeros_like(w).scatter(1, order, sorted), room);
  } else {
    const Tensor pace = threat.norm == Norm::kL2 ? steepness : is_used.to(at::kDouble);
    // At time room / pace a pixel meets the box. Between two such times the gain grows linearly.
    const Tensor times = at::where(is_used, room / pace.clamp_min(1e-300), zero);
    const auto [sorted, order] = times.sort(/*stable=*/true, 1, /*descending=*/false);
    const Tensor stopped = (steepness * room).gather(1, order).cumsum(1);
    const Tensor speeds = (steepness * pace).gather(1, order);
    const Tensor moving = speeds.flip(1).cumsum(1).flip(1) - speeds;
    const Tensor reached = stopped + sorted * moving;  // gain at each of the times
    // The first time at which enough is gained; everything up to it is linear in time.
    const Tensor too_early = reached.lt(wanted).to(at::kLong).sum(1, /*keepdim=*/true);
    const Tensor first = too_early.clamp_max(w.size(1) - 1);
    const Tensor before = (stopped - (steepness * room).gather(1, order)).gather(1, first);
    const Tensor speed = (moving + speeds).gather(1, first);
    const Tensor time = at::where(too_early < w.size(1),
                                  (wanted - before) / speed.clamp_min(1e-300),
                                  sorted.amax(1, /*keepdim=*/true));
    moved = at::minimum(pace * time, room);
  }
  return (moved * w.sign()).to(x.scalar_type()).view_as(x);
}

struct FabSettings {
  std::int64_t steps = 100;
  double max_bias = 0.1;    ///< alpha_max: largest weight of the step that starts at the image
  double overshoot = 1.05;  ///< eta
  double pull_back = 0.9;   ///< beta: share of the way that stays after a success
  bool minimise = false;    ///< go on after a sample fell inside the ball
  std::int64_t final_search = 0;  ///< answers on the line from the image to the closest point

  static std::vector<ParamSpec> params() {
    return {choice("norm", {"linf", "l2", "l1"}, "norm that is kept small").by_default("linf"),
            integer("steps", "steps of one run").by_default(100).at_least(1),
            real("max_bias", "largest weight of the step that starts at the image")
                .by_default(0.1)
                .at_least(0)
                .at_most(1),
            real("overshoot", "length of a step, as a share of the way to the boundary")
                .by_default(1.05)
                .at_least(1),
            real("pull_back", "share of the way from the image kept after a success")
                .by_default(0.9)
                .above(0)
                .below(1),
            integer("final_search",
                    "answers for a last search between the image and the closest point found, "
                    "where that lies outside the ball or the smallest perturbation is asked for")
                .by_default(3)
                .at_least(0),
            minimise_option()};
  }

  static FabSettings from(const Params& params) {
    return {params.get_integer("steps"),
            params.get_real("max_bias"),
            params.get_real("overshoot"),
            params.get_real("pull_back"),
            params.get_boolean("minimise"),
            params.get_integer("final_search")};
  }
};

class FabSearch {
 public:
  explicit FabSearch(const FabSettings& settings) : settings_(settings) {}

  /// One run; every visited point is offered to `closest`.
  /// @param classes  int64 [active rows, M]: whose boundaries are looked at
  /// @param random   nullptr: start at the images; otherwise at a random point at half the distance
  ///                 of the closest known success or half of epsilon
  void run(Target& target,
           ActiveRows& active,
           Tensor classes,
           const Threat& threat,
           SampleRandom* random,
           ClosestPoints& closest) const {
    if (active.empty()) return;
    Tensor point = active.x();
    if (random != nullptr) {
      const Tensor radius =
          closest.distances().index_select(0, active.rows()).clamp_max(threat.epsilon) / 2;
      const Tensor direction = random_direction(point, active.rows(), threat.norm, *random);
      point = (point + per_row(radius.to(point.scalar_type()), point) * direction)
                  .clamp(threat.lower, threat.upper);
    }
    for (std::int64_t i = 0; i < settings_.steps; ++i) {
      const LossGradient here =
          target.loss_and_gradient(point, lead_of(classes, active.y()), active.rows());
      // A random start may fool already; all later points were judged when they were made.
      if (i == 0) closest.offer(active.rows(), point, here.logits, active.y());
      point = next(point, active.x(), here, threat);
      const Tensor logits = target.logits(point, active.rows());
      const Tensor fooled = closest.offer(active.rows(), point, logits, active.y());
      const Tensor back = active.x() + settings_.pull_back * (point - active.x());
      point = at::where(per_row(fooled, point), back, point);
      if (settings_.minimise) continue;
      const Tensor done = closest.is_done(active.rows());
      if (done.all().item<bool>()) return;
      active.drop(done, {&point, &classes});
    }
  }

  /// After the last run: a search on the line between the image and the closest point, as the
  /// margins at both ends suggest. Of use where that point lies outside the ball.
  /// @param logits  the model's answers for the images, [B, K]
  void finish(Target& target,
              const Tensor& x,
              const Tensor& y,
              const Tensor& logits,
              const Threat& threat,
              ClosestPoints& closest) const {
    if (settings_.final_search == 0) return;
    const Tensor at_image = per_sample_loss(logits, y, Loss::kMargin).to(at::kDouble);
    Tensor wanted = closest.distances().isfinite().logical_and(at_image <= 0);
    if (!settings_.minimise) wanted = wanted.logical_and(closest.distances() > threat.epsilon);
    if (!wanted.any().item<bool>()) return;
    // Under a batch-coupled target the others take part where they are.
    const Tensor rows = target.is_batch_independent()
                            ? at::nonzero(wanted).squeeze(1)
                            : at::arange(x.size(0), y.options().dtype(at::kLong));
    wanted = wanted.index_select(0, rows);
    const Tensor images = x.index_select(0, rows);
    const Tensor labels = y.index_select(0, rows);
    const Tensor line = closest.points().index_select(0, rows) - images;

    Tensor low_margin = at_image.index_select(0, rows);
    Tensor high_margin = closest.margins().index_select(0, rows);
    Tensor low = at::zeros_like(low_margin);
    Tensor high = at::ones_like(low_margin);
    for (std::int64_t i = 0; i < settings_.final_search; ++i) {
      // Where a straight line between the margins has an eighth of the larger one left. Zero would
      // be a tie, which does not fool.
      const Tensor share = (high_margin / 8 - low_margin) / (high_margin - low_margin);
      const Tensor place = at::where(wanted, low + (high - low) * share, at::ones_like(low));
      const Tensor point =
          (images + per_row(place.to(x.scalar_type()), x) * line).clamp(threat.lower, threat.upper);
      const Tensor answers = target.logits(point, rows);
      const Tensor fooled = closest.offer(rows, point, answers, labels);
      const Tensor margin = per_sample_loss(answers, labels, Loss::kMargin).to(at::kDouble);
      high = at::where(fooled, place, high);
      high_margin = at::where(fooled, margin, high_margin);
      low = at::where(fooled, low, place);
      low_margin = at::where(fooled, low_margin, margin);
    }
  }

 private:
  Tensor next(const Tensor& point,
              const Tensor& x,
              const LossGradient& here,
              const Threat& threat) const {
    const Tensor gaps = here.loss.to(at::kDouble).neg();  // [B, M] what each class lacks
    const Tensor slopes = finite_part(here.gradient).transpose(0, 1);
    const Tensor strength =
        dual_norm(slopes.flatten(0, 1), threat.norm).view({gaps.size(0), gaps.size(1)});
    const Tensor lengths = at::where(strength > 0,
                                     gaps.abs() / strength.clamp_min(1e-300),
                                     at::full_like(gaps, std::numeric_limits<double>::infinity()));
    const Tensor nearest = lengths.argmin(1);
    const Tensor slope = rows_of(slopes, nearest);
    const Tensor gap = rows_of(gaps, nearest);
    const Tensor least = kLeastStep * rows_of(strength, nearest);
    const Tensor gain = at::where(gap < 0, at::minimum(gap, -least), at::maximum(gap, least));

    // The plane as seen from the point and from the image.
    const Tensor ahead = (slope.to(at::kDouble) * (point - x)).flatten(1).sum(1);
    const Tensor from_point = step_to_plane(point, slope, gain, threat);
    const Tensor from_image = step_to_plane(x, slope, gain + ahead, threat);
    const Tensor zero = at::zeros_like(x);
    const Tensor near = distance(from_point, zero, threat.norm);
    const Tensor far = distance(from_image, zero, threat.norm);
    const Tensor bias = (near / (near + far).clamp_min(1e-300)).clamp_max(settings_.max_bias);
    const Tensor alpha = per_row(bias.to(x.scalar_type()), x);
    return ((1 - alpha) * (point + settings_.overshoot * from_point) +
            alpha * (x + settings_.overshoot * from_image))
        .clamp(threat.lower, threat.upper);
  }

  FabSettings settings_;
};

}  // namespace unmask::kit
