#pragma once
// What attacks share: reading the names of norms and losses, the frame of an attack on a ball, the
// direction of a step, random starts, and the books about the best points and the rows that are
// still worked on. Header-only.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <torch/types.h>

#include "unmask/attack.hpp"
#include "unmask/errors.hpp"

namespace unmask::kit {

inline Norm norm_of(const std::string& name) {
  if (name == "l1") return Norm::kL1;
  return name == "l2" ? Norm::kL2 : Norm::kLinf;
}

inline Loss loss_of(const std::string& name) {
  if (name == "dlr") return Loss::kDlr;
  return name == "margin" ? Loss::kMargin : Loss::kCrossEntropy;
}

/// The loss that pulls towards a target class instead of away from the label.
inline Loss targeted(Loss loss) {
  if (loss == Loss::kDlr) return Loss::kTargetedDlr;
  return loss == Loss::kMargin ? Loss::kTargetedMargin : Loss::kTargetedCrossEntropy;
}

/// The option of attacks that look for the nearest wrong point.
inline ParamSpec minimise_option() {
  return boolean("minimise",
                 "go on for the smallest perturbation; otherwise a sample is done as soon as it "
                 "falls inside the ball")
      .by_default(false);
}

/// Refuse a ball of another norm than the one the attack was built for: its steps would not fit.
inline void check_threat(const Threat& threat, Norm norm) {
  UNMASK_CHECK(threat.norm == norm, "the threat's norm is not the norm of the attack");
  UNMASK_CHECK(threat.epsilon >= 0 && threat.lower < threat.upper,
               "epsilon must not be negative and the box must not be empty");
}

/// Frame of an attack on a ball: its norm, the check of the threat, and the cases in which there is
/// nothing to do.
class BallAttack : public Attack {
 public:
  explicit BallAttack(const std::string& norm) : norm_(norm_of(norm)) {}

  Norm norm() const final { return norm_; }

  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext& context) final {
    check_threat(threat, norm_);
    if (threat.epsilon == 0 || x.size(0) == 0) return x.clone();
    return search(target, x, y, threat, context);
  }

 private:
  /// perturb() for at least one sample and a ball that is not empty.
  virtual Tensor search(Target& target,
                        const Tensor& x,
                        const Tensor& y,
                        const Threat& threat,
                        AttackContext& context) = 0;

  Norm norm_;
};

/// [B] -> [B, 1, 1, ...], so that it multiplies the rows of `like`.
inline Tensor per_row(Tensor values, const Tensor& like) {
  while (values.dim() < like.dim()) values = values.unsqueeze(-1);
  return values;
}

/// `gradient` with zeros for the entries that are not finite: no information, no step.
inline Tensor finite_part(const Tensor& gradient) {
  return at::where(gradient.isfinite(), gradient, at::zeros_like(gradient));
}

/// The direction of steepest ascent: sign(g) for linf, g / ||g||_2 per sample for l2. A sample
/// whose gradient is zero gets zero, and so does every entry that is not finite.
inline Tensor ascent_direction(const Tensor& gradient, Norm norm) {
  const Tensor g = finite_part(gradient);
  if (norm == Norm::kLinf) return g.sign();
  // Scaled by the largest entry first: the square of a saturated gradient (1e-30) would be zero.
  const Tensor largest = per_row(g.flatten(1).abs().amax(1), g);
  const Tensor scaled = at::where(largest > 0, g / largest, g);
  const Tensor length = per_row(scaled.flatten(1).norm(2, 1), g);
  return at::where(length > 0, scaled / length, scaled);
}

/// Ascent direction of length 1 in l1: the signs of the `count` (double [B], at least 1) largest
/// entries of the gradient, divided by their number. With one entry it is the steepest; with more
/// it moves many pixels at once and depends less on a single one. [Tramer19]
inline Tensor sparse_direction(const Tensor& gradient, const Tensor& count) {
  const Tensor g = finite_part(gradient).flatten(1);
  const Tensor size = g.abs();
  const Tensor sorted = std::get<0>(size.sort(1, /*descending=*/true));
  const Tensor index =
      (count.clamp(1, static_cast<double>(g.size(1))).to(at::kLong) - 1).unsqueeze(1);
  const Tensor chosen = size.ge(sorted.gather(1, index)).logical_and(size > 0).to(g.scalar_type());
  const Tensor number = chosen.sum(1, /*keepdim=*/true).clamp_min(1);
  return (g.sign() * chosen / number).view_as(gradient);
}

