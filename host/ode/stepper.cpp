#include "ode/stepper.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <torch/types.h>

#include "ode/contract.hpp"
#include "ode/counted_field.hpp"
#include "ode/norms.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

// The tensors of a request, in a fixed order; those that do not exist are left out.
std::vector<Tensor> pack(const AttemptRequest& request) {
  std::vector<Tensor> out;
  for (const Lanes* lanes : {&request.t0, &request.h, &request.t1}) {
    if (!lanes->is_constant()) out.push_back(lanes->tensor);
  }
  out.insert(out.end(), request.y.begin(), request.y.end());
  out.insert(out.end(), request.f.begin(), request.f.end());
  if (request.history != nullptr) {
    for (const State& f : request.history->derivatives) out.insert(out.end(), f.begin(), f.end());
  }
  return out;
}

// The request with other tensors; `history` takes those of its history.
AttemptRequest unpack(const AttemptRequest& like,
                      const std::vector<Tensor>& tensors,
                      History& history) {
  AttemptRequest out = like;
  std::size_t next = 0;
  for (Lanes* lanes : {&out.t0, &out.h, &out.t1}) {
    if (!lanes->is_constant()) lanes->tensor = tensors[next++];
  }
  for (Tensor& component : out.y) component = tensors[next++];
  for (Tensor& component : out.f) component = tensors[next++];
  for (State& f : history.derivatives) {
    for (Tensor& component : f) component = tensors[next++];
  }
  if (out.history != nullptr) out.history = &history;
  return out;
}

std::vector<Tensor> pack(const AttemptResult& result, bool with_ratio) {
  std::vector<Tensor> out = result.y1;
  out.insert(out.end(), result.f1.begin(), result.f1.end());
  out.insert(out.end(), result.middle.begin(), result.middle.end());
  if (!with_ratio) return out;
  if (result.ratio.is_constant()) {
    const Tensor values = to_tensor(result.ratio.value, out.front());
    out.push_back(result.ratio.is_per_sample ? values : values.squeeze(0));
  } else {
    out.push_back(result.ratio.tensor);
  }
  return out;
}

void unpack(const std::vector<Tensor>& tensors, bool with_ratio, AttemptResult& result) {
  std::size_t next = 0;
  for (State* state : {&result.y1, &result.f1, &result.middle}) {
    for (Tensor& component : *state) component = tensors[next++];
  }
  if (with_ratio && tensors[next].requires_grad()) result.ratio.tensor = tensors[next];
}

StepOutput checked_step(Method& method,
                        VectorField& field,
                        const StepInput& input,
                        const AttemptRequest& request,
                        const MethodTraits& traits) {
  const Versions y_before(request.y);
  const Versions f_before(request.f);
  StepOutput step = method.step(field, input, request.y, request.f);
  if (!y_before.are_those_of(request.y) || !f_before.are_those_of(request.f)) {
    throw PluginError(
        "the solver's step changed the state or the derivative that it was given, in place");
  }
  if (step.failure.empty()) expect_step(step, request.y, traits, request.wants_error);
  return step;
}

AttemptResult attempt_now(const Equation& equation,
                          const DriverOptions& options,
                          const AttemptRequest& request,
                          Statistics& statistics) {
  const MethodTraits traits = equation.method->traits();
  CountedField field(*equation.field, statistics);
  StepInput input{to_scalar(request.t0, request.y.front()),
                  to_scalar(request.h, request.y.front()),
                  to_scalar(request.t1, request.y.front()),
                  options.is_adaptive && options.shift_end,
                  request.history};
  StepOutput step = checked_step(*equation.method, field, input, request, traits);
  AttemptResult out;
  out.failure = std::move(step.failure);
  out.is_unconverged = step.is_unconverged;
  out.history_kept = step.history_kept;
  const std::size_t lanes = request.h.size();
  const bool is_per_sample = request.h.is_per_sample;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  out.ratio = {std::vector<double>(lanes, nan), Tensor(), is_per_sample};
  if (!out.failure.empty()) return out;
  if (request.wants_middle && traits.has_midpoint) {
    out.middle = equation.method->midpoint(input, request.y, step);
    expect_like(out.middle, request.y, "the solver's midpoint returned");
  }
  if (request.wants_error) {
    const NormOptions norm{
        options.rtol, options.atol, options.norm, is_per_sample, options.norm_components};
    out.ratio = largest(
        component_norms(
            {{&step.error, &request.y, &step.y1}}, norm, request.differentiates_error, statistics)
            .front());
  }
  const auto is_finite = [](double ratio) { return std::isfinite(ratio); };
  const auto& ratios = out.ratio.value;
  if (request.wants_error && !std::all_of(ratios.begin(), ratios.end(), is_finite)) {
    out.stages_finite.assign(lanes, true);
    for (const State& stage : step.stages) {
      const std::vector<bool> finite = finite_lanes(stage, is_per_sample, statistics);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        out.stages_finite[lane] = out.stages_finite[lane] && finite[lane];
      }
    }
  }
  out.y1 = std::move(step.y1);
  if (traits.is_fsal) {
    out.f1 = std::move(step.f1);
  } else if (options.is_adaptive && options.stale_fsal && !step.stages.empty()) {
    out.f1 = step.stages.back();
  }
  return out;
}

}  // namespace

