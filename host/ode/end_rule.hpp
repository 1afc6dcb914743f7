#pragma once
// How a solve gets the state at a requested time: by a step that ends there (clamp), or from the
// quartic over the step that passes it (interpolate). The quartic takes the values y0, y1 and
// derivatives f0, f1 of both ends and the value ym in the middle; with x = (t - ta) / (tb - ta) it
// is A x^4 + B x^3 + C x^2 + D x + y0,
//
//   A = 2h(f1 - f0) - 8(y0 + y1) + 16 ym        B = h(5 f0 - 3 f1) + 18 y0 + 14 y1 - 32 ym
//   C = h(f1 - 4 f0) - 11 y0 - 5 y1 + 16 ym     D = h f0
//
// A method without a value in the middle gets that of the cubic of Hermite,
// ym = (y0 + y1) / 2 + h (f0 - f1) / 8, and the quartic is that cubic.

#include "ode/lanes.hpp"
#include "unmask/solver.hpp"

namespace unmask::ode {

/// Accepted steps of some lanes, as far as the interpolant needs them.
struct DenseStep {
  Lanes t0;
  Lanes h;  ///< signed
  Lanes t1;
  State y0;
  State f0;
  State y1;
  State f1;
  State middle;  ///< empty: the cubic
};

/// States at one time per lane inside of the steps, differentiable in states, step sizes and step
/// ends.
State interpolate(const DenseStep& step, const std::vector<double>& times);

/// True when a step of signed size `h` from `t` reaches `target`, or stops short of it by less than
/// rounding errors of summed steps explain (1e-9 of the step).
bool reaches(double t, double h, double target);

}  // namespace unmask::ode
