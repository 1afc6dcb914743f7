#pragma once
// The size of the first step, by the rule of Hairer, Norsett and Wanner ([HNW93] II.4), as
// torchdiffeq has it:
//
//   scale = atol + rtol |y0|      d0 = ||y0 / scale||      d1 = ||f0 / scale||
//   h0 = 1e-6 if d0 < 1e-5 or d1 < 1e-5, else 0.01 d0 / d1
//   d2 = ||(f(t0 + h0, y0 + h0 f0) - f0) / scale|| / h0
//   h1 = max(1e-6, 1e-3 h0) if d1 and d2 are at most 1e-15, else (0.01 / max(d1, d2))^(1 / p)
//   h  = min(100 h0, h1)
//
// lane by lane. One evaluation of the field beyond f0, two reads from the device. torchdiffeq 0.0.1
// takes for d0 / d1 the largest ratio of a component, later versions the ratio of the largest
// norms; the option legacy_arithmetic asks for the former.

#include "ode/lanes.hpp"
#include "ode/options.hpp"
#include "ode/statistics.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

struct InitialStep {
  std::vector<SolveStatus> status;  ///< per lane: kOk, or why y0 and f0 allow no step
  Lanes h;                          ///< sizes, without sign
};

/// @param direction       +1 or -1
/// @param order           p of the formula
/// @param differentiable  attach h to the graph; else the probe is evaluated without one
InitialStep choose_initial_step(VectorField& field,
                                double t0,
                                double direction,
                                const State& y0,
                                const State& f0,
                                const DriverOptions& options,
                                int order,
                                bool differentiable,
                                Statistics& statistics);

}  // namespace unmask::ode
