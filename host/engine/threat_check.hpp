#pragma once
// What an attack hands over, held against what it was allowed.

#include "unmask/attack.hpp"

namespace unmask::engine {

/// "linf", "l2", "l1".
const char* name_of(Norm norm);

/// bool [B]: x_adv is finite, in the ball and in the box. The ball has the allowance of the host's
/// contract with attacks, epsilon (1 + 1e-6) + 1e-7, for rounding in float32; the box has none.
Tensor within_threat(const Tensor& x_adv, const Tensor& x, const Threat& threat);

/// Refuse a result that is not as its batch: another shape or dtype.
void expect_same_kind(const Tensor& candidate, const Tensor& batch);

}  // namespace unmask::engine
