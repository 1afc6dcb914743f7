#pragma once
// The way of a few samples through an attack, recorded as series: what silent success, unfinished
// optimisation and step sizes are read from.

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "unmask/attack.hpp"

namespace unmask::kit {

/// Records loss, margin and distance of the first samples of a batch at every point that an attack
/// looks at; it looks at nothing itself, so it costs no pass.
class Trace {
 public:
  static ParamSpec param() {
    return integer("trace",
                   "first samples of every batch whose loss, margin and distance are recorded at "
                   "every visited point")
        .by_default(0)
        .at_least(0)
        .at_most(100);
  }

  /// @param count  samples, as the parameter says
  /// @param x      the batch that the attack was handed
  Trace(std::int64_t count, Tensor x, Norm norm)
      : x_(std::move(x)),
        norm_(norm),
        ways_(static_cast<std::size_t>(std::min(count, x_.size(0)))) {}

  /// What was seen at one point of each of `rows` (int64, indices in the batch).
  /// @param loss    [rows], the one that the attack increases
  /// @param logits  [rows, K]
  /// @param labels  true labels of `rows`
  void add(const Tensor& rows,
           const Tensor& points,
           const Tensor& loss,
           const Tensor& logits,
           const Tensor& labels) {
    if (ways_.empty()) return;
    const auto count = static_cast<std::int64_t>(ways_.size());
    const Tensor chosen = at::nonzero(rows.lt(count)).squeeze(1);
    if (chosen.size(0) == 0) return;
    const Tensor index = rows.index_select(0, chosen);
    const Tensor margin = per_sample_loss(logits, labels, Loss::kMargin);
    const Tensor far = distance(points.index_select(0, chosen), x_.index_select(0, index), norm_);
    const Tensor seen = at::stack({index.to(at::kDouble),
                                   loss.index_select(0, chosen).to(at::kDouble),
                                   margin.index_select(0, chosen).to(at::kDouble),
                                   far},
                                  1)
                            .to(at::kCPU)
                            .contiguous();
    const double* number = seen.data_ptr<double>();
    for (std::int64_t i = 0; i < seen.size(0); ++i, number += 4) {
      std::array<std::vector<double>, 3>& way = ways_[static_cast<std::size_t>(number[0])];
      for (std::size_t k = 0; k < way.size(); ++k) way[k].push_back(number[k + 1]);
    }
  }

  /// Hand over trace_loss, trace_margin and trace_distance of every traced sample.
  void finish(AttackContext& context) const {
    static constexpr std::array<const char*, 3> names = {
        "trace_loss", "trace_margin", "trace_distance"};
    for (std::size_t row = 0; row < ways_.size(); ++row) {
      if (ways_[row][0].empty()) continue;
      for (std::size_t k = 0; k < names.size(); ++k) {
        context.series.push_back(
            {names[k], at::tensor(ways_[row][k], at::kDouble), static_cast<std::int64_t>(row)});
      }
    }
  }

 private:
  Tensor x_;
  Norm norm_;
  std::vector<std::array<std::vector<double>, 3>> ways_;
};

}  // namespace unmask::kit
