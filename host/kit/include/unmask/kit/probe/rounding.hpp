#pragma once
// What rounding leaves of the difference of two losses.

#include <cmath>
#include <limits>

#include <torch/types.h>

#include "unmask/tensor.hpp"

namespace unmask::kit {

/// Roundings to half a unit in the last place of the largest logit that a loss is taken to carry.
inline constexpr double kRoundingsOfALoss = 4;

/// By how much a difference must exceed what rounding makes of it to tell anything.
inline constexpr double kAboveRounding = 4;

/// The size of the difference of two losses that would be equal without rounding: 4 u sqrt(2)
/// max |z|, with the unit roundoff u of the logits' type. Float64 [B].
inline Tensor loss_rounding(const Tensor& logits) {
  const double unit = logits.scalar_type() == at::kDouble
                          ? std::numeric_limits<double>::epsilon() / 2
                          : std::numeric_limits<float>::epsilon() / 2.0;
  return kRoundingsOfALoss * unit * std::sqrt(2.0) * logits.to(at::kDouble).abs().amax(1);
}

}  // namespace unmask::kit
