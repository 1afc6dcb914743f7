#pragma once
// What an adversary may do to an image, and how to stay within it.

#include "unmask/export.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

enum class Norm { kLinf, kL2, kL1 };

/// What the adversary may do: move x by at most epsilon in a norm, inside the box [lower, upper].
struct Threat {
  Norm norm = Norm::kLinf;
  double epsilon = 0;  ///< pixel range [0, 1]
  double lower = 0;
  double upper = 1;
};

/// Nearest point to `x_adv` in the intersection of the box and the ball around x (exact for linf
/// and l1; for l2 the ball first, then the box, which keeps both). The ball is shrunk by one part
/// in 10^7 and rounding goes towards x, so that float32 cannot leave it. Shape, dtype and device of
/// x; x lies in the box.
UNMASK_API Tensor project(const Tensor& x_adv, const Tensor& x, const Threat& threat);

/// ||x_adv - x|| per sample, [B], float64, in the norm.
UNMASK_API Tensor distance(const Tensor& x_adv, const Tensor& x, Norm norm);

}  // namespace v1
}  // namespace unmask
