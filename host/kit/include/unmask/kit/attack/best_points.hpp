#pragma once
// The book of attacks that look for the largest margin.

#include <limits>

#include <torch/types.h>

#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/draws.hpp"

namespace unmask::kit {

/// The best point of every row of a batch so far: the one with the largest margin, so a point that
/// fools the model comes before every point that does not. On a random network the margin is a mean
/// over fresh answers.
class BestPoints {
 public:
  /// @param target  outlives the book; asked where the network is random
  BestPoints(Target& target, const Tensor& x)
      : target_(target),
        points_(x.clone()),
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
    const Tensor margins =
        judged_margins(target_, points, rows, logits, labels, margins_.index_select(0, rows));
    enter(rows, points, margins);
    return margins > 0;
  }

  /// The same for points that were judged already.
  /// @param margins  float64 [rows]
  void enter(const Tensor& rows, const Tensor& points, const Tensor& margins) {
    const Tensor before = margins_.index_select(0, rows);
    const Tensor better = margins > before;
    margins_.index_copy_(0, rows, at::where(better, margins, before));
    points_.index_copy_(
        0, rows, at::where(per_row(better, points), points, points_.index_select(0, rows)));
  }

  const Tensor& points() const { return points_; }
  /// Margins of the points, float64 [B]; -infinity where nothing was offered.
  const Tensor& margins() const { return margins_; }

 private:
  Target& target_;
  Tensor points_;
  Tensor margins_;
};

}  // namespace unmask::kit
