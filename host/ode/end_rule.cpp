#include "ode/end_rule.hpp"

#include <cmath>

#include <torch/types.h>

#include "ode/scalar.hpp"

namespace unmask::ode {
namespace {

// The quartic, sorted by what its coefficients multiply.
struct Weights {
  double y0, y1, middle, h_f0, h_f1;
};

Weights value_weights(double x) {
  const double x2 = x * x;
  const double x3 = x2 * x;
  const double x4 = x2 * x2;
  return {1 - 11 * x2 + 18 * x3 - 8 * x4,
          -5 * x2 + 14 * x3 - 8 * x4,
          16 * x2 - 32 * x3 + 16 * x4,
          x - 4 * x2 + 5 * x3 - 2 * x4,
          x2 - 3 * x3 + 2 * x4};
}

Weights slope_weights(double x) {
  const double x2 = x * x;
  const double x3 = x2 * x;
  return {-22 * x + 54 * x2 - 32 * x3,
          -10 * x + 42 * x2 - 32 * x3,
          32 * x - 96 * x2 + 64 * x3,
          1 - 8 * x + 15 * x2 - 8 * x3,
          2 * x - 9 * x2 + 8 * x3};
}

Tensor evaluate(const DenseStep& step, std::size_t i, const Scalar& h, const Weights& w) {
  const Tensor values =
      combine({}, constant(1), {w.y0, w.y1, w.middle}, {step.y0[i], step.y1[i], step.middle[i]});
  return combine(values, h, {w.h_f0, w.h_f1}, {step.f0[i], step.f1[i]});
}

// dy/dx of the quartic, a constant.
Tensor slope(const DenseStep& step, std::size_t i, double x) {
  const at::NoGradGuard no_grad;
  const double h = step.input.h.value;
  // At the ends only one weight differs from zero.
  if (x == 0) return step.f0[i] * h;
  if (x == 1) return step.f1[i] * h;
  return evaluate(step, i, constant(h), slope_weights(x));
}

}  // namespace

State interpolate(const DenseStep& step, double t) {
  const StepInput& in = step.input;
  const Scalar x = divide(subtract(constant(t), in.t0), subtract(in.t1, in.t0));
  State out;
  for (std::size_t i = 0; i < step.y0.size(); ++i) {
    Tensor y = evaluate(step, i, in.h, value_weights(x.value));
    if (x.tensor.defined()) {
      // The first-order term of the Taylor series around x: its value is zero, its derivative is
      // the slope.
      y = combine(y, subtract(x, constant(x.value)), {1.0}, {slope(step, i, x.value)});
    }
    out.push_back(std::move(y));
  }
  return out;
}

bool reaches(double t, double h, double target) {
  const double direction = h > 0 ? 1.0 : -1.0;
  return direction * (target - (t + h)) <= 1e-9 * std::abs(h);
}

}  // namespace unmask::ode
