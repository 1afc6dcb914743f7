#pragma once
// The integration driver: it owns the loop, so that every option works with every method. Its parts
// stand in files of their own: adaptive_solve (the loop over lanes), fixed_solve, stepper (what a
// loop asks of method and field), initial_step, controller, end_rule, gradient_rule, adjoint,
// recompute, schedule, fixed_grid, norms, lanes, statistics. Formulas and options: docs/solvers.md.

#include <memory>
#include <string>
#include <vector>

#include "ode/end_rule.hpp"
#include "ode/options.hpp"
#include "ode/schedule.hpp"
#include "ode/statistics.hpp"
#include "unmask/solver.hpp"

namespace unmask::ode {

struct SolveResult {
  /// Of the whole solve; under control: sample the worst of `sample_status`.
  SolveStatus status = SolveStatus::kOk;
  std::vector<SolveStatus> sample_status;  ///< control: sample only
  std::string failure;                     ///< what the method said when status is kStepFailed
  /// States at the requested times that were reached (by all samples); the first is y0 itself.
  std::vector<State> outputs;
  /// End of the last accepted step, or the last requested time when status is kOk; under control:
  /// sample the earliest of a failed sample.
  double time_reached = 0;
  /// State at time_reached (of every sample at its own); with a failure status a partial result.
  State state;
  Statistics statistics;
  /// Evaluations and steps of the backward pass: filled while it runs, by every gradient mode that
  /// evaluates the field there. Never null.
  std::shared_ptr<Statistics> backward;
  /// The accepted steps of an adaptive solve.
  Schedule schedule;
  /// All accepted steps, where the gradient asks for them.
  std::vector<DenseStep> dense;
};

/// Integrates dy/dt = field(t, y) from times.front() through all times. Method and field are kept
/// alive by the graph of the result where the gradient mode evaluates them in the backward pass.
/// @param y0     tensors of one floating dtype (float32 or float64) on one device, axis 0 the
///               common batch axis
/// @param times  at least two, finite, strictly increasing or strictly decreasing
/// @return       a status, not an exception, when the solve does not reach the last time
/// @throws NumericError for inputs that no solve can start from (empty batch, integer state, mixed
///               devices or dtypes, equal times) and for a field that returns other shapes;
///               ParamError for options that the method cannot do
SolveResult solve(const std::shared_ptr<Method>& method,
                  const DriverOptions& options,
                  const std::shared_ptr<VectorField>& field,
                  const State& y0,
                  const std::vector<double>& times);

/// The same with a method and a field that the caller keeps alive until the last backward pass
/// through the result.
SolveResult solve(Method& method,
                  const DriverOptions& options,
                  VectorField& field,
                  const State& y0,
                  const std::vector<double>& times);

}  // namespace unmask::ode
