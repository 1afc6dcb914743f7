#include "ode/driver.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>

#include <torch/types.h>

#include "ode/controller.hpp"
#include "ode/counted_field.hpp"
#include "ode/end_rule.hpp"
#include "ode/fixed_grid.hpp"
#include "ode/gradient_rule.hpp"
#include "ode/initial_step.hpp"
#include "ode/norms.hpp"
#include "ode/scalar.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check_state(const State& y0) {
  if (y0.empty()) throw NumericError("the initial state has no tensors");
  for (std::size_t i = 0; i < y0.size(); ++i) {
    const std::string component = "component " + std::to_string(i) + " of the initial state ";
    const Tensor& y = y0[i];
    if (!y.defined()) throw NumericError(component + "is undefined");
    std::ostringstream text;
    if (y.scalar_type() != at::kFloat && y.scalar_type() != at::kDouble) {
      text << component << "has dtype " << y.scalar_type() << "; a state is float32 or float64";
    } else if (y.dim() == 0 || y.numel() == 0) {
      text << component << "has shape " << y.sizes()
           << "; a state needs a batch axis and at least one element";
    } else if (y.device() != y0.front().device()) {
      text << component << "lies on " << y.device() << ", component 0 on " << y0.front().device()
           << "; all must lie on one device";
    } else if (y.scalar_type() != y0.front().scalar_type()) {
      text << component << "has dtype " << y.scalar_type() << ", component 0 has "
           << y0.front().scalar_type() << "; all must have one dtype";
    } else if (y.size(0) != y0.front().size(0)) {
      text << component << "has batch size " << y.size(0) << ", component 0 has "
           << y0.front().size(0) << "; axis 0 is the common batch axis";
    }
    if (!text.str().empty()) throw NumericError(text.str());
  }
}

void check_times(const std::vector<double>& times) {
  if (times.size() < 2) throw NumericError("a solve needs a start and an end time");
  const bool forwards = times[1] > times[0];
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool in_order = i == 0 || (forwards ? times[i] > times[i - 1] : times[i] < times[i - 1]);
    if (!std::isfinite(times[i]) || !in_order) {
      std::ostringstream text;
      text << "times must be finite and strictly increasing or strictly decreasing, but entry " << i
           << " is " << times[i];
      if (i > 0) text << " after " << times[i - 1];
      throw NumericError(text.str());
    }
  }
}

State linear_between(const State& a, const State& b, double position) {
  if (position == 0) return a;
  if (position == 1) return b;
  State out;
  for (std::size_t i = 0; i < a.size(); ++i) {
    out.push_back(combine({}, constant(1), {1 - position, position}, {a[i], b[i]}));
  }
  return out;
}

SolveResult solve_fixed(Method& method,
                        const DriverOptions& options,
                        VectorField& raw_field,
                        const State& y0,
                        const std::vector<double>& times) {
  SolveResult result;
  CountedField field(raw_field, result.statistics);
  const std::vector<double> grid = fixed_grid(times, options.step_size);
  const double direction = times.back() > times.front() ? 1 : -1;
  result.outputs.push_back(y0);
  State y = y0;
  State f;
  for (std::size_t i = 0; i + 1 < grid.size(); ++i) {
    const double t0 = grid[i];
    const double t1 = grid[i + 1];
    const StepInput input{constant(t0), constant(t1 - t0), constant(t1), /*shift_end=*/false};
    if (f.empty()) f = field.evaluate(input.t0, y);
    StepOutput step = method.step(field, input, y, f);
    result.statistics.record({t0, t1 - t0, kNaN, true}, options.log_limit);
    while (result.outputs.size() < times.size() &&
           direction * (t1 - times[result.outputs.size()]) >= 0) {
      const double t = times[result.outputs.size()];
      result.outputs.push_back(linear_between(y, step.y1, t == t1 ? 1 : (t - t0) / (t1 - t0)));
    }
    y = std::move(step.y1);
    f = std::move(step.f1);
  }
  result.time_reached = times.back();
  result.state = result.outputs.back();
  return result;
}

// One adaptive solve: the position, the next step size, and the step to interpolate in.
class AdaptiveSolve {
 public:
  AdaptiveSolve(Method& method,
                const DriverOptions& options,
                VectorField& field,
                const State& y0,
                const std::vector<double>& times)
      : method_(method),
        traits_(method.traits()),
        options_(options),
        field_(field, result_.statistics),
        controller_(options, traits_.controller_order),
        rule_(options.step_gradient, at::GradMode::is_enabled()),
        times_(times),
        direction_(times.back() > times.front() ? 1 : -1),
        t_(constant(times.front())),
        y_(y0) {}

  AdaptiveSolve(const AdaptiveSolve&) = delete;
  AdaptiveSolve& operator=(const AdaptiveSolve&) = delete;

  SolveResult run() {
    result_.outputs.push_back(y_);
    result_.status = start();
    while (result_.status == SolveStatus::kOk && result_.outputs.size() < times_.size()) {
      const double target = times_[result_.outputs.size()];
      if (direction_ * (target - t_.value) > 0) {
        result_.status = attempt(target);
      } else {
        result_.outputs.push_back(state_at(target));
      }
    }
    if (result_.status == SolveStatus::kOk) {
      result_.time_reached = times_.back();
      result_.state = result_.outputs.back();
    } else {
      result_.time_reached = t_.value;
      result_.state = y_;
    }
    return std::move(result_);
  }

