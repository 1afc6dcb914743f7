#include "unmask/target.hpp"

#include <torch/types.h>

namespace unmask {
inline namespace v1 {
namespace {

void check_rows(const Tensor& x, const Tensor& rows) {
  TORCH_CHECK(x.dim() >= 2, "a batch [B, ...] was expected, got ", x.sizes());
  TORCH_CHECK(!rows.defined() || (rows.dim() == 1 && rows.size(0) == x.size(0)),
              "rows must name the ",
              x.size(0),
              " rows of x, got ",
              rows.defined() ? rows.sizes() : at::IntArrayRef{});
}

}  // namespace

Tensor Target::logits(const Tensor& x, const Tensor& rows) {
  check_rows(x, rows);
  return do_logits(x, rows);
}

LossGradient Target::loss_and_gradient(const Tensor& x,
                                       const Tensor& y,
                                       Loss loss,
                                       const Tensor& rows) {
  return loss_and_gradient(x, y, Tensor(), loss, rows);
}

LossGradient Target::loss_and_gradient(
    const Tensor& x, const Tensor& y, const Tensor& targets, Loss loss, const Tensor& rows) {
  TORCH_CHECK(
      y.dim() == 1 && y.size(0) == x.size(0), "labels must be [", x.size(0), "], got ", y.sizes());
  return loss_and_gradient(
      x, [&](const Tensor& logits) { return per_sample_loss(logits, y, targets, loss); }, rows);
}

LossGradient Target::loss_and_gradient(const Tensor& x,
                                       const LossFunction& loss,
                                       const Tensor& rows) {
  check_rows(x, rows);
  return do_loss_and_gradient(x, loss, rows);
}

}  // namespace v1
}  // namespace unmask
