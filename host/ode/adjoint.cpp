#include "ode/adjoint.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include <torch/csrc/autograd/function.h>
#include <torch/types.h>

#include "ode/adaptive_solve.hpp"
#include "ode/contract.hpp"
#include "ode/fixed_solve.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

State part(const State& state, std::size_t first, std::size_t count) {
  const auto begin = state.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

void append(State& to, const State& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// A gradient that flows nowhere is zero.
Tensor or_zeros(const Tensor& gradient, const Tensor& like) {
  return gradient.defined() ? gradient : at::zeros_like(like);
}

// The vector-Jacobian products of a field: f(t, y), and -a^T times its derivatives.
struct Products {
  State f;
  Tensor by_time;  ///< undefined unless asked for
  State by_state;
  State by_captures;
};

Products products(VectorField& field,
                  const Scalar& t,
                  const State& y,
                  const State& a,
                  const Captures& captures,
                  const State& capture_shapes,
                  bool with_time) {
  const at::AutoGradMode with_grad(true);
  std::vector<Tensor> leaves;
  for (const Tensor& component : y) leaves.push_back(component.detach().requires_grad_(true));
  Scalar time = t;
  if (with_time) {
    time.tensor = t.is_constant() ? at::full({}, t.value, y.front().options().dtype(at::kDouble))
                                  : t.tensor.detach();
    time.tensor = time.tensor.requires_grad_(true);
  }
  const State f = field.evaluate(time, State(leaves));
  std::vector<Tensor> weights;
  for (const Tensor& component : a) weights.push_back(component.detach().neg());
  if (with_time) leaves.push_back(time.tensor);
  const Pulled pulled = pull_back(f, weights, leaves, captures);
  Products out;
  if (with_time) out.by_time = or_zeros(pulled.inputs.back(), time.tensor);
  for (std::size_t i = 0; i < y.size(); ++i) {
    out.f.push_back(f[i].detach());
    out.by_state.push_back(or_zeros(pulled.inputs[i], y[i]));
  }
  for (std::size_t i = 0; i < capture_shapes.size(); ++i) {
    out.by_captures.push_back(or_zeros(pulled.captures[i], capture_shapes[i]));
  }
  return out;
}

// State: y, a, the integral of a^T df/dt where the field depends on time ([1, 1], or [B, 1] under
// control: sample), integrals of the captures.
class AugmentedField final : public VectorField {
 public:
  AugmentedField(std::shared_ptr<VectorField> field,
                 Captures captures,
                 State shapes,
                 bool has_time_integral)
      : field_(std::move(field)),
        captures_(std::move(captures)),
        shapes_(std::move(shapes)),
        has_time_integral_(has_time_integral) {}

  State evaluate(const Scalar& t, const State& state) override {
    const std::size_t n = (state.size() - shapes_.size()) / 2;
    const Products p = products(
        *field_, t, part(state, 0, n), part(state, n, n), captures_, shapes_, has_time_integral_);
    State out = p.f;
    append(out, p.by_state);
    if (has_time_integral_)
      out.push_back(p.by_time.to(state[2 * n].options()).view_as(state[2 * n]));
    append(out, p.by_captures);
    return out;
  }
  bool is_autonomous() const override { return field_->is_autonomous(); }

 private:
  std::shared_ptr<VectorField> field_;
  Captures captures_;
  State shapes_;
  bool has_time_integral_;
};

// State: a, integrals of the captures; y comes from the forward solution.
class InterpolatedField final : public VectorField {
 public:
  InterpolatedField(std::shared_ptr<VectorField> field,
                    Captures captures,
                    State shapes,
                    std::vector<DenseStep> steps)
      : field_(std::move(field)),
        captures_(std::move(captures)),
        shapes_(std::move(shapes)),
        steps_(std::move(steps)) {}

  State evaluate(const Scalar& t, const State& state) override {
    const State y = interpolate(step_at(t.value), {t.value});
    const Products p = products(
        *field_, t, y, part(state, 0, state.size() - shapes_.size()), captures_, shapes_, false);
    State out = p.by_state;
    append(out, p.by_captures);
    return out;
  }

 private:
  // The step that holds t; the first or the last one for times outside.
  const DenseStep& step_at(double t) const {
    const double direction = steps_.front().h.value.front() > 0 ? 1 : -1;
    const auto found = std::find_if(steps_.begin(), steps_.end(), [&](const DenseStep& step) {
      return direction * (t - step.t1.value.front()) <= 0;
    });
    return found == steps_.end() ? steps_.back() : *found;
  }

  std::shared_ptr<VectorField> field_;
  Captures captures_;
  State shapes_;
  std::vector<DenseStep> steps_;
};

void add_up(const Statistics& part, Statistics& total) {
  total.nfe += part.nfe;
  total.host_reads += part.host_reads;
  for (const Attempt& attempt : part.log) total.record(attempt, total.log.size() + 1);
  // Attempts beyond the log of the part.
  const auto logged = static_cast<std::int64_t>(part.log.size());
  total.attempts += part.attempts - logged;
  const auto accepted = static_cast<std::int64_t>(std::count_if(
      part.log.begin(), part.log.end(), [](const Attempt& attempt) { return attempt.accepted; }));
  total.accepted += part.accepted - accepted;
  total.rejected += part.rejected - (logged - accepted);
}

// The forward outputs at one time, kept without their graph. Whoever changes them in place spoils
// the backward solve: the version tells.
struct SavedState {
  State state;
  Versions versions;

  explicit SavedState(const State& from) : versions(from) {
    for (const Tensor& tensor : from) state.push_back(tensor.detach());
  }

  const State& get() const {
    if (!versions.are_those_of(state)) {
      throw NumericError(
          "the result of a solve was changed in place, and its adjoint needs it; use an operation "
          "that returns a new tensor, or another gradient mode");
    }
    return state;
  }
};

class AdjointSolve {
 public:
  AdjointSolve(Equation equation,
               const DriverOptions& options,
               const SolveResult& forward,
               Captures captures,
               std::vector<double> times,
               std::shared_ptr<Statistics> backward)
      : equation_(std::move(equation)),
        options_(options),
        captures_(std::move(captures)),
        times_(std::move(times)),
        dense_(forward.dense),
        backward_(std::move(backward)) {
    for (const State& output : forward.outputs) outputs_.emplace_back(output);
    options_.gradient = GradientMode::kDirect;
    options_.step_gradient = StepGradient::kNone;
    options_.rtol = options_.adjoint_rtol.value_or(options_.rtol);
    options_.atol = options_.adjoint_atol.value_or(options_.atol);
  }

  Pulled operator()(const std::vector<Tensor>& inputs, const std::vector<Tensor>& gradients) const {
    const std::size_t n = inputs.size();
    const bool is_interpolated = !dense_.empty();
    State shapes;
    for (const torch::autograd::Edge& edge : captures_.edges) {
      shapes.push_back(edge.function->input_metadata(edge.input_nr).zeros_like());
    }
    State a;
    for (const Tensor& input : inputs) a.push_back(at::zeros_like(input));
    State integrals = shapes;

    Equation backwards = equation_;
    if (is_interpolated) {
      backwards.field =
          std::make_shared<InterpolatedField>(equation_.field, captures_, shapes, dense_);
    } else {
      backwards.field =
          std::make_shared<AugmentedField>(equation_.field, captures_, shapes, has_time_integral());
    }
    State time;  // the integral of a^T df/dt
    if (has_time_integral()) {
      const bool is_per_sample = options_.is_adaptive && options_.control == Control::kSample;
      const std::int64_t rows = is_per_sample ? inputs.front().size(0) : 1;
      time.push_back(at::zeros({rows, 1}, inputs.front().options().requires_grad(false)));
    }
    DriverOptions options = options_;
    if (options.seminorm) options.norm_components = is_interpolated ? n : 2 * n + time.size();
    for (std::size_t k = times_.size() - 1; k > 0; --k) {
      for (std::size_t i = 0; i < n; ++i) {
        const Tensor& g = gradients[(k - 1) * n + i];
        if (g.defined()) a[i] = a[i] + g;
      }
      State start = is_interpolated ? State{} : outputs_[k].get();
      append(start, a);
      append(start, time);
      append(start, integrals);
      const State end = solve_back(backwards, options, start, k);
      a = part(end, is_interpolated ? 0 : n, n);
      if (!time.empty()) time = part(end, 2 * n, 1);
      integrals = part(end, end.size() - shapes.size(), shapes.size());
    }
    return {a, integrals};
  }

 private:
  // It takes part in error norms and in a corrector that stops for the whole batch; elsewhere
  // nobody looks at it.
  bool has_time_integral() const {
    const bool is_seen = options_.is_adaptive || equation_.method->traits().couples_samples;
    return dense_.empty() && is_seen && !equation_.field->is_autonomous();
  }

  State solve_back(const Equation& equation,
                   const DriverOptions& options,
                   const State& start,
                   std::size_t k) const {
    Statistics statistics;
    Stepper stepper(equation, options, statistics, backward_);
    const std::vector<double> times = {times_[k], times_[k - 1]};
    SolveResult result = options.is_adaptive ? solve_adaptive(stepper, start, {}, times, false)
                                             : solve_fixed(stepper, start, {}, times, false);
    add_up(statistics, *backward_);
    if (result.status != SolveStatus::kOk) {
      std::ostringstream text;
      text << "the adjoint solve ended with " << to_string(result.status)
           << " at t = " << result.time_reached << " on the way back from " << times.front()
           << " to " << times.back() << " (" << statistics.nfe
           << " evaluations): " << hint(result.status)
           << "; dynamics that contract forwards grow backwards, where gradient interpolated or "
              "checkpoint helps";
      throw NumericError(text.str());
    }
    return std::move(result.state);
  }

  Equation equation_;
  DriverOptions options_;
  Captures captures_;
  std::vector<double> times_;
  std::vector<SavedState> outputs_;
  std::vector<DenseStep> dense_;
  std::shared_ptr<Statistics> backward_;
};

}  // namespace

Pullback adjoint_pullback(Equation equation,
                          const DriverOptions& options,
                          const SolveResult& forward,
                          Captures captures,
                          std::vector<double> times,
                          std::shared_ptr<Statistics> backward) {
  auto solve = std::make_shared<AdjointSolve>(std::move(equation),
                                              options,
                                              forward,
                                              std::move(captures),
                                              std::move(times),
                                              std::move(backward));
  return [solve](const std::vector<Tensor>& inputs, const std::vector<Tensor>& gradients) {
    return (*solve)(inputs, gradients);
  };
}

}  // namespace unmask::ode
