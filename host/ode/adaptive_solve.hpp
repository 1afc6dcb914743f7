#pragma once
// The loop over adaptive, constant and replayed steps, for lanes (see lanes.hpp):
//
//   1. f(t0, y0); h = first_step or the rule of initial_step.hpp
//   2. attempt a step; e = || error / (atol + rtol max(|y|, |y1|)) ||; controller.hpp accepts or
//      rejects and proposes the next h. A rejected attempt keeps y, f and t. One read from the
//      device (e) per attempt; none for constant and replayed steps.
//   3. until the end time is passed (interpolate) or hit (clamp).
//
// Under control: sample every sample does this for itself, in one batch with the others: an attempt
// is a step of all running samples, each of its own size. Samples that have arrived wait with h = 0
// until an eighth of the batch has; then the rest goes on without them.

#include "ode/driver.hpp"
#include "ode/stepper.hpp"

namespace unmask::ode {

/// @param f0          f(times.front(), y0) when it is known, else empty
/// @param keep_dense  keep all accepted steps for interpolation; control: batch only
SolveResult solve_adaptive(Stepper& stepper,
                           const State& y0,
                           const State& f0,
                           const std::vector<double>& times,
                           bool keep_dense);

}  // namespace unmask::ode
