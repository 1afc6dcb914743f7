#pragma once
// How probes compare gradients, sample by sample. All in float64: the squares of a saturated
// float32 gradient would vanish.

#include <limits>

#include <torch/types.h>

#include "unmask/kit/attack/directions.hpp"
#include "unmask/tensor.hpp"

namespace unmask::kit {

inline constexpr double kNotDefined = std::numeric_limits<double>::quiet_NaN();

/// [B, ...] -> float64 [B, D].
inline Tensor rows_of_numbers(const Tensor& values) {
  return values.detach().flatten(1).to(at::kDouble);
}

/// The l2 norm of each row of float64 [B, D], also where its squares underflow.
inline Tensor row_lengths(const Tensor& rows) {
  const Tensor largest = rows.abs().amax(1, /*keepdim=*/true);
  const Tensor scaled = at::where(largest > 0, rows / largest, rows);
  return largest.squeeze(1) * scaled.norm(2, 1);
}

/// 1 where an entry of the row differs from zero (NaN does), else 0; bool [B].
inline Tensor has_entries(const Tensor& rows) {
  return rows.ne(0).any(1);
}

/// `values` [B] with NaN where a row of `a` or `b` holds a number that is not finite.
inline Tensor where_finite(const Tensor& values, const Tensor& a, const Tensor& b) {
  const Tensor finite = a.isfinite().all(1).logical_and(b.isfinite().all(1));
  return values.masked_fill(finite.logical_not(), kNotDefined);
}

/// Cosine of the angle between rows of float64 [B, D]: [B]. 0 where exactly one of the two rows is
/// zero - it tells nothing of the other -, NaN where both are or a number is not finite.
inline Tensor cosines(const Tensor& a, const Tensor& b) {
  const Tensor cosine =
      (ascent_direction(a, Norm::kL2) * ascent_direction(b, Norm::kL2)).sum(1).clamp(-1, 1);
  const Tensor none = has_entries(a).logical_or(has_entries(b)).logical_not();
  return where_finite(cosine.masked_fill(none, kNotDefined), a, b);
}

/// Share of the entries with the same sign, among those where at least one of the two differs from
/// zero: [B]. NaN where all are zero or one is not finite.
inline Tensor sign_agreements(const Tensor& a, const Tensor& b) {
  const Tensor counted = a.ne(0).logical_or(b.ne(0));
  const Tensor same = a.sign().eq(b.sign()).logical_and(counted);
  const Tensor share = same.sum(1).to(at::kDouble) / counted.sum(1).to(at::kDouble);
  return where_finite(share, a, b);
}

/// ||a|| / ||b|| of the rows: [B]. Infinite where only b is zero, NaN where both are.
inline Tensor length_ratios(const Tensor& a, const Tensor& b) {
  return where_finite(row_lengths(a) / row_lengths(b), a, b);
}

/// bool [B] as the numbers 0 and 1.
inline Tensor as_numbers(const Tensor& flags) {
  return flags.to(at::kDouble);
}

}  // namespace unmask::kit
