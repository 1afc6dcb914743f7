#pragma once
// Which attempts are accepted, and how long the next step is. With error ratio e_n of the attempt,
// those of the accepted steps before it, and controller order p:
//
//   accepted when e_n <= 1, or when h <= min_step whatever e_n says
//   i:        next h = h * min(max_growth, max(safety e_n^(-b1/p), floor)),
//             b1 = 1 unless given, floor = 1 if e_n < 1, else min_growth
//   pi, pid:  next h = h * clamp(safety e_n^(-b1/p) e_(n-1)^(-b2/p) e_(n-2)^(-b3/p),
//                                min_growth, max_growth)
//             after a rejection as i; ratios of steps that do not exist are 1
//   e_n = 0: the factor is max_growth;  e_n not finite: rejected, the factor is min_growth
//   always: min_step <= h <= max_step
//
// Error ratios below 1e-10 count as 1e-10 in pi and pid. [Gustafsson91], [Soderlind02].

#include <array>

#include "ode/lanes.hpp"
#include "ode/options.hpp"

namespace unmask::ode {

/// The controller of every lane of a solve. All step sizes here are magnitudes, without sign.
class Controller {
 public:
  /// @param order  p of the formula
  Controller(const DriverOptions& options, int order);

  /// False for constant and replayed steps: their error is not computed.
  bool needs_error() const {
    return options_.controller != ControllerKind::kConstant &&
           options_.controller != ControllerKind::kReplay;
  }

  bool accepts(double error_ratio, double h) const;

  /// True when the step after a rejection with this ratio is the shortest that is allowed, whatever
  /// the ratio is exactly.
  bool shrinks_most(double error_ratio) const;

  /// `h` between min_step and max_step; a bound that takes effect carries no gradient.
  Lanes limited(const Lanes& h) const;

  /// Sizes of the next attempts, differentiable in `h` and the error ratios where they are.
  /// Remembers the ratios of accepted attempts.
  Lanes next(const Lanes& h, const Lanes& error_ratio, const std::vector<bool>& accepted);

  /// Keep the lanes at the given positions.
  void select(const std::vector<std::int64_t>& index);

 private:
  // The factor of one lane and its derivatives by the three ratios.
  struct Factor {
    double value = 1;
    std::array<double, 3> partial{};
  };
  Factor factor(const std::array<double, 3>& ratios, bool accepted) const;
  Factor integral_factor(double ratio) const;

  DriverOptions options_;
  double inverse_order_;       ///< 1/p
  std::vector<Lanes> memory_;  // e_(n-1), e_(n-2) of pi and pid; empty before the first step
};

}  // namespace unmask::ode
