#pragma once
// The rows that an attack still works on.

#include <vector>

#include <torch/types.h>

#include "unmask/kit/attack/draws.hpp"

namespace unmask::kit {

/// The rows of a batch that an attack still works on. Where nobody may leave these are always all
/// of them: under a target whose samples influence each other leaving one out would change the
/// others' answers; on a stand-in and on a random network nobody is done.
class ActiveRows {
 public:
  ActiveRows(const Target& target, const Tensor& x, const Tensor& y)
      : can_drop_(target.is_batch_independent()),
        fooling_ends_(unmask::kit::fooling_ends(target)),
        x_(x),
        y_(y),
        rows_(at::arange(x.size(0), y.options().dtype(at::kLong))) {}

  bool can_drop() const { return can_drop_; }
  /// Whether the search is over when all are fooled at once.
  bool fooling_ends() const { return fooling_ends_; }
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
  bool fooling_ends_;
  Tensor x_;
  Tensor y_;
  Tensor rows_;
};

}  // namespace unmask::kit
