#include "unmask/threat.hpp"

#include <cmath>

#include <torch/types.h>

namespace unmask {
inline namespace v1 {
namespace {

// float32 has 24 bits: x + d rounds by up to 6e-8 for values in [0, 1], and the host allows
// epsilon * (1 + 1e-6) + 1e-7. One part in 10^7 keeps iterates inside without weakening them.
constexpr double kShrink = 1.0 - 1e-7;

// In float64: squares of small float32 values would vanish, and long sums would lose digits.
Tensor per_sample_norm(const Tensor& d, Norm norm) {
  const Tensor flat = d.flatten(1).to(at::kDouble);
  if (norm == Norm::kLinf) return flat.abs().amax(1);
  return norm == Norm::kL1 ? flat.abs().sum(1) : flat.norm(2, 1);
}

Tensor per_row(Tensor values, const Tensor& like) {
  while (values.dim() < like.dim()) values = values.unsqueeze(-1);
  return values;
}

// `moved` is x + d after rounding. Where rounding went outwards, take the next number towards x:
// many equal pixels would otherwise round alike, and the sum of their errors would leave an L2
// ball.
Tensor rounded_inwards(const Tensor& moved, const Tensor& x, const Tensor& d) {
  return at::where((moved - x).abs() > d.abs(), at::nextafter(moved, x), moved);
}

// The number of x's dtype nearest to x + step that is no further from x than the step. In float64:
// float32 would round the difference that is looked at as well. (What float64 itself rounds is far
// less than the ball is shrunk by.)
Tensor border(const Tensor& x, double step) {
  if (x.scalar_type() == at::kDouble) return x + step;
  const Tensor exact = x.to(at::kDouble);
  const Tensor rounded = (exact + step).to(x.scalar_type());
  const Tensor is_outside = (rounded.to(at::kDouble) - exact).abs() > std::abs(step);
  return at::where(is_outside, at::nextafter(rounded, x), rounded);
}

// Nearest point to x + t within the L1 ball of radius epsilon and the box, as a step from x: every
// |t_i| is lowered by the same amount (never below zero) and cut at the room up to the border of
// the box; the amount is the one for which the sum is epsilon. The sum is piecewise linear in it:
// it falls with the number of entries between "cut at the border" and "zero".
Tensor l1_step(const Tensor& step,
               const Tensor& room_below,
               const Tensor& room_above,
               double epsilon) {
  if (epsilon <= 0) return at::zeros_like(step);
  const Tensor t = step.flatten(1).to(at::kDouble);
  const Tensor size = t.abs();
  const Tensor room = at::where(
      t > 0, room_above.flatten(1).to(at::kDouble), room_below.flatten(1).to(at::kDouble));
  const Tensor full = at::minimum(size, room).sum(1, /*keepdim=*/true);
  // Where an entry starts to fall, and where it is zero.
  const Tensor knots = at::cat({(size - room).clamp_min(0), size}, 1);
  const auto [sorted, order] = knots.sort(1);
  const Tensor change = at::cat({at::ones_like(size), -at::ones_like(size)}, 1).gather(1, order);
  const Tensor slope = change.cumsum(1);  // entries falling right of each knot
  const Tensor gaps =
      sorted.narrow(1, 1, sorted.size(1) - 1) - sorted.narrow(1, 0, sorted.size(1) - 1);
  const Tensor fallen =
      at::cat({at::zeros_like(full), (gaps * slope.narrow(1, 0, slope.size(1) - 1)).cumsum(1)}, 1);
  const Tensor needed = (full - epsilon).clamp_min(0);
  // The last knot up to which too little has fallen; the rest falls linearly behind it.
  const Tensor knot = (fallen.le(needed).to(at::kLong).sum(1, /*keepdim=*/true) - 1).clamp_min(0);
  const Tensor rest = needed - fallen.gather(1, knot);
  const Tensor lowered = sorted.gather(1, knot) + rest / slope.gather(1, knot).clamp_min(1);
  // The knots start at the smallest one, which is above zero when all entries are cut.
  const Tensor amount = at::where(needed > 0, lowered, at::zeros_like(lowered));
  const Tensor result = at::minimum((size - amount).clamp_min(0), room) * t.sign();
  return result.to(step.scalar_type()).view_as(step);
}

}  // namespace

Tensor project(const Tensor& x_adv, const Tensor& x, const Threat& threat) {
  TORCH_CHECK(x_adv.sizes() == x.sizes(),
              "the perturbed batch is ",
              x_adv.sizes(),
              ", the clean one ",
              x.sizes());
  const double epsilon = threat.epsilon * kShrink;
  if (threat.norm == Norm::kLinf) {
    const Tensor inside = at::minimum(at::maximum(x_adv, border(x, -epsilon)), border(x, epsilon));
    return inside.clamp(threat.lower, threat.upper);
  }
  const Tensor d = x_adv - x;
  if (threat.norm == Norm::kL1) {
    const Tensor inside = l1_step(d, x - threat.lower, threat.upper - x, epsilon);
    return rounded_inwards(x + inside, x, inside).clamp(threat.lower, threat.upper);
  }
  const Tensor norms = per_sample_norm(d, Norm::kL2);
  // A zero perturbation has nothing to scale; the clamp keeps the division defined for it.
  const Tensor scale = (epsilon / norms.clamp_min(1e-300)).clamp_max(1.0).to(x.scalar_type());
  const Tensor inside = d * per_row(scale, d);
  return rounded_inwards(x + inside, x, inside).clamp(threat.lower, threat.upper);
}

Tensor distance(const Tensor& x_adv, const Tensor& x, Norm norm) {
  return per_sample_norm(x_adv.to(at::kDouble) - x.to(at::kDouble), norm);
}

}  // namespace v1
}  // namespace unmask