/// `gradient` without the entries whose pixels stand at a border of the box and would be pushed
/// through it.
inline Tensor movable_part(const Tensor& gradient, const Tensor& point, const Threat& threat) {
  const Tensor stuck = gradient.lt(0)
                           .logical_and(point.le(threat.lower))
                           .logical_or(gradient.gt(0).logical_and(point.ge(threat.upper)));
  return at::where(stuck, at::zeros_like(gradient), gradient);
}

/// A uniformly distributed step in the ball around zero, shape of x.
inline Tensor uniform_in_ball(const Tensor& x,
                              const Tensor& rows,
                              const Threat& threat,
                              SampleRandom& random) {
  if (threat.norm == Norm::kLinf) {
    return random.uniform(x, -threat.epsilon, threat.epsilon, rows);
  }
  const Tensor flat = x.flatten(1);
  if (threat.norm == Norm::kL1) {
    // D + 1 exponential numbers divided by their sum are uniform on a simplex; without the last one
    // they are uniform in the corner below it. Signs carry the corner to all others.
    const Tensor one = flat.narrow(1, 0, 1);
    const Tensor spread = -random.uniform(flat, 0.0, 1.0, rows).neg().log1p();
    const Tensor last = -random.uniform(one, 0.0, 1.0, rows).neg().log1p();
    const Tensor total = spread.sum(1, /*keepdim=*/true) + last;
    const Tensor step = spread / total.clamp_min(1e-30) * random.signs(flat, rows);
    return step.view_as(x) * threat.epsilon;
  }
  // A uniform direction, and a radius whose D-th power is uniform.
  const Tensor direction = ascent_direction(random.normal(x, rows), Norm::kL2);
  const Tensor radius = random.uniform(flat.narrow(1, 0, 1), 0.0, 1.0, rows)
                            .pow(1.0 / static_cast<double>(flat.size(1)));
  return direction * per_row(radius.squeeze(1), x) * threat.epsilon;
}

/// A random direction of length 1 in the norm: uniform numbers divided by the largest for linf,
/// normal numbers divided by their norm otherwise.
inline Tensor random_direction(const Tensor& x,
                               const Tensor& rows,
                               Norm norm,
                               SampleRandom& random) {
  const Tensor drawn =
      norm == Norm::kLinf ? random.uniform(x, -1.0, 1.0, rows) : random.normal(x, rows);
  const Tensor length = distance(drawn, at::zeros_like(drawn), norm).clamp_min(1e-30);
  return drawn / per_row(length.to(drawn.scalar_type()), drawn);
}

/// The dual norm per row, float64: what one unit of length in `norm` can gain along `gradient`.
inline Tensor dual_norm(const Tensor& gradient, Norm norm) {
  const Tensor zero = at::zeros_like(gradient);
  if (norm == Norm::kL2) return distance(gradient, zero, Norm::kL2);
  return distance(gradient, zero, norm == Norm::kLinf ? Norm::kL1 : Norm::kLinf);
}

/// Nearest point to `step` whose l1 norm is at most `radius` (float64 [B], may be infinite): all
/// entries are lowered by the same amount, none below zero.
inline Tensor soft_threshold_to(const Tensor& step, const Tensor& radius) {
  const Tensor size = step.flatten(1).to(at::kDouble).abs();
  const Tensor sorted = std::get<0>(size.sort(1, /*descending=*/true));
  const Tensor count = at::arange(1, size.size(1) + 1, sorted.options()).unsqueeze(0);
  // With k entries left the amount would be (sum of the k largest - radius) / k; the right k is the
  // largest one that leaves its entries above zero.
  const Tensor amounts = (sorted.cumsum(1) - radius.unsqueeze(1)) / count;
  const Tensor left = sorted.gt(amounts).to(at::kLong).sum(1, /*keepdim=*/true).clamp_min(1);
  const Tensor amount = amounts.gather(1, left - 1).clamp_min(0);
  const Tensor result = (size - amount).clamp_min(0).view_as(step).to(step.scalar_type());
  return result * step.sign();
}

