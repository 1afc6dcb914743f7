#pragma once
// Losses of single samples, as attacks increase and probes differentiate them.

#include <functional>

#include "unmask/export.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// Per-sample losses that an attack *increases*. z_(1) >= z_(2) >= ... are the sorted logits, y is
/// the true label, t the target class.
enum class Loss {
  kCrossEntropy,  ///< -log softmax(z)_y
  kMargin,        ///< max_{i != y} z_i - z_y; positive exactly when the sample is fooled
  kDlr,  ///< (max_{i != y} z_i - z_y) / (z_(1) - z_(3)): the margin, free of the logits' scale and
         ///< offset; in [-1, 0] where y is on top. Needs 3 classes. [CH20a]
  kProbabilityMargin,  ///< max_{i != y} p_i - p_y with p = softmax(z), in [-1, 1]. Where p_y is near
                       ///< 1 its gradient is as small as cross-entropy's. [Xie24]
  kTargetedCrossEntropy,  ///< log softmax(z)_t
  kTargetedMargin,        ///< z_t - z_y
  kTargetedDlr,           ///< (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2). Needs 4 classes. [CH20a]
  kTargetedProbabilityMargin,  ///< p_t - p_y
};

/// Whether a loss needs a target class.
UNMASK_API bool is_targeted(Loss loss);

/// Losses as a function of logits [B, K]: [B], or [B, M] for M losses of each sample at once; row i
/// depends on row i of the logits alone. Differentiable. It may be called more than once.
using LossFunction = std::function<Tensor(const Tensor& logits)>;

/// Per-sample loss [B] of logits [B, K] for labels [B]; differentiable.
/// @throws ParamError when the loss needs more classes than there are, or a target
UNMASK_API Tensor per_sample_loss(const Tensor& logits, const Tensor& labels, Loss loss);

/// The same for a loss with target classes [B]; `targets` may be undefined where it has none.
UNMASK_API Tensor per_sample_loss(const Tensor& logits,
                                  const Tensor& labels,
                                  const Tensor& targets,
                                  Loss loss);

}  // namespace v1
}  // namespace unmask
