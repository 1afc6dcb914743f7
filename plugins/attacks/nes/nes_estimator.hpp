#pragma once
// Gradient estimates from function values: pairs of opposite normal steps, two evaluations a pair
// (natural evolution strategies, Wierstra et al. 2014; against networks: Ilyas et al. 2018).

#include <cmath>
#include <cstdint>

#include <torch/types.h>

namespace unmask::kit {

/// Estimate d L_i / d x_i for every row i of a batch as the mean over `pairs` of
///   (L_i(x + sigma u) - L_i(x - sigma u)) u_j / (2 sigma),   u_j standard normal, independent,
/// for coordinate j. Its mean is the gradient of the loss smoothed with deviation sigma; on linear
/// functions it is the gradient.
///
/// Points are kept in the box. A coordinate with the room a above and b below moves
/// min(sigma |u|, a) + min(sigma |u|, b) between the points of a pair; the mean of that times |u|
/// is sigma (erf(a / (sigma sqrt 2)) + erf(b / (sigma sqrt 2))), which replaces 2 sigma: on linear
/// functions the estimate stays unbiased at the border.
///
/// @param loss    callable: points [B, ...] -> [B]; always called with all rows, in order
/// @param normal  callable: (pair) -> tensor like x of independent standard normal numbers
/// @param x       [B, ...] inside the box [lower, upper], upper - lower > 0
template <class LossFunction, class NormalSource>
at::Tensor nes_gradient(LossFunction&& loss,
                        NormalSource&& normal,
                        const at::Tensor& x,
                        double sigma,
                        std::int64_t pairs,
                        double lower,
                        double upper) {
  at::Tensor sum = at::zeros_like(x);
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const at::Tensor u = normal(pair);
    at::Tensor difference =
        (loss((x + sigma * u).clamp(lower, upper)) - loss((x - sigma * u).clamp(lower, upper)))
            .to(x.scalar_type());
    while (difference.dim() < x.dim()) difference = difference.unsqueeze(-1);
    sum += difference * u;
  }
  const double width = sigma * std::sqrt(2.0);
  const at::Tensor spread = sigma * (((upper - x) / width).erf() + ((x - lower) / width).erf());
  return sum / spread / static_cast<double>(pairs);
}

}  // namespace unmask::kit
