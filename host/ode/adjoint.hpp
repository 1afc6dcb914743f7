#pragma once
// The continuous adjoint: with a(t) = dL/dy(t) and the field's parameters p,
//
//   da/dt = -a^T df/dy        dL/dp = integral of a^T df/dp from t0 to t1
//
// solved from t1 back to t0 by the method and options of the forward solve. gradient: adjoint
// solves y backwards with it; gradient: interpolated takes y from the forward solution instead.
// Both are gradients of the equation, not of the computed map. [Chen18]
//
// gradient: adjoint of a field that depends on time also integrates a^T df/dt, which nobody asks
// for but which takes part in the error norm, as in torchdiffeq.

#include <memory>
#include <vector>

#include "ode/driver.hpp"
#include "ode/recompute.hpp"
#include "ode/stepper.hpp"

namespace unmask::ode {

/// Solves backwards.
/// @param forward   the forward solve, without a graph; its dense steps when gradient is
///                  interpolated
/// @param captures  what the field captures: their gradients are integrals along the way
/// @param times     of the forward solve
/// @return  the pullback of the outputs at times[1], times[2], ..., all components of one time
///          after another, to y0 and the captures
Pullback adjoint_pullback(Equation equation,
                          const DriverOptions& options,
                          const SolveResult& forward,
                          Captures captures,
                          std::vector<double> times,
                          std::shared_ptr<Statistics> backward);

}  // namespace unmask::ode
