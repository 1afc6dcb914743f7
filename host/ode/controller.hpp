#pragma once
// Which attempts are accepted, and how long the next step is.
//
// Integral control with error ratio e of the attempt and controller order p:
//   accepted when e <= 1, or when h <= min_step whatever e says
//   next h = h * min(max_growth, max(safety e^(-1/p), floor)),  floor = 1 if e < 1, else min_growth
//   e = 0: the factor is max_growth;  e not finite: the attempt is rejected and the factor is
//   min_growth
// before and after: min_step <= h <= max_step.

#include "ode/options.hpp"

namespace unmask::ode {

/// All step sizes here are magnitudes, without sign.
class Controller {
 public:
  /// @param order  p of the formula
  Controller(const DriverOptions& options, int order) : options_(options), order_(order) {}

  /// False for constant steps: their error is not computed.
  bool needs_error() const { return options_.controller != ControllerKind::kConstant; }

  bool accepts(double error_ratio, double h) const;

  /// `h` between min_step and max_step; a bound that takes effect carries no gradient.
  Scalar limited(const Scalar& h) const;

  /// Size of the next attempt, differentiable in `h` and `error_ratio` where they are.
  Scalar next(const Scalar& h, const Scalar& error_ratio) const;

 private:
  DriverOptions options_;
  int order_;
};

}  // namespace unmask::ode