 private:
  SolveStatus start() {
    f_ = field_.evaluate(t_, y_);
    if (options_.first_step) {
      h_ = constant(*options_.first_step);
      return SolveStatus::kOk;
    }
    InitialStep first = choose_initial_step(field_,
                                            t_.value,
                                            direction_,
                                            y_,
                                            f_,
                                            options_,
                                            traits_.controller_order,
                                            rule_.differentiates_first_step(),
                                            result_.statistics);
    h_ = std::move(first.h);
    return first.status;
  }

  // One attempted step towards `target`.
  SolveStatus attempt(double target) {
    if (result_.statistics.attempts >= options_.max_attempts) return SolveStatus::kMaxAttempts;
    // Methods whose last stage is not f at the end of the step get it when, and only if, it is
    // needed.
    if (f_.empty()) f_ = field_.evaluate(t_, y_);

    Scalar h = controller_.limited(h_);
    StepInput input;
    input.t0 = t_;
    input.shift_end = true;
    if (options_.end == EndRule::kClamp && reaches(t_.value, direction_ * h.value, target)) {
      input.t1 = constant(target);
      h = scaled(subtract(input.t1, t_), direction_);
    } else {
      input.t1 = add(t_, scaled(h, direction_));
    }
    input.h = scaled(h, direction_);
    if (input.t1.value == t_.value || !std::isfinite(input.t1.value))
      return SolveStatus::kStepUnderflow;

    StepOutput step = method_.step(field_, input, y_, f_);
    const Scalar error_ratio = ratio_of(step);
    const bool accepted = controller_.accepts(error_ratio.value, h.value);
    result_.statistics.record({t_.value, input.h.value, error_ratio.value, accepted},
                              options_.log_limit);
    if (!accepted && !std::isfinite(error_ratio.value)) {
      const SolveStatus status = reason_for_non_finite(step, h.value);
      if (status != SolveStatus::kOk) return status;
    }
    h_ = controller_.next(rule_.for_update(h), error_ratio);
    if (accepted) advance(input, std::move(step), direction_ * (target - input.t1.value) <= 0);
    return SolveStatus::kOk;
  }

  Scalar ratio_of(const StepOutput& step) {
    if (!controller_.needs_error()) return constant(kNaN);
    return scaled_norms({{&step.error, &y_, &step.y1}},
                        options_.rtol,
                        options_.atol,
                        rule_.differentiates_updates(),
                        result_.statistics)
        .front();
  }

  // kOk when a shorter step from here may still succeed.
  SolveStatus reason_for_non_finite(const StepOutput& step, double h) {
    if (!all_finite(y_, result_.statistics)) return SolveStatus::kNonFiniteState;
    if (!all_finite(f_, result_.statistics)) return SolveStatus::kNonFiniteField;
    if (h > options_.min_step) return SolveStatus::kOk;
    // The step may not become shorter: say what broke in it.
    for (const State& stage : step.stages) {
      if (!all_finite(stage, result_.statistics)) return SolveStatus::kNonFiniteField;
    }
    return SolveStatus::kNonFiniteState;
  }

  // The interpolant needs the step that passes an output time; every other one is let go at once.
  void advance(const StepInput& input, StepOutput step, bool passes_target) {
    if (options_.end == EndRule::kInterpolate && passes_target) {
      last_input_ = input;
      last_y0_ = std::move(y_);
      last_f0_ = std::move(f_);
      y_ = step.y1;
      f_ = step.f1;
      last_output_ = std::move(step);
    } else {
      y_ = std::move(step.y1);
      f_ = std::move(step.f1);
    }
    t_ = input.t1;
  }

  State state_at(double target) {
    if (options_.end == EndRule::kClamp) return y_;
    if (f_.empty()) f_ = field_.evaluate(t_, y_);
    const DenseStep dense{last_input_,
                          last_y0_,
                          last_f0_,
                          y_,
                          f_,
                          method_.midpoint(last_input_, last_y0_, last_output_)};
    return interpolate(dense, target);
  }

  Method& method_;
  MethodTraits traits_;
  const DriverOptions& options_;
  SolveResult result_;
  CountedField field_;
  Controller controller_;
  GradientRule rule_;
  const std::vector<double>& times_;
  double direction_;

  Scalar t_;
  Scalar h_;  // size of the next attempt, without sign
  State y_;
  State f_;  // f(t, y); empty until it is needed when the method does not give it

  // The accepted step that passed the latest output time, kept for the interpolant.
  StepInput last_input_;
  State last_y0_;
  State last_f0_;
  StepOutput last_output_;
};

}  // namespace

SolveResult solve(Method& method,
                  const DriverOptions& options,
                  VectorField& field,
                  const State& y0,
                  const std::vector<double>& times) {
  check_options(options, method.traits());
  check_state(y0);
  check_times(times);
  if (!options.is_adaptive) return solve_fixed(method, options, field, y0, times);
  return AdaptiveSolve(method, options, field, y0, times).run();
}

}  // namespace unmask::ode
