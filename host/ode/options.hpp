#pragma once
// Options of the integration driver: the same for every method. Their names, defaults and ranges
// are declared in catalog/host_options.cpp; here they become a struct and are checked against the
// method and each other. Formulas: docs/solvers.md.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "unmask/params.hpp"
#include "unmask/solver.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

struct Schedule;

/// What has a step size of its own.
enum class Control {
  kBatch,   ///< the whole batch: samples influence each other
  kSample,  ///< every sample: its result does not depend on its batch-mates
};

enum class ControllerKind {
  kIntegral,              ///< next h from the error of this step alone
  kProportionalIntegral,  ///< and of the accepted step before it
  kPid,                   ///< and of the one before that
  kConstant,              ///< every step is first_step and accepted
  kReplay,                ///< steps of a recorded schedule, accepted whatever their error
};

enum class ErrorNorm {
  kRms,  ///< root mean square over the elements of a component
  kMax,  ///< largest magnitude
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

/// Where a gradient comes from.
enum class GradientMode {
  kDirect,        ///< back-propagation through the solver's own operations
  kCheckpoint,    ///< the same numbers; every step is computed again in the backward pass
  kAdjoint,       ///< the continuous adjoint equation, solved backwards together with the state
  kInterpolated,  ///< the continuous adjoint along the interpolated forward solution
  kReplay,        ///< the accepted steps, computed again as a fixed grid and back-propagated
};

struct DriverOptions {
  bool is_adaptive = false;

  // Adaptive steps.
  double rtol = 1e-3;
  double atol = 1e-3;
  ErrorNorm norm = ErrorNorm::kRms;
  Control control = Control::kBatch;
  ControllerKind controller = ControllerKind::kIntegral;
  std::vector<double> exponents = {1};  ///< of the error ratios of the last one, two, three steps
  int controller_order = 0;             ///< p of the controller; 0: the method's own
  EndRule end = EndRule::kInterpolate;
  StepGradient step_gradient = StepGradient::kFirstOnly;
  bool stale_fsal = true;  ///< start a step with the last stage even where it is not f there
  std::optional<double> first_step;  ///< nullopt: chosen by the rule of initial_step.hpp
  std::vector<double> step_ends;     ///< times at which a step must end
  double min_step = 0;
  double max_step = std::numeric_limits<double>::infinity();
  std::int64_t max_attempts = 10000;  ///< of one solve; of one sample under control: sample
  double safety = 0.9;
  double max_growth = 10;
  double min_growth = 0.2;
  bool shift_end = true;  ///< see StepInput::shift_end
  /// torchdiffeq 0.0.1: the ratio of norms in initial_step.hpp, and 1/p of the controller in
  /// float32.
  bool legacy_arithmetic = false;
  std::shared_ptr<const Schedule> schedule;  ///< controller kReplay: the steps

  // Fixed steps.
  std::optional<double> step_size;  ///< nullopt: one step per interval between requested times

  // Both.
  GradientMode gradient = GradientMode::kDirect;
  bool seminorm = false;               ///< adjoint: parameters do not take part in the error norm
  std::optional<double> adjoint_rtol;  ///< nullopt: rtol
  std::optional<double> adjoint_atol;  ///< nullopt: atol
  std::optional<double> time_limit;    ///< seconds of one solve; nullopt: none
  Bpda bpda = Bpda::kNone;             ///< derivative of a model's parts that have no useful one

  std::size_t norm_components = 0;  ///< leading components in the error norm; 0: all
  std::size_t log_limit = 512;      ///< attempts that the step log keeps

  /// Reads the declared table that fits the method: the adaptive one when it estimates its error,
  /// else the fixed one. Other parameters in `params` (the method's own) are left alone.
  /// @throws PluginError for traits that no method can have
  /// @throws ParamError naming the parameter when options contradict each other or the method
  static DriverOptions from(const Params& params, const MethodTraits& traits);

  /// True when one step size is chosen for the whole batch, so that samples influence each other.
  bool couples_batch() const {
    return is_adaptive && control == Control::kBatch && controller != ControllerKind::kConstant;
  }
};

/// @throws ParamError naming the option when `options` contradict each other or the method
void check_options(const DriverOptions& options, const MethodTraits& traits);

}  // namespace unmask::ode
