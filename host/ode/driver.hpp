#pragma once
// The integration driver: it owns the loop, so that every option works with every method. Its parts
// stand in files of their own: initial_step, controller, end_rule, gradient_rule, fixed_grid,
// norms, statistics.
//
// Adaptive solve, from t over steps of size h:
//   1. f(t0, y0); h = first_step or the rule of initial_step.hpp
//   2. attempt a step; e = || error / (atol + rtol max(|y|, |y1|)) ||; controller.hpp accepts or
//   rejects and
//      proposes the next h. A rejected attempt keeps y, f and t. One read from the device (e) per
//      attempt.
//   3. until the end time is passed (interpolate) or hit (clamp).
//   Evaluations of a method with first-same-as-last stages: 1 + (1 without first_step) + stages *
//   attempts.
// Fixed steps read nothing from the device; whether the result is finite is for the caller to
// check.

#include <string>
#include <vector>

#include "ode/options.hpp"
#include "ode/statistics.hpp"
#include "unmask/solver.hpp"

namespace unmask::ode {

struct SolveResult {
  SolveStatus status = SolveStatus::kOk;
  /// States at the requested times that were reached; the first is y0 itself.
  std::vector<State> outputs;
  /// End of the last accepted step, or the last requested time when status is kOk.
  double time_reached = 0;
  /// State at time_reached; with a failure status a partial result.
  State state;
  Statistics statistics;
};

/// Integrates dy/dt = field(t, y) from times.front() through all times.
/// @param y0     tensors of one floating dtype (float32 or float64) on one device, axis 0 the
/// common batch axis
/// @param times  at least two, finite, strictly increasing or strictly decreasing
/// @return       a status, not an exception, when the solve does not reach the last time
/// @throws NumericError for inputs that no solve can start from (empty batch, integer state, mixed
/// devices or
///               dtypes, equal times) and for a field that returns other shapes; ParamError for
///               options that the method cannot do
SolveResult solve(Method& method,
                  const DriverOptions& options,
                  VectorField& field,
                  const State& y0,
                  const std::vector<double>& times);

}  // namespace unmask::ode
