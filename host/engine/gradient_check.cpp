#include "engine/gradient_check.hpp"

#include <torch/types.h>

namespace unmask::engine {

void GradientCheck::begin(const Tensor& batch) {
  const auto options = batch.options().requires_grad(false);
  asked_ = at::zeros({batch.size(0)}, options.dtype(at::kBool));
  first_was_zero_ = at::zeros_like(asked_);
  times_not_finite_ = at::zeros({batch.size(0)}, options.dtype(at::kLong));
}

void GradientCheck::take(const LossGradient& result, const Tensor& rows) {
  if (!asked_.defined()) return;
  const torch::NoGradGuard no_grad;
  // [B, M D] when there are M losses of each sample.
  const Tensor gradient =
      (result.loss.dim() == 1 ? result.gradient : result.gradient.transpose(0, 1)).flatten(1);
  const Tensor is_zero = gradient.eq(0).all(1);
  const Tensor is_bad = gradient.isfinite().all(1).logical_not();
  const Tensor index = rows.defined() ? rows.to(asked_.device(), at::kLong)
                                      : at::arange(asked_.size(0), times_not_finite_.options());
  const Tensor before = asked_.index_select(0, index);
  first_was_zero_.index_copy_(
      0, index, at::where(before, first_was_zero_.index_select(0, index), is_zero));
  // A row may be passed several times at once: a sum misses none.
  times_not_finite_.index_add_(0, index, is_bad.to(at::kLong));
  asked_.index_fill_(0, index, true);
}

Tensor GradientCheck::not_finite() const {
  return times_not_finite_.gt(0);
}

}  // namespace unmask::engine
