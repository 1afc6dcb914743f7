#pragma once
// The loop over a fixed grid: no error, no decisions, nothing read from the device, except by
// implicit methods, which may fail. Whether the result is finite is for the caller to check.
// Multistep methods see f at the starts of earlier steps.

#include "ode/driver.hpp"
#include "ode/stepper.hpp"

namespace unmask::ode {

/// @param f0          f(times.front(), y0) when it is known, else empty
/// @param keep_dense  keep all steps for interpolation
SolveResult solve_fixed(Stepper& stepper,
                        const State& y0,
                        const State& f0,
                        const std::vector<double>& times,
                        bool keep_dense);

}  // namespace unmask::ode