Stepper::Stepper(Equation equation,
                 const DriverOptions& options,
                 Statistics& forward,
                 std::shared_ptr<Statistics> backward)
    : equation_(std::move(equation)),
      traits_(equation_.method->traits()),
      options_(options),
      forward_(forward),
      backward_(std::move(backward)) {}

bool Stepper::is_checkpointing() const {
  return options_.gradient == GradientMode::kCheckpoint && at::GradMode::is_enabled();
}

State Stepper::evaluate(const Lanes& t, const State& y) {
  CountedField field(*equation_.field, forward_);
  Scalar time = to_scalar(t, y.front());
  if (equation_.field->is_autonomous()) time.tensor = Tensor();
  if (!is_checkpointing()) return field.evaluate(time, y);

  State value;
  if (captures_ == nullptr) {
    FieldProbe probe = probe_field(field, time, y);
    captures_ = std::make_shared<Captures>(std::move(probe.captures));
    value = std::move(probe.value);
  } else {
    const at::NoGradGuard no_grad;
    value = field.evaluate(time, y);
  }
  std::vector<Tensor> inputs = y;
  const bool has_time = time.tensor.defined();
  if (has_time) {
    inputs.push_back(time.tensor);
    time.tensor = Tensor();
  }
  attach(value,
         inputs,
         *captures_,
         recomputing(*captures_,
                     [equation = equation_, time, has_time, backward = backward_](
                         const std::vector<Tensor>& again) {
                       CountedField counted(*equation.field, *backward);
                       Scalar at = time;
                       State state = again;
                       if (has_time) {
                         at.tensor = state.back();
                         state.pop_back();
                       }
                       return counted.evaluate(at, state);
                     }));
  return value;
}

InitialStep Stepper::first_step(
    double t0, double direction, const State& y0, const State& f0, bool differentiable) {
  const int order = traits_.controller_order;
  if (!differentiable || !is_checkpointing()) {
    CountedField field(*equation_.field, forward_);
    return choose_initial_step(
        field, t0, direction, y0, f0, options_, order, differentiable, forward_);
  }
  InitialStep out;
  {
    const at::NoGradGuard no_grad;
    CountedField field(*equation_.field, forward_);
    out = choose_initial_step(field, t0, direction, y0, f0, options_, order, false, forward_);
  }
  std::vector<Tensor> inputs = y0;
  inputs.insert(inputs.end(), f0.begin(), f0.end());
  const Tensor values = to_tensor(out.h.value, y0.front());
  std::vector<Tensor> outputs = {out.h.is_per_sample ? values : values.squeeze(0)};
  attach(outputs,
         inputs,
         *captures_,
         recomputing(*captures_,
                     [equation = equation_,
                      options = options_,
                      backward = backward_,
                      t0,
                      direction,
                      order,
                      value = outputs.front()](const std::vector<Tensor>& again) {
                       const auto half = static_cast<std::ptrdiff_t>(again.size() / 2);
                       CountedField counted(*equation.field, *backward);
                       const InitialStep step =
                           choose_initial_step(counted,
                                               t0,
                                               direction,
                                               State(again.begin(), again.begin() + half),
                                               State(again.begin() + half, again.end()),
                                               options,
                                               order,
                                               true,
                                               *backward);
                       return std::vector<Tensor>{step.h.is_constant() ? value : step.h.tensor};
                     }));
  if (outputs.front().requires_grad()) out.h.tensor = outputs.front();
  return out;
}

AttemptResult Stepper::attempt(const AttemptRequest& request) {
  if (!is_checkpointing()) return attempt_now(equation_, options_, request, forward_);
  AttemptResult out;
  {
    const at::NoGradGuard no_grad;
    out = attempt_now(equation_, options_, request, forward_);
  }
  if (!out.failure.empty()) return out;
  const bool with_ratio = request.differentiates_error;
  std::vector<Tensor> outputs = pack(out, with_ratio);
  // The copy in the closure must not hold the graph of the tensors that attach() saves.
  AttemptRequest shape = request;
  for (State* state : {&shape.y, &shape.f}) {
    for (Tensor& component : *state) component = Tensor();
  }
  for (Lanes* lanes : {&shape.t0, &shape.h, &shape.t1}) {
    if (!lanes->is_constant()) lanes->tensor = lanes->tensor.detach();
  }
  History past = request.history == nullptr ? History{} : *request.history;
  for (State& f : past.derivatives) {
    for (Tensor& component : f) component = Tensor();
  }
  attach(
      outputs,
      pack(request),
      *captures_,
      recomputing(
          *captures_,
          [equation = equation_, options = options_, shape, past, with_ratio, backward = backward_](
              const std::vector<Tensor>& again) {
            History history = past;
            const AttemptRequest repeated = unpack(shape, again, history);
            return pack(attempt_now(equation, options, repeated, *backward), with_ratio);
          }));
  unpack(outputs, with_ratio, out);
  return out;
}

}  // namespace unmask::ode
