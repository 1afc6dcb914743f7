#pragma once
// Directions in the norms of balls: of steepest ascent, random ones, and their lengths.

#include <cmath>
#include <cstdint>

#include <torch/types.h>

#include "unmask/attack.hpp"
#include "unmask/errors.hpp"

namespace unmask::kit {

/// [B] -> [B, 1, 1, ...], so that it multiplies the rows of `like`.
inline Tensor per_row(Tensor values, const Tensor& like) {
  while (values.dim() < like.dim()) values = values.unsqueeze(-1);
  return values;
}

/// `gradient` with zeros for the entries that are not finite: no information, no step.
inline Tensor finite_part(const Tensor& gradient) {
  return at::where(gradient.isfinite(), gradient, at::zeros_like(gradient));
}

/// The direction of steepest ascent: sign(g) for linf, g / ||g||_2 per sample for l2. A sample
/// whose gradient is zero gets zero, and so does every entry that is not finite.
inline Tensor ascent_direction(const Tensor& gradient, Norm norm) {
  const Tensor g = finite_part(gradient);
  if (norm == Norm::kLinf) return g.sign();
  // Scaled by the largest entry first: the square of a saturated gradient (1e-30) would be zero.
  const Tensor largest = per_row(g.flatten(1).abs().amax(1), g);
  const Tensor scaled = at::where(largest > 0, g / largest, g);
  const Tensor length = per_row(scaled.flatten(1).norm(2, 1), g);
  return at::where(length > 0, scaled / length, scaled);
}

/// Ascent direction of length 1 in l1: the signs of the `count` (double [B], at least 1) largest
/// entries of the gradient, divided by their number. With one entry it is the steepest; with more
/// it moves many pixels at once and depends less on a single one. [Tramer19]
inline Tensor sparse_direction(const Tensor& gradient, const Tensor& count) {
  const Tensor g = finite_part(gradient).flatten(1);
  const Tensor size = g.abs();
  const Tensor sorted = std::get<0>(size.sort(1, /*descending=*/true));
  const Tensor index =
      (count.clamp(1, static_cast<double>(g.size(1))).to(at::kLong) - 1).unsqueeze(1);
  const Tensor chosen = size.ge(sorted.gather(1, index)).logical_and(size > 0).to(g.scalar_type());
  const Tensor number = chosen.sum(1, /*keepdim=*/true).clamp_min(1);
  return (g.sign() * chosen / number).view_as(gradient);
}

/// `gradient` without the entries whose pixels stand at a border of the box and would be pushed
/// through it.
inline Tensor movable_part(const Tensor& gradient, const Tensor& point, const Threat& threat) {
  const Tensor stuck = gradient.lt(0)
                           .logical_and(point.le(threat.lower))
                           .logical_or(gradient.gt(0).logical_and(point.ge(threat.upper)));
  return at::where(stuck, at::zeros_like(gradient), gradient);
}

/// A uniformly distributed step in the ball around zero, shape of x.
inline Tensor uniform_in_ball(const Tensor& x,
                              const Tensor& rows,
                              const Threat& threat,
                              SampleRandom& random) {
  if (threat.norm == Norm::kLinf) {
    return random.uniform(x, -threat.epsilon, threat.epsilon, rows);
  }
  const Tensor flat = x.flatten(1);
  if (threat.norm == Norm::kL1) {
    // D + 1 exponential numbers divided by their sum are uniform on a simplex; without the last one
    // they are uniform in the corner below it. Signs carry the corner to all others.
    const Tensor one = flat.narrow(1, 0, 1);
    const Tensor spread = -random.uniform(flat, 0.0, 1.0, rows).neg().log1p();
    const Tensor last = -random.uniform(one, 0.0, 1.0, rows).neg().log1p();
    const Tensor total = spread.sum(1, /*keepdim=*/true) + last;
    const Tensor step = spread / total.clamp_min(1e-30) * random.signs(flat, rows);
    return step.view_as(x) * threat.epsilon;
  }
  // A uniform direction, and a radius whose D-th power is uniform.
  const Tensor direction = ascent_direction(random.normal(x, rows), Norm::kL2);
  const Tensor radius = random.uniform(flat.narrow(1, 0, 1), 0.0, 1.0, rows)
                            .pow(1.0 / static_cast<double>(flat.size(1)));
  return direction * per_row(radius.squeeze(1), x) * threat.epsilon;
}

/// A random direction of length 1 in the norm: uniform numbers divided by the largest for linf,
/// normal numbers divided by their norm otherwise.
inline Tensor random_direction(const Tensor& x,
                               const Tensor& rows,
                               Norm norm,
                               SampleRandom& random) {
  const Tensor drawn =
      norm == Norm::kLinf ? random.uniform(x, -1.0, 1.0, rows) : random.normal(x, rows);
  const Tensor length = distance(drawn, at::zeros_like(drawn), norm).clamp_min(1e-30);
  return drawn / per_row(length.to(drawn.scalar_type()), drawn);
}

/// The dual norm per row, float64: what one unit of length in `norm` can gain along `gradient`.
inline Tensor dual_norm(const Tensor& gradient, Norm norm) {
  const Tensor zero = at::zeros_like(gradient);
  if (norm == Norm::kL2) return distance(gradient, zero, Norm::kL2);
  return distance(gradient, zero, norm == Norm::kLinf ? Norm::kL1 : Norm::kLinf);
}

/// Nearest point to `step` whose l1 norm is at most `radius` (float64 [B], may be infinite): all
/// entries are lowered by the same amount, none below zero.
inline Tensor soft_threshold_to(const Tensor& step, const Tensor& radius) {
  const Tensor size = step.flatten(1).to(at::kDouble).abs();
  const Tensor sorted = std::get<0>(size.sort(1, /*descending=*/true));
  const Tensor count = at::arange(1, size.size(1) + 1, sorted.options()).unsqueeze(0);
  // With k entries left the amount would be (sum of the k largest - radius) / k; the right k is the
  // largest one that leaves its entries above zero.
  const Tensor amounts = (sorted.cumsum(1) - radius.unsqueeze(1)) / count;
  const Tensor left = sorted.gt(amounts).to(at::kLong).sum(1, /*keepdim=*/true).clamp_min(1);
  const Tensor amount = amounts.gather(1, left - 1).clamp_min(0);
  const Tensor result = (size - amount).clamp_min(0).view_as(step).to(step.scalar_type());
  return result * step.sign();
}

}  // namespace unmask::kit
