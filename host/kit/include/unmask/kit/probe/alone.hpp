#pragma once
// How probes ask a target for single images, and for several losses at once.

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "unmask/target.hpp"

namespace unmask::kit {

/// `losses` of each sample in this order, [B, M]; none of them has a target class.
inline LossFunction losses_of(const Tensor& labels, std::vector<Loss> losses) {
  return [labels, losses = std::move(losses)](const Tensor& logits) {
    std::vector<Tensor> columns;
    for (const Loss loss : losses) columns.push_back(per_sample_loss(logits, labels, loss));
    return at::stack(columns, 1);
  };
}

/// Row `i` of a batch, as a target wants it named.
inline Tensor row_named(std::int64_t i, const Tensor& labels) {
  return at::full({1}, i, labels.options().dtype(at::kLong));
}

/// Logits [B, K] of each image in a batch of its own. B forwards.
inline Tensor logits_alone(Target& target, const Tensor& x, const Tensor& labels) {
  std::vector<Tensor> parts;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    parts.push_back(target.logits(x.narrow(0, i, 1), row_named(i, labels)));
  }
  return at::cat(parts, 0);
}

/// `losses` and their gradients, of each image in a batch of its own: logits [B, K], loss [B, M],
/// gradient [M, B, ...]. B forwards, M B backwards.
/// @param after_pass  called after every image, in order; may be empty
inline LossGradient gradients_alone(Target& target,
                                    const Tensor& x,
                                    const Tensor& labels,
                                    const std::vector<Loss>& losses,
                                    const std::function<void()>& after_pass = {}) {
  std::vector<Tensor> logits;
  std::vector<Tensor> values;
  std::vector<Tensor> gradients;
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    const LossGradient here = target.loss_and_gradient(
        x.narrow(0, i, 1), losses_of(labels.narrow(0, i, 1), losses), row_named(i, labels));
    if (after_pass) after_pass();
    logits.push_back(here.logits);
    values.push_back(here.loss);
    gradients.push_back(here.gradient);
  }
  return {at::cat(logits, 0), at::cat(values, 0), at::cat(gradients, 1)};
}

/// Logits that are functions of their own image, of the first rows of a batch: together where samples
/// do not influence each other, else one by one. One forward per row either way.
/// @param x  [n, C, H, W], points for the rows 0, ..., n - 1 of the batch
inline Tensor own_logits(Target& target, const Tensor& x, const Tensor& labels) {
  if (!target.is_batch_independent()) return logits_alone(target, x, labels);
  return target.logits(x, at::arange(x.size(0), labels.options().dtype(at::kLong)));
}

/// A loss in float64, whatever the type of the logits that it is computed from: [n].
inline Tensor exact_losses(const Tensor& logits, const Tensor& labels, Loss loss) {
  return per_sample_loss(logits.to(at::kDouble), labels, loss);
}

/// The same of a loss: [n], float64.
inline Tensor own_losses(Target& target, const Tensor& x, const Tensor& labels, Loss loss) {
  return exact_losses(own_logits(target, x, labels), labels, loss);
}

/// The same with the gradient, shape of x, of a whole batch. B forwards and backwards.
/// @param after_pass  called after every pass: once, or for every image; may be empty
inline LossGradient own_gradients(Target& target,
                                  const Tensor& x,
                                  const Tensor& labels,
                                  Loss loss,
                                  const std::function<void()>& after_pass = {}) {
  if (target.is_batch_independent()) {
    LossGradient here = target.loss_and_gradient(x, labels, loss);
    if (after_pass) after_pass();
    return here;
  }
  const LossGradient alone = gradients_alone(target, x, labels, {loss}, after_pass);
  return {alone.logits, alone.loss.select(1, 0), alone.gradient.select(0, 0)};
}

}  // namespace unmask::kit