/// The classes other than the label, most likely first: int64 [B, K - 1]. Equal logits keep the
/// order of their classes.
inline Tensor other_classes(const Tensor& logits, const Tensor& labels) {
  const Tensor rest =
      logits.scatter(1, labels.unsqueeze(1), -std::numeric_limits<double>::infinity());
  const Tensor order = std::get<1>(rest.sort(/*stable=*/true, 1, /*descending=*/true));
  return order.narrow(1, 0, logits.size(1) - 1);
}

/// How far each of `classes` ([B, M]) leads before the label: z_k - z_y, [B, M].
inline LossFunction lead_of(const Tensor& classes, const Tensor& labels) {
  return [classes, labels](const Tensor& logits) {
    return logits.gather(1, classes) - logits.gather(1, labels.unsqueeze(1));
  };
}

/// Row i of the result is values[i, index[i]].
/// @param values  [B, M, ...]
/// @param index   int64 [B]
inline Tensor rows_of(const Tensor& values, const Tensor& index) {
  return values.index({at::arange(values.size(0), index.options()), index});
}

/// Loss and gradient averaged over `draws` calls: the expectation over a random network
/// [Athalye18]. One draw is the call itself.
template <class Call>
LossGradient averaged(std::int64_t draws, Call&& call) {
  LossGradient sum = call();
  if (draws == 1) return sum;
  for (std::int64_t i = 1; i < draws; ++i) {
    const LossGradient next = call();
    sum.logits = sum.logits + next.logits;
    sum.loss = sum.loss + next.loss;
    sum.gradient = sum.gradient + next.gradient;
  }
  const auto count = static_cast<double>(draws);
  return {sum.logits / count, sum.loss / count, sum.gradient / count};
}

/// The best point of every row of a batch so far: the one with the largest margin, so a point that
/// fools the model comes before every point that does not.
class BestPoints {
 public:
  explicit BestPoints(const Tensor& x)
      : points_(x.clone()),
        margins_(at::full({x.size(0)},
                          -std::numeric_limits<double>::infinity(),
                          x.options().dtype(at::kDouble))) {}

  /// Offer one point for each of `rows` (int64, distinct).
  /// @param logits  the model's answers for `points`, [rows, K]
  /// @param labels  true labels of `rows`
  /// @return        bool [rows]: which of the offered points fool the model
  Tensor offer(const Tensor& rows,
               const Tensor& points,
               const Tensor& logits,
               const Tensor& labels) {
    const Tensor margins = per_sample_loss(logits, labels, Loss::kMargin).to(at::kDouble);
    const Tensor before = margins_.index_select(0, rows);
    const Tensor better = margins > before;
    margins_.index_copy_(0, rows, at::where(better, margins, before));
    points_.index_copy_(
        0, rows, at::where(per_row(better, points), points, points_.index_select(0, rows)));
    return margins > 0;
  }

  const Tensor& points() const { return points_; }
  /// Margins of the points, float64 [B]; -infinity where nothing was offered.
  const Tensor& margins() const { return margins_; }

 private:
  Tensor points_;
  Tensor margins_;
};

/// The closest fooling point of every row of a batch so far: the book of attacks that look for the
/// smallest perturbation.
class ClosestPoints {
 public:
  ClosestPoints(const Tensor& x, const Threat& threat)
      : x_(x),
        threat_(threat),
        points_(x.clone()),
        distances_(at::full(
            {x.size(0)}, std::numeric_limits<double>::infinity(), x.options().dtype(at::kDouble))),
        margins_(at::zeros_like(distances_)),
        surest_(x) {}

