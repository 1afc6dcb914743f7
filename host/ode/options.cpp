#include "ode/options.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/counted.hpp"
#include "ode/contract.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

bool declares(const Params& params, std::string_view name) {
  return std::any_of(params.specs().begin(), params.specs().end(), [&](const ParamSpec& spec) {
    return spec.name == name;
  });
}

[[noreturn]] void refuse(const std::string& name,
                         const std::string& value,
                         const std::string& reason) {
  throw ParamError("solver option \"" + name + "\" = " + value + ": " + reason);
}

template <class T>
struct Choice {
  const char* text;
  T value;
};

template <class T, std::size_t N>
T read_choice(const Params& params, const char* name, const Choice<T> (&choices)[N]) {
  const std::string& text = params.get_text(name);
  for (const Choice<T>& choice : choices) {
    if (text == choice.text) return choice.value;
  }
  refuse(name, "\"" + text + "\"", "not known to the driver");
}

std::string number(double value) {
  return to_text(ParamValue(value));
}

void expect_positive(const char* name, double value) {
  if (!(value > 0) || !std::isfinite(value)) {
    refuse(name, number(value), "must be finite and greater than 0");
  }
}

// How many error ratios the controller looks at; 0: it does not look at errors.
std::size_t ratios_of(ControllerKind kind) {
  switch (kind) {
    case ControllerKind::kIntegral: return 1;
    case ControllerKind::kProportionalIntegral: return 2;
    case ControllerKind::kPid: return 3;
    case ControllerKind::kConstant:
    case ControllerKind::kReplay: return 0;
  }
  return 0;
}

// [Soderlind02] for the form; the values are the defaults of ARKODE.
std::vector<double> default_exponents(ControllerKind kind) {
  if (kind == ControllerKind::kProportionalIntegral) return {0.8, -0.31};
  if (kind == ControllerKind::kPid) return {0.58, -0.21, 0.1};
  return {1};
}

void check_gradient(const DriverOptions& o) {
  if (o.adjoint_rtol) expect_positive("adjoint_rtol", *o.adjoint_rtol);
  if (o.adjoint_atol) expect_positive("adjoint_atol", *o.adjoint_atol);
  if (o.time_limit) expect_positive("time_limit", *o.time_limit);
  const bool is_adjoint =
      o.gradient == GradientMode::kAdjoint || o.gradient == GradientMode::kInterpolated;
  if (o.gradient == GradientMode::kReplay && !o.is_adaptive) {
    refuse("gradient", "\"replay\"", "fixed steps are a fixed grid already; use checkpoint");
  }
  if (is_adjoint && o.is_adaptive && o.controller == ControllerKind::kReplay) {
    refuse("gradient",
           "an adjoint",
           "its backward solve has no schedule to replay; use direct or checkpoint");
  }
  if (o.gradient == GradientMode::kInterpolated && o.is_adaptive && o.control == Control::kSample) {
    refuse("gradient",
           "\"interpolated\"",
           "needs one forward solution for all samples; use control: batch or gradient: adjoint");
  }
}

void check_adaptive(const DriverOptions& o, const MethodTraits& traits) {
  const auto positive = expect_positive;
  positive("rtol", o.rtol);
  positive("atol", o.atol);
  positive("safety", o.safety);
  if (o.first_step) positive("first_step", *o.first_step);
  if (!(o.max_step > 0)) refuse("max_step", number(o.max_step), "must be greater than 0");
  if (!(o.min_step >= 0)) refuse("min_step", number(o.min_step), "must be at least 0");
  if (!(o.max_growth > 1)) refuse("max_growth", number(o.max_growth), "must be greater than 1");
  if (!(o.min_growth > 0 && o.min_growth <= 1)) {
    refuse("min_growth", number(o.min_growth), "must lie in (0, 1]");
  }
  if (o.max_attempts < 1) {
    refuse("max_attempts", std::to_string(o.max_attempts), "must be at least 1");
  }
  if (o.min_step > o.max_step) {
    refuse("min_step", number(o.min_step), "is larger than max_step = " + number(o.max_step));
  }
  if (o.first_step && (*o.first_step < o.min_step || *o.first_step > o.max_step)) {
    refuse("first_step",
           number(*o.first_step),
           "lies outside of min_step = " + number(o.min_step) +
               " to max_step = " + number(o.max_step));
  }
  if (o.controller == ControllerKind::kConstant && !o.first_step) {
    refuse("controller", "\"constant\"", "needs first_step, the size of its steps");
  }
  if (o.controller == ControllerKind::kConstant && (o.min_step > 0 || std::isfinite(o.max_step))) {
    refuse("controller", "\"constant\"", "min_step and max_step have no effect; leave them out");
  }
  const std::size_t ratios = ratios_of(o.controller);
  if (ratios > 0 && o.exponents.size() != ratios) {
    refuse("exponents",
           to_text(ParamValue(o.exponents)),
           "this controller looks at " + base::counted(ratios, "error ratio"));
  }
  if (ratios > 0 && !(o.exponents.front() > 0)) {
    refuse("exponents",
           to_text(ParamValue(o.exponents)),
           "the first must be positive, so that a large error shortens the step");
  }
  if (o.controller_order < 0) {
    refuse("controller_order", std::to_string(o.controller_order), "must be at least 1");
  }
  if (ratios > 0 && (!traits.is_adaptive || traits.controller_order < 1)) {
    throw ParamError(
        "solver: adaptive options need a method that estimates its error; this one takes "
        "step_size");
  }
}

