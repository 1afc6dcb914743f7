#include "ode/options.hpp"

#include <algorithm>
#include <cmath>
#include <string>

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

// A choice that has one value today; another one would be a table this driver does not know.
void expect_choice(const Params& params, const char* name, std::string_view only) {
  const std::string& value = params.get_text(name);
  if (value != only) {
    refuse(name, "\"" + value + "\"", "the driver knows only \"" + std::string(only) + "\"");
  }
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

void check_adaptive(const DriverOptions& o, const MethodTraits& traits) {
  const auto positive = [](const char* name, double value) {
    if (!(value > 0) || !std::isfinite(value)) {
      refuse(name, number(value), "must be finite and greater than 0");
    }
  };
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
  if (o.end == EndRule::kInterpolate && !traits.has_midpoint) {
    refuse("end", "\"interpolate\"", "this method has no dense output; use \"clamp\"");
  }
}

}  // namespace

void check_options(const DriverOptions& options, const MethodTraits& traits) {
  if (!options.is_adaptive) {
    if (options.step_size && (!(*options.step_size > 0) || !std::isfinite(*options.step_size))) {
      refuse("step_size", number(*options.step_size), "must be finite and greater than 0");
    }
    return;
  }
  if (!traits.is_adaptive || traits.controller_order < 1) {
    throw ParamError(
        "solver: adaptive options need a method that estimates its error; this one takes "
        "step_size");
  }
  check_adaptive(options, traits);
}

DriverOptions DriverOptions::from(const Params& params, const MethodTraits& traits) {
  // The table follows the plugin's capability "adaptive", the traits its code: they must agree.
  if (declares(params, "rtol") != traits.is_adaptive) {
    throw ParamError(
        traits.is_adaptive
            ? "solver: the method estimates its error, but the plugin lacks the capability "
              "\"adaptive\", so it got the options of fixed steps"
            : "solver: the plugin claims the capability \"adaptive\", but the method gives "
              "no error estimate");
  }
  DriverOptions o;
  o.is_adaptive = traits.is_adaptive;
  expect_choice(params, "gradient", "direct");
  if (!o.is_adaptive) {
    if (params.has("step_size")) o.step_size = params.get_real("step_size");
    check_options(o, traits);
    return o;
  }
  expect_choice(params, "norm", "rms");
  expect_choice(params, "control", "batch");
  o.rtol = params.get_real("rtol");
  o.atol = params.get_real("atol");
  o.controller = read_choice<ControllerKind>(
      params,
      "controller",
      {{"i", ControllerKind::kIntegral}, {"constant", ControllerKind::kConstant}});
  o.end = read_choice<EndRule>(
      params, "end", {{"interpolate", EndRule::kInterpolate}, {"clamp", EndRule::kClamp}});
  o.step_gradient = read_choice<StepGradient>(params,
                                              "step_gradient",
                                              {{"full", StepGradient::kFull},
                                               {"first_only", StepGradient::kFirstOnly},
                                               {"none", StepGradient::kNone}});
  if (params.has("first_step")) o.first_step = params.get_real("first_step");
  o.min_step = params.get_real("min_step");
  if (params.has("max_step")) o.max_step = params.get_real("max_step");
  o.max_attempts = params.get_integer("max_attempts");
  o.safety = params.get_real("safety");
  o.max_growth = params.get_real("max_growth");
  o.min_growth = params.get_real("min_growth");
  check_options(o, traits);
  return o;
}

}  // namespace unmask::ode
