#pragma once
// The error norm. For a tensor: root mean square over all elements, the batch included. For a state
// of several tensors: the largest of their norms, so that a small component is not diluted by a
// large one.

#include <vector>

#include "ode/statistics.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

/// || x / (atol + rtol max(|a|, |b|)) ||; `b` may be null: then the scale is atol + rtol |a|.
struct ScaledNorm {
  const State* x = nullptr;
  const State* a = nullptr;
  const State* b = nullptr;
};

/// Values of several norms with one read from the device.
/// @param differentiable  attach them to the graph (where an operand is attached); else no graph is
/// made
std::vector<Scalar> scaled_norms(const std::vector<ScaledNorm>& norms,
                                 double rtol,
                                 double atol,
                                 bool differentiable,
                                 Statistics& statistics);

/// True when every element of every component is finite. One read from the device.
bool all_finite(const State& state, Statistics& statistics);

}  // namespace unmask::ode
