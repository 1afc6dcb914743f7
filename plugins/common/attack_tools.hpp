#pragma once
// What several attacks share: reading the names of norms and losses, the direction of a step, and
// the book about the best point of every sample. Header-only; attacks name it under SHARED in
// CMake.

#include <limits>
#include <string>

#include <torch/types.h>

#include "unmask/attack.hpp"
#include "unmask/errors.hpp"

namespace unmask::common {

inline Norm norm_of(const std::string& name) {
  return name == "l2" ? Norm::kL2 : Norm::kLinf;
}

inline Loss loss_of(const std::string& name) {
  return name == "margin" ? Loss::kMargin : Loss::kCrossEntropy;
}

/// Refuse a ball of another norm than the one the attack was built for: its steps would not fit.
inline void check_threat(const Threat& threat, Norm norm) {
  UNMASK_CHECK(threat.norm == norm, "the threat's norm is not the norm of the attack");
  UNMASK_CHECK(threat.epsilon >= 0 && threat.lower < threat.upper,
               "epsilon must not be negative and the box must not be empty");
}

/// [B] -> [B, 1, 1, ...], so that it multiplies the rows of `like`.
inline Tensor per_row(Tensor values, const Tensor& like) {
  while (values.dim() < like.dim()) values = values.unsqueeze(-1);
  return values;
}

/// The direction of steepest ascent: sign(g) for linf, g / ||g||_2 per sample for l2. A sample
/// whose gradient is zero gets zero, and so does every entry that is not finite: no information, no
/// step.
inline Tensor ascent_direction(const Tensor& gradient, Norm norm) {
  const Tensor g = at::where(gradient.isfinite(), gradient, at::zeros_like(gradient));
  if (norm == Norm::kLinf) return g.sign();
  // Scaled by the largest entry first: the square of a saturated gradient (1e-30) would be zero.
  const Tensor largest = per_row(g.flatten(1).abs().amax(1), g);
  const Tensor scaled = at::where(largest > 0, g / largest, g);
  const Tensor length = per_row(scaled.flatten(1).norm(2, 1), g);
  return at::where(length > 0, scaled / length, scaled);
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

  /// Rows that no offered point has fooled yet, ascending int64.
  Tensor not_fooled() const { return at::nonzero(margins_.le(0)).squeeze(1); }

  const Tensor& points() const { return points_; }

 private:
  Tensor points_;
  Tensor margins_;
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
  /// it. `state` lists the attack's own per-row tensors, which are cut likewise.
  void drop(const Tensor& done, std::initializer_list<Tensor*> state) {
    if (!can_drop_ || !done.any().item<bool>()) return;
    const Tensor keep = at::nonzero(done.logical_not()).squeeze(1);
    x_ = x_.index_select(0, keep);
    y_ = y_.index_select(0, keep);
    rows_ = rows_.index_select(0, keep);
    for (Tensor* tensor : state) *tensor = tensor->index_select(0, keep);
  }

 private:
  bool can_drop_;
  Tensor x_;
  Tensor y_;
  Tensor rows_;
};

}  // namespace unmask::common
