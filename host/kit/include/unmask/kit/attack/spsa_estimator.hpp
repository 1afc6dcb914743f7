#pragma once
// Gradient estimates from function values: simultaneous perturbation with random signs (SPSA), two
// evaluations a pair. Spall 1992; Uesato et al. 2018 use it against defences that hide gradients.

#include <cstdint>

#include <torch/types.h>

namespace unmask::kit {

/// Estimate d L_i / d x_i for every row i of a batch as the mean over `pairs` of
///   (L_i(x + delta v) - L_i(x - delta v)) / (2 delta v_j),   v_j = +-1 independent,
/// for coordinate j. Points are kept in the box; a coordinate whose step the box shortens is
/// divided by the distance it really moved. That distance has the sign of v_j and a size that does
/// not depend on v, so the estimate stays unbiased for linear and (away from the box) quadratic
/// functions.
///
/// @param loss   callable: points [B, ...] -> [B]; always called with all rows, in order
/// @param signs  callable: (pair) -> tensor like x of independent signs
/// @param x      [B, ...] inside the box [lower, upper], upper - lower > 0
template <class LossFunction, class SignSource>
at::Tensor spsa_gradient(LossFunction&& loss,
                         SignSource&& signs,
                         const at::Tensor& x,
                         double delta,
                         std::int64_t pairs,
                         double lower,
                         double upper) {
  at::Tensor sum = at::zeros_like(x);
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const at::Tensor step = signs(pair) * delta;
    const at::Tensor above = (x + step).clamp(lower, upper);
    const at::Tensor below = (x - step).clamp(lower, upper);
    at::Tensor difference = (loss(above) - loss(below)).to(x.scalar_type());
    while (difference.dim() < x.dim()) difference = difference.unsqueeze(-1);
    sum += difference / (above - below);
  }
  return sum / static_cast<double>(pairs);
}

}  // namespace unmask::kit
