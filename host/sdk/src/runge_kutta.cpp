// Explicit Runge-Kutta methods from their tableaus.

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <utility>

#include <torch/types.h>

#include "collect.hpp"
#include "unmask/errors.hpp"
#include "unmask/solver.hpp"

namespace unmask {
inline namespace v1 {
namespace {

// Published coefficients are ratios of integers: their sums are exact to a few rounding errors of
// their largest entries (about 12 in dopri5).
constexpr double kTolerance = 1e-12;

using Vector = std::vector<double>;

bool is_close(double a, double b) {
  return std::abs(a - b) <= kTolerance;
}

double sum(const Vector& v) {
  double total = 0;
  for (const double x : v) total += x;
  return total;
}

// (a v)_i = sum_j a_ij v_j with the row of the first stage empty.
Vector apply_stage_matrix(const Tableau& t, const Vector& v) {
  Vector out(v.size(), 0.0);
  for (std::size_t i = 1; i < v.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) out[i] += t.a[i - 1][j] * v[j];
  }
  return out;
}

Vector times(const Vector& u, const Vector& v) {
  Vector out(u.size());
  for (std::size_t i = 0; i < u.size(); ++i) out[i] = u[i] * v[i];
  return out;
}

// With the digits in which a mistyped coefficient shows.
std::string number(double value) {
  std::ostringstream text;
  text.precision(15);
  text << value;
  return text.str();
}

std::optional<std::string> size_violation(const Tableau& t) {
  const std::size_t stages = t.b.size();
  if (stages == 0) return "b is empty";
  if (t.a.size() != stages - 1 || t.c.size() != stages - 1) {
    return "b has " + std::to_string(stages) + " stages, so a and c need " +
           std::to_string(stages - 1) + " rows, not " + std::to_string(t.a.size()) + " and " +
           std::to_string(t.c.size());
  }
  for (std::size_t i = 0; i < t.a.size(); ++i) {
    if (t.a[i].size() != i + 1) {
      return "row " + std::to_string(i + 1) + " of a has " + std::to_string(t.a[i].size()) +
             " entries, expected " + std::to_string(i + 1);
    }
  }
  if (!t.error.empty() && t.error.size() != stages) return "error needs one weight per stage";
  if (!t.mid.empty() && t.mid.size() != stages) return "mid needs one weight per stage";
  return std::nullopt;
}

// The 17 rooted trees of orders 1 to 5 ([HNW93] II.2, tables 2.1 and 2.2).
std::optional<std::string> order_violation(const Tableau& t) {
  struct Condition {
    int order;
    const char* text;
    double value;
    double expected;
  };
  Vector c(t.b.size(), 0.0);
  std::copy(t.c.begin(), t.c.end(), c.begin() + 1);
  const Vector ac = apply_stage_matrix(t, c);
  const Vector cc = times(c, c);
  const Vector ccc = times(cc, c);
  const Vector acc = apply_stage_matrix(t, cc);
  const Vector aac = apply_stage_matrix(t, ac);
  const auto weighted = [&](const Vector& v) { return sum(times(t.b, v)); };
  const Condition conditions[] = {
      {1, "sum b = 1", sum(t.b), 1.0},
      {2, "sum b c = 1/2", weighted(c), 1.0 / 2},
      {3, "sum b c^2 = 1/3", weighted(cc), 1.0 / 3},
      {3, "sum b (a c) = 1/6", weighted(ac), 1.0 / 6},
      {4, "sum b c^3 = 1/4", weighted(ccc), 1.0 / 4},
      {4, "sum b c (a c) = 1/8", weighted(times(c, ac)), 1.0 / 8},
      {4, "sum b (a c^2) = 1/12", weighted(acc), 1.0 / 12},
      {4, "sum b (a a c) = 1/24", weighted(aac), 1.0 / 24},
      {5, "sum b c^4 = 1/5", weighted(times(cc, cc)), 1.0 / 5},
      {5, "sum b c^2 (a c) = 1/10", weighted(times(cc, ac)), 1.0 / 10},
      {5, "sum b (a c)^2 = 1/20", weighted(times(ac, ac)), 1.0 / 20},
      {5, "sum b c (a c^2) = 1/15", weighted(times(c, acc)), 1.0 / 15},
      {5, "sum b c (a a c) = 1/30", weighted(times(c, aac)), 1.0 / 30},
      {5, "sum b (a c^3) = 1/20", weighted(apply_stage_matrix(t, ccc)), 1.0 / 20},
      {5, "sum b (a c (a c)) = 1/40", weighted(apply_stage_matrix(t, times(c, ac))), 1.0 / 40},
      {5, "sum b (a a c^2) = 1/60", weighted(apply_stage_matrix(t, acc)), 1.0 / 60},
      {5, "sum b (a a a c) = 1/120", weighted(apply_stage_matrix(t, aac)), 1.0 / 120},
  };
  for (const Condition& condition : conditions) {
    if (condition.order <= t.order && !is_close(condition.value, condition.expected)) {
      return "condition of order " + std::to_string(condition.order) +
             " violated: " + condition.text + ", but the left side is " + number(condition.value);
    }
  }
  return std::nullopt;
}

bool last_stage_is_end(const Tableau& t) {
  return t.b.size() > 1 && t.b.back() == 0 && t.c.back() == 1 &&
         std::equal(t.a.back().begin(), t.a.back().end(), t.b.begin());
}

// The number next to `t` on the side of the step's start, in the state's dtype.
double next_towards_start(double t, double h, at::ScalarType dtype) {
  if (dtype == at::kDouble) {
    const double infinity = std::numeric_limits<double>::infinity();
    return std::nextafter(t, h > 0 ? -infinity : infinity);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  return static_cast<double>(std::nextafter(static_cast<float>(t), h > 0 ? -infinity : infinity));
}

// The shift is a constant: the gradient passes unchanged.
Scalar end_time(const StepInput& input, at::ScalarType dtype) {
  if (!input.shift_end) return input.t1;
  Scalar t = input.t1;
  if (t.is_per_sample()) {
    const at::NoGradGuard no_grad;
    const Tensor rounded = input.t1.tensor.to(dtype);
    const Tensor away = at::where(input.h.tensor > 0, -1.0, 1.0).to(dtype) *
                        std::numeric_limits<double>::infinity();
    const Tensor shift =
        at::nextafter(rounded, away.expand_as(rounded)).to(at::kDouble) - input.t1.tensor;
    const at::AutoGradMode with_grad(input.t1.tensor.requires_grad());
    t.tensor = input.t1.tensor + shift;
    return t;
  }
  t.value = next_towards_start(input.t1.value, input.h.value, dtype);
  if (t.tensor.defined()) t.tensor = t.tensor + (t.value - input.t1.value);
  return t;
}

Scalar stage_time(const StepInput& input, double c) {
  Scalar t;
  t.value = input.t0.value + c * input.h.value;
  if (input.t0.tensor.defined() && input.h.tensor.defined()) {
    // Two roundings, as in the value; a fused product would make another time of it.
    t.tensor = input.t0.tensor + input.h.tensor * c;
  } else if (input.t0.tensor.defined()) {
    t.tensor = input.t0.tensor + c * input.h.value;
  } else if (input.h.tensor.defined()) {
    t.tensor = input.h.tensor * c + input.t0.value;
  }
  return t;
}

// base + h sum weights_i stages_i for every component; without base when it is empty.
State combine_state(const State& base,
                    const Scalar& h,
                    const Vector& weights,
                    const std::vector<State>& stages,
                    std::size_t components) {
  State out;
  out.reserve(components);
  std::vector<Tensor> terms(weights.size());
  for (std::size_t component = 0; component < components; ++component) {
    for (std::size_t i = 0; i < weights.size(); ++i) terms[i] = stages[i][component];
    out.push_back(combine(base.empty() ? Tensor() : base[component], h, weights, terms));
  }
  return out;
}

// Every stage enters the sums of all later ones.
State collected(const State& state) {
  State out;
  for (const Tensor& component : state) out.push_back(collect_gradients(component));
  return out;
}

}  // namespace

std::optional<std::string> tableau_violation(const Tableau& t) {
  if (t.order < 1) return "order must be at least 1, not " + std::to_string(t.order);
  if (auto violation = size_violation(t)) return violation;
  for (std::size_t i = 0; i < t.a.size(); ++i) {
    if (!is_close(sum(t.a[i]), t.c[i])) {
      return "row " + std::to_string(i + 1) + " of a sums to " + number(sum(t.a[i])) +
             ", but its node c is " + number(t.c[i]);
    }
  }
  if (t.error.empty() != (t.controller_order == 0)) {
    return "controller_order and error weights go together: one is given without the other";
  }
  if (t.controller_order < 0) return "controller_order is negative";
  if (!t.error.empty() && !is_close(sum(t.error), 0)) {
    return "error weights sum to " + number(sum(t.error)) + ", expected 0";
  }
  if (!t.error.empty() &&
      std::all_of(t.error.begin(), t.error.end(), [](double w) { return w == 0; })) {
    return "all error weights are 0: every step would be accepted";
  }
  if (!t.mid.empty() && !is_close(sum(t.mid), 0.5)) {
    return "mid weights sum to " + number(sum(t.mid)) + ", expected 1/2";
  }
  return order_violation(t);
}

RungeKutta::RungeKutta(Tableau tableau) : tableau_(std::move(tableau)) {
  if (const auto violation = tableau_violation(tableau_)) {
    throw PluginError("inconsistent Runge-Kutta tableau: " + *violation);
  }
  is_fsal_ = last_stage_is_end(tableau_);
}

RungeKutta::~RungeKutta() = default;

MethodTraits RungeKutta::traits() const {
  MethodTraits traits;
  traits.order = tableau_.order;
  traits.controller_order = tableau_.controller_order;
  traits.legacy_controller_order = tableau_.legacy_controller_order;
  traits.stages = static_cast<int>(tableau_.b.size()) - (is_fsal_ ? 1 : 0);
  traits.is_adaptive = !tableau_.error.empty();
  traits.is_fsal = is_fsal_;
  traits.has_midpoint = !tableau_.mid.empty();
  return traits;
}

StepOutput RungeKutta::step(VectorField& field,
                            const StepInput& input,
                            const State& y0,
                            const State& f0) {
  TORCH_CHECK(!y0.empty() && y0.size() == f0.size(),
              "step: the state has ",
              y0.size(),
              " components, its derivative ",
              f0.size());
  const std::size_t components = y0.size();
  const bool needs_times = !field.is_autonomous();
  const State start = collected(y0);
  StepOutput out;
  out.stages.reserve(tableau_.b.size());
  out.stages.push_back(collected(f0));
  for (std::size_t i = 0; i < tableau_.a.size(); ++i) {
    const double c = tableau_.c[i];
    State y = combine_state(start, input.h, tableau_.a[i], out.stages, components);
    Scalar t = c == 1 ? end_time(input, y0.front().scalar_type()) : stage_time(input, c);
    if (!needs_times) t.tensor = Tensor();
    out.stages.push_back(collected(field.evaluate(t, y)));
    if (is_fsal_ && i + 1 == tableau_.a.size()) out.y1 = std::move(y);
  }
  if (is_fsal_) {
    out.f1 = out.stages.back();
  } else {
    out.y1 = combine_state(start, input.h, tableau_.b, out.stages, components);
  }
  if (!tableau_.error.empty()) {
    out.error = combine_state({}, input.h, tableau_.error, out.stages, components);
  }
  return out;
}

State RungeKutta::midpoint(const StepInput& input, const State& y0, const StepOutput& output) {
  UNMASK_CHECK(!tableau_.mid.empty(), "midpoint() of a method without mid weights");
  return combine_state(y0, input.h, tableau_.mid, output.stages, y0.size());
}

}  // namespace v1
}  // namespace unmask
