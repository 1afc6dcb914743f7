#pragma once
// The error norm of one lane: over all elements of a component that belong to the lane (the batch
// included when the lane is the whole batch),
//
//   rms   root mean square
//   max   largest magnitude
//
// For a state of several tensors: the largest of their norms, so that a small component is not
// diluted by a large one.

#include <vector>

#include "ode/lanes.hpp"
#include "ode/options.hpp"
#include "ode/statistics.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

/// || x / (atol + rtol max(|a|, |b|)) ||; `b` may be null: then the scale is atol + rtol |a|.
struct ScaledNorm {
  const State* x = nullptr;
  const State* a = nullptr;
  const State* b = nullptr;
};

struct NormOptions {
  double rtol = 0;
  double atol = 0;
  ErrorNorm norm = ErrorNorm::kRms;
  bool is_per_sample = false;
  std::size_t components = 0;  ///< leading components that count; 0: all
};

/// Values of several norms, component by component, with one read from the device.
/// @param differentiable  attach them to the graph (where an operand is attached); else no graph is
///                        made
std::vector<std::vector<Lanes>> component_norms(const std::vector<ScaledNorm>& norms,
                                                const NormOptions& options,
                                                bool differentiable,
                                                Statistics& statistics);

/// Lane by lane the largest component, NaN when one is; carries the gradient of that component.
Lanes largest(const std::vector<Lanes>& components);

/// Lane by lane: is every element of every component finite? One read from the device.
std::vector<bool> finite_lanes(const State& state, bool is_per_sample, Statistics& statistics);

}  // namespace unmask::ode
