#include "ode/end_rule.hpp"

#include <array>
#include <cmath>
#include <cstddef>

#include <torch/types.h>

namespace unmask::ode {
namespace {

// The quartic, sorted by what its coefficients multiply: y0, y1, middle, h f0, h f1.
using Weights = std::array<double, 5>;

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

// Their derivatives by x.
Weights slope_weights(double x) {
  const double x2 = x * x;
  const double x3 = x2 * x;
  return {-22 * x + 54 * x2 - 32 * x3,
          -10 * x + 42 * x2 - 32 * x3,
          32 * x - 96 * x2 + 64 * x3,
          1 - 8 * x + 15 * x2 - 8 * x3,
          2 * x - 9 * x2 + 8 * x3};
}

// Without a value in the middle: what the cubic puts there.
Weights with_middle(Weights w, bool has_middle) {
  if (has_middle) return w;
  return {w[0] + w[2] / 2, w[1] + w[2] / 2, 0, w[3] + w[2] / 8, w[4] - w[2] / 8};
}

// One step size for all rows.
Tensor evaluate(const DenseStep& step, std::size_t i, const Scalar& h, const Weights& w) {
  std::vector<double> weights = {w[0], w[1]};
  std::vector<Tensor> terms = {step.y0[i], step.y1[i]};
  if (!step.middle.empty()) {
    weights.push_back(w[2]);
    terms.push_back(step.middle[i]);
  }
  const Tensor values = combine({}, constant(1), weights, terms);
  return combine(values, h, {w[3], w[4]}, {step.f0[i], step.f1[i]});
}

// dy/dx of the quartic, a constant.
Tensor slope(const DenseStep& step, std::size_t i, double x) {
  const at::NoGradGuard no_grad;
  const double h = step.h.value.front();
  // At the ends only one weight differs from zero.
  if (x == 0) return step.f0[i] * h;
  if (x == 1) return step.f1[i] * h;
  return evaluate(step, i, constant(h), with_middle(slope_weights(x), !step.middle.empty()));
}

// Where the times lie in their steps, 0 at the start and 1 at the end.
Lanes positions(const DenseStep& step, const std::vector<double>& times) {
  std::vector<double> value(times.size());
  std::vector<double> by_t0(times.size());
  std::vector<double> by_t1(times.size());
  for (std::size_t lane = 0; lane < times.size(); ++lane) {
    const double length = step.t1.value[lane] - step.t0.value[lane];
    value[lane] = (times[lane] - step.t0.value[lane]) / length;
    by_t0[lane] = (value[lane] - 1) / length;
    by_t1[lane] = -value[lane] / length;
  }
  return linked(std::move(value), {{&step.t0, by_t0}, {&step.t1, by_t1}});
}

State interpolate_batch(const DenseStep& step, const Lanes& x) {
  const double position = x.value.front();
  const Scalar h = to_scalar(step.h, step.y0.front());
  const Weights w = with_middle(value_weights(position), !step.middle.empty());
  State out;
  for (std::size_t i = 0; i < step.y0.size(); ++i) {
    Tensor y = evaluate(step, i, h, w);
    if (!x.is_constant()) {
      // The first-order term of the Taylor series around x: its value is zero, its derivative is
      // the slope.
      const Scalar nothing = to_scalar(linked({0.0}, {{&x, {1.0}}}), y);
      y = combine(y, nothing, {1.0}, {slope(step, i, position)});
    }
    out.push_back(std::move(y));
  }
  return out;
}

// Every row has weights of its own, which carry the gradients of its position and step size.
State interpolate_samples(const DenseStep& step, const Lanes& x) {
  const std::size_t lanes = x.size();
  std::array<Lanes, 5> weights;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    std::vector<double> value(lanes);
    std::vector<double> by_x(lanes);
    std::vector<double> by_h(lanes, 0.0);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const bool has_middle = !step.middle.empty();
      value[lane] = with_middle(value_weights(x.value[lane]), has_middle)[j];
      by_x[lane] = with_middle(slope_weights(x.value[lane]), has_middle)[j];
      if (j < 3) continue;
      by_h[lane] = value[lane];
      value[lane] *= step.h.value[lane];
      by_x[lane] *= step.h.value[lane];
    }
    weights[j] = linked(std::move(value), {{&x, by_x}, {&step.h, by_h}});
  }
  const std::array<const State*, 5> terms = {&step.y0, &step.y1, &step.middle, &step.f0, &step.f1};
  State out;
  for (std::size_t i = 0; i < step.y0.size(); ++i) {
    Tensor y;
    for (std::size_t j = 0; j < terms.size(); ++j) {
      if (terms[j]->empty()) continue;
      const Tensor& term = (*terms[j])[i];
      y = combine(y, to_scalar(weights[j], term), {1.0}, {term});
    }
    out.push_back(std::move(y));
  }
  return out;
}

}  // namespace

State interpolate(const DenseStep& step, const std::vector<double>& times) {
  const Lanes x = positions(step, times);
  return x.is_per_sample ? interpolate_samples(step, x) : interpolate_batch(step, x);
}

bool reaches(double t, double h, double target) {
  const double direction = h > 0 ? 1.0 : -1.0;
  return direction * (target - (t + h)) <= 1e-9 * std::abs(h);
}

}  // namespace unmask::ode