  /// Offer one point for each of `rows` (int64, distinct).
  /// @param confidence  margins up to this do not count as fooling
  /// @return            bool [rows]: which of the offered points fool the model
  Tensor offer(const Tensor& rows,
               const Tensor& points,
               const Tensor& logits,
               const Tensor& labels,
               double confidence = 0) {
    const Tensor margins = per_sample_loss(logits, labels, Loss::kMargin).to(at::kDouble);
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
      surest_.offer(rows.index_select(0, inside),
                    points.index_select(0, inside),
                    logits.index_select(0, inside),
                    labels.index_select(0, inside));
    }
    return fooled;
  }

  /// float64 [B], infinity where nothing was found.
  const Tensor& distances() const { return distances_; }
  const Tensor& points() const { return points_; }
  /// Margins of the points, float64 [B]; 0 where nothing was found.
  const Tensor& margins() const { return margins_; }

  /// bool [rows]: whether a fooling point inside the ball is known.
  Tensor in_ball(const Tensor& rows) const {
    return distances_.index_select(0, rows).le(threat_.epsilon);
  }

  /// What the attack returns: fooling points inside the ball as they are; those outside are put on
  /// its surface, where they may still fool; the image where nothing was found.
  ///
  /// Under a batch-coupled target a point that just fools stops doing so when its batch-mates move.
  /// Unless the smallest perturbation is asked for, the points with the largest margin are taken
  /// there and pushed on to the surface of the ball, where they still fool when all are pushed.
  Tensor result(Target& target, const Tensor& y, bool minimise) const {
    const Tensor inside = per_row(distances_.le(threat_.epsilon), points_);
    const Tensor outside = project(points_, x_, threat_);
    if (target.is_batch_independent() || minimise) return at::where(inside, points_, outside);
    const Tensor kept = at::where(inside, surest_.points(), outside);
    const Tensor pushed = pushed_out(kept);
    const Tensor fooled = per_sample_loss(target.logits(pushed), y, Loss::kMargin) > 0;
    return at::where(per_row(fooled, x_), pushed, kept);
  }

  /// Every closest point on the surface of the ball, whether it was inside or outside, and whether
  /// it still fools there or not; the image where nothing was found.
  Tensor on_surface() const { return pushed_out(project(points_, x_, threat_)); }

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

  Tensor x_;
  Threat threat_;
  Tensor points_;
  Tensor distances_;
  Tensor margins_;
  BestPoints surest_;  // of the fooling points inside the ball, those of the largest margin
};

/// The rows of a batch that an attack still works on. Under a target whose samples influence each
/// other these are always all of them: leaving one out would change the others' answers.
class ActiveRows {
 public:
  ActiveRows(const Target& target, const Tensor& x, const Tensor& y)
      : can_drop_(target.is_batch_independent()),
        x_(x),
        y_(y),
        rows_(at::arange(x.size(0), y.options().dtype(at::kLong))) {}

  bool can_drop() const { return can_drop_; }
  bool empty() const { return rows_.size(0) == 0; }

  const Tensor& x() const { return x_; }
  const Tensor& y() const { return y_; }
  /// Indices in the batch that the attack was handed, int64.
  const Tensor& rows() const { return rows_; }

  /// Leave out the rows where `done` (bool, one entry per active row) holds, when the target allows
  /// it. `state` lists the attack's own per-row tensors, which are cut likewise; those that are not
  /// defined stay so.
  void drop(const Tensor& done, const std::vector<Tensor*>& state) {
    if (!can_drop_ || !done.any().item<bool>()) return;
    const Tensor keep = at::nonzero(done.logical_not()).squeeze(1);
    x_ = x_.index_select(0, keep);
    y_ = y_.index_select(0, keep);
    rows_ = rows_.index_select(0, keep);
    for (Tensor* tensor : state) {
      if (tensor->defined()) *tensor = tensor->index_select(0, keep);
    }
  }

 private:
  bool can_drop_;
  Tensor x_;
  Tensor y_;
  Tensor rows_;
};

}  // namespace unmask::kit
