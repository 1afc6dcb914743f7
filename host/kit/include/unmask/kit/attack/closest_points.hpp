#pragma once
// The book of attacks that look for the smallest perturbation.

#include <limits>

#include <torch/types.h>

#include "unmask/kit/attack/best_points.hpp"
#include "unmask/params.hpp"

namespace unmask::kit {

/// The option of attacks that look for the nearest wrong point.
inline ParamSpec minimise_option() {
  return boolean("minimise",
                 "go on for the smallest perturbation; otherwise a sample is done as soon as it "
                 "falls inside the ball")
      .by_default(false);
}

/// The closest fooling point of every row of a batch so far.
class ClosestPoints {
 public:
  /// @param target  outlives the book; asked where the network is random
  ClosestPoints(Target& target, const Tensor& x, const Threat& threat)
      : target_(target),
        x_(x),
        threat_(threat),
        points_(x.clone()),
        distances_(at::full(
            {x.size(0)}, std::numeric_limits<double>::infinity(), x.options().dtype(at::kDouble))),
        margins_(at::zeros_like(distances_)),
        surest_(target, x) {}

  /// Offer one point for each of `rows` (int64, distinct).
  /// @param confidence  margins up to this do not count as fooling
  /// @return            bool [rows]: which of the offered points fool the model
  Tensor offer(const Tensor& rows,
               const Tensor& points,
               const Tensor& logits,
               const Tensor& labels,
               double confidence = 0) {
    // Every claim to fool a random network is looked into.
    const Tensor margins =
        judged_margins(target_,
                       points,
                       rows,
                       logits,
                       labels,
                       at::full({rows.size(0)}, confidence, distances_.options()));
    const Tensor fooled = margins > confidence;
    const Tensor moved = distance(points, x_.index_select(0, rows), threat_.norm);
    const Tensor before = distances_.index_select(0, rows);
    const Tensor better = fooled.logical_and(moved < before);
    distances_.index_copy_(0, rows, at::where(better, moved, before));
    margins_.index_copy_(0, rows, at::where(better, margins, margins_.index_select(0, rows)));
    points_.index_copy_(
        0, rows, at::where(per_row(better, points), points, points_.index_select(0, rows)));
    const Tensor inside = at::nonzero(fooled.logical_and(moved <= threat_.epsilon)).squeeze(1);
    if (inside.size(0) > 0) {
      surest_.enter(rows.index_select(0, inside),
                    points.index_select(0, inside),
                    margins.index_select(0, inside));
    }
    return fooled;
  }

  /// float64 [B], infinity where nothing was found.
  const Tensor& distances() const { return distances_; }
  const Tensor& points() const { return points_; }
  /// Margins of the points, float64 [B]; 0 where nothing was found.
  const Tensor& margins() const { return margins_; }

  /// bool [rows]: who needs no more steps unless the smallest perturbation is asked for: those of
  /// whom a fooling point inside the ball is known, where that ends anything.
  Tensor is_done(const Tensor& rows) const {
    const Tensor inside = distances_.index_select(0, rows).le(threat_.epsilon);
    return fooling_ends(target_) ? inside : at::zeros_like(inside);
  }

  /// What the attack returns: fooling points inside the ball as they are; those outside are put on
  /// its surface, where they may still fool; the image where nothing was found.
  ///
  /// A point that just fools stops doing so when its batch-mates move, when another network judges
  /// it, or at the next draw of a random one. Unless the smallest perturbation is asked for, the
  /// points with the largest margin are taken there and pushed on to the surface of the ball, where
  /// that leaves more margin.
  Tensor result(const Tensor& y, bool minimise) const {
    const Tensor inside = per_row(distances_.le(threat_.epsilon), points_);
    const Tensor outside = project(points_, x_, threat_);
    if (target_.is_batch_independent() || minimise) return at::where(inside, points_, outside);
    const Tensor kept = at::where(inside, surest_.points(), outside);
    const Tensor pushed = pushed_out(kept);
    if (fooling_ends(target_)) {
      // What counts is that all fall together.
      const Tensor fooled = per_sample_loss(target_.logits(pushed), y, Loss::kMargin) > 0;
      return at::where(per_row(fooled, x_), pushed, kept);
    }
    const std::int64_t draws = target_.is_deterministic() ? 1 : kJudgingDraws;
    const Tensor better =
        mean_margin(target_, pushed, {}, y, draws) > mean_margin(target_, kept, {}, y, draws);
    return at::where(per_row(better, x_), pushed, kept);
  }

 private:
  // Points inside the ball stretched to its surface, where something was found.
  Tensor pushed_out(const Tensor& inside) const {
    // An image that was wrong from the start has no direction to be pushed in.
    const Tensor length = distance(inside, x_, threat_.norm).clamp_min(1e-12);
    const Tensor stretch = (threat_.epsilon / length).clamp_min(1.0).to(x_.scalar_type());
    return at::where(per_row(distances_.isfinite(), x_),
                     project(x_ + (inside - x_) * per_row(stretch, x_), x_, threat_),
                     inside);
  }

  Target& target_;
  Tensor x_;
  Threat threat_;
  Tensor points_;
  Tensor distances_;
  Tensor margins_;
  BestPoints surest_;  // of the fooling points inside the ball, those of the largest margin
};

}  // namespace unmask::kit
