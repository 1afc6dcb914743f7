#pragma once
// Options of the integration driver: the same for every method. Their names, defaults and ranges
// are declared in manifest/host_options.cpp; here they become a struct and are checked against the
// method and each other.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "unmask/params.hpp"
#include "unmask/solver.hpp"

namespace unmask::ode {

enum class ControllerKind {
  kIntegral,  ///< next h from the error of this step alone
  kConstant,  ///< every step is first_step and accepted
};

enum class EndRule {
  kInterpolate,  ///< step past an output time and read a quartic there
  kClamp,        ///< shorten the step so that it ends at the output time
};

/// What of the step sizes carries a gradient.
enum class StepGradient {
  kFull,  ///< the choice of the first step and every later update: the derivative of the computed
          ///< map
  kFirstOnly,  ///< the choice of the first step, as torchdiffeq 0.2 does
  kNone,       ///< nothing: the derivative of the map with its steps frozen
};

struct DriverOptions {
  bool is_adaptive = false;

  // Adaptive steps.
  double rtol = 1e-3;
  double atol = 1e-3;
  ControllerKind controller = ControllerKind::kIntegral;
  EndRule end = EndRule::kInterpolate;
  StepGradient step_gradient = StepGradient::kFirstOnly;
  std::optional<double> first_step;  ///< nullopt: chosen by the rule of initial_step.hpp
  double min_step = 0;
  double max_step = std::numeric_limits<double>::infinity();
  std::int64_t max_attempts = 10000;  ///< of one solve
  double safety = 0.9;
  double max_growth = 10;
  double min_growth = 0.2;

  // Fixed steps.
  std::optional<double> step_size;  ///< nullopt: one step per interval between requested times

  std::size_t log_limit = 512;  ///< attempts that the step log keeps

  /// Reads the declared table that fits the method: the adaptive one when it estimates its error,
  /// else the fixed one. Other parameters in `params` (the method's own) are left alone.
  /// @throws ParamError naming the parameter when options contradict each other or the method
  static DriverOptions from(const Params& params, const MethodTraits& traits);
};

/// @throws ParamError naming the option when `options` contradict each other or the method
void check_options(const DriverOptions& options, const MethodTraits& traits);

}  // namespace unmask::ode