std::optional<double> optional_real(const Params& params, const char* name) {
  if (!params.has(name)) return std::nullopt;
  return params.get_real(name);
}

void apply_preset(DriverOptions& o, const std::string& preset, const MethodTraits& traits) {
  if (preset == "torchdiffeq-0.0.1") {
    o.step_gradient = StepGradient::kFull;
    o.shift_end = false;
    o.legacy_arithmetic = true;
    o.controller_order = traits.legacy_controller_order;
  } else if (preset == "clean") {
    o.control = Control::kSample;
    o.end = EndRule::kClamp;
    o.step_gradient = StepGradient::kNone;
    o.stale_fsal = false;
    o.shift_end = false;
  }
}

void read_adaptive(DriverOptions& o, const Params& params, const MethodTraits& traits) {
  apply_preset(o, params.get_text("preset"), traits);
  o.rtol = params.get_real("rtol");
  o.atol = params.get_real("atol");
  o.norm =
      read_choice<ErrorNorm>(params, "norm", {{"rms", ErrorNorm::kRms}, {"max", ErrorNorm::kMax}});
  if (params.has("control")) {
    o.control = read_choice<Control>(
        params, "control", {{"batch", Control::kBatch}, {"sample", Control::kSample}});
  }
  o.controller = read_choice<ControllerKind>(params,
                                             "controller",
                                             {{"i", ControllerKind::kIntegral},
                                              {"pi", ControllerKind::kProportionalIntegral},
                                              {"pid", ControllerKind::kPid},
                                              {"constant", ControllerKind::kConstant},
                                              {"replay", ControllerKind::kReplay}});
  o.exponents =
      params.has("exponents") ? params.get_reals("exponents") : default_exponents(o.controller);
  if (params.has("controller_order")) {
    o.controller_order = static_cast<int>(params.get_integer("controller_order"));
  }
  if (params.has("end")) {
    o.end = read_choice<EndRule>(
        params, "end", {{"interpolate", EndRule::kInterpolate}, {"clamp", EndRule::kClamp}});
  }
  if (params.has("step_gradient")) {
    o.step_gradient = read_choice<StepGradient>(params,
                                                "step_gradient",
                                                {{"full", StepGradient::kFull},
                                                 {"first_only", StepGradient::kFirstOnly},
                                                 {"none", StepGradient::kNone}});
  }
  if (params.has("stale_fsal")) o.stale_fsal = params.get_boolean("stale_fsal");
  o.adjoint_rtol = optional_real(params, "adjoint_rtol");
  o.adjoint_atol = optional_real(params, "adjoint_atol");
  o.first_step = optional_real(params, "first_step");
  if (params.has("step_ends")) o.step_ends = params.get_reals("step_ends");
  o.min_step = params.get_real("min_step");
  if (params.has("max_step")) o.max_step = params.get_real("max_step");
  o.max_attempts = params.get_integer("max_attempts");
  o.safety = params.get_real("safety");
  o.max_growth = params.get_real("max_growth");
  o.min_growth = params.get_real("min_growth");
}

}  // namespace

void check_options(const DriverOptions& options, const MethodTraits& traits) {
  check_gradient(options);
  if (!options.is_adaptive) {
    if (options.step_size) expect_positive("step_size", *options.step_size);
    return;
  }
  if (traits.history > 0) {
    throw ParamError("solver: a multistep method needs fixed steps; give it step_size");
  }
  check_adaptive(options, traits);
}

DriverOptions DriverOptions::from(const Params& params, const MethodTraits& traits) {
  expect_traits(traits);
  // The table follows the plugin's capability "adaptive", the traits its code: they must agree.
  if (declares(params, "preset") != traits.is_adaptive) {
    throw ParamError(
        traits.is_adaptive
            ? "solver: the method estimates its error, but the plugin lacks the capability "
              "\"adaptive\", so it got the options of fixed steps"
            : "solver: the plugin claims the capability \"adaptive\", but the method gives "
              "no error estimate");
  }
  DriverOptions o;
  o.is_adaptive = traits.is_adaptive;
  o.gradient = read_choice<GradientMode>(params,
                                         "gradient",
                                         {{"direct", GradientMode::kDirect},
                                          {"checkpoint", GradientMode::kCheckpoint},
                                          {"adjoint", GradientMode::kAdjoint},
                                          {"interpolated", GradientMode::kInterpolated},
                                          {"replay", GradientMode::kReplay}});
  o.seminorm = params.get_boolean("seminorm");
  o.time_limit = optional_real(params, "time_limit");
  if (params.has("bpda")) {
    o.bpda = read_choice<Bpda>(
        params, "bpda", {{"identity", Bpda::kIdentity}, {"smooth", Bpda::kSmooth}});
  }
  if (o.is_adaptive) {
    read_adaptive(o, params, traits);
  } else {
    o.step_size = optional_real(params, "step_size");
  }
  check_options(o, traits);
  return o;
}

}  // namespace unmask::ode
