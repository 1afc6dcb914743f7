#pragma once
// Right-hand sides with known behaviour, for the tests of the driver and of the solvers.

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "unmask/vector_field.hpp"

namespace unmask::test {

/// A field from a function; `autonomous` says that it ignores t.
class FunctionField final : public VectorField {
 public:
  using Function = std::function<State(const Scalar& t, const State& y)>;

  FunctionField(bool autonomous, Function function)
      : autonomous_(autonomous), function_(std::move(function)) {}

  State evaluate(const Scalar& t, const State& y) override { return function_(t, y); }
  bool is_autonomous() const override { return autonomous_; }

 private:
  bool autonomous_;
  Function function_;
};

/// A field that somebody else keeps alive, as solvers take it.
inline std::shared_ptr<VectorField> borrowed(VectorField& field) {
  return {&field, [](VectorField*) {}};
}

/// dy/dt = -y
inline FunctionField decay() {
  return {true, [](const Scalar&, const State& y) { return State{-y[0]}; }};
}

/// dx/dt = w v, dv/dt = -w x; the last axis is (x, v)
inline FunctionField oscillator(double w) {
  return {true, [w](const Scalar&, const State& y) {
            const Tensor x = y[0].select(-1, 0);
            const Tensor v = y[0].select(-1, 1);
            return State{torch::stack({w * v, -w * x}, -1)};
          }};
}

/// dx/dt = a x - b x y, dy/dt = -c y + d x y; the last axis is (x, y)
inline FunctionField lotka_volterra(double a, double b, double c, double d) {
  return {true, [=](const Scalar&, const State& s) {
            const Tensor x = s[0].select(-1, 0);
            const Tensor y = s[0].select(-1, 1);
            return State{torch::stack({a * x - b * x * y, -c * y + d * x * y}, -1)};
          }};
}

/// dy/dt = -k y + sin(m t)
inline FunctionField forced(double k, double m) {
  return {false, [k, m](const Scalar& t, const State& y) {
            return State{-k * y[0] + torch::sin(m * broadcast(t, y[0]))};
          }};
}

/// y(t) of the forced equation from y(0) = y0.
inline double forced_exact(double y0, double k, double m, double t) {
  const double n = k * k + m * m;
  return (y0 + m / n) * std::exp(-k * t) + (k * std::sin(m * t) - m * std::cos(m * t)) / n;
}

/// dx/dt = w v, dv/dt = -w x with w = 2.5 (x^2 + v^2); the last axis is (x, v). A rotation whose speed
/// depends on the radius: nonlinear, so that no method gains an order that it only has on linear
/// equations.
inline FunctionField rotor() {
  return {true, [](const Scalar&, const State& y) {
            const Tensor x = y[0].select(-1, 0);
            const Tensor v = y[0].select(-1, 1);
            const Tensor speed = 2.5 * (x * x + v * v);
            return State{torch::stack({speed * v, -speed * x}, -1)};
          }};
}

/// Two samples, [2, 2] float64.
inline Tensor rotor_start() {
  return torch::tensor({1.0, 0.5, -0.3, 0.9}, torch::kDouble).reshape({2, 2});
}

/// (x, v) at time t from y0 at time 0.
inline Tensor rotor_exact(const Tensor& y0, double t) {
  const Tensor x = y0.select(-1, 0);
  const Tensor v = y0.select(-1, 1);
  const Tensor angle = 2.5 * (x * x + v * v) * t;
  return torch::stack({x * torch::cos(angle) + v * torch::sin(angle),
                       v * torch::cos(angle) - x * torch::sin(angle)},
                      -1);
}

/// The forced equation with a fast term that dominates every derivative: orders show at few steps.
constexpr double kDrivenDamping = 2;
constexpr double kDrivenFrequency = 7;

inline FunctionField driven() {
  return forced(kDrivenDamping, kDrivenFrequency);
}

/// y(t) from driven_start() at time 0, [2, 2] float64.
inline Tensor driven_exact(double t) {
  std::vector<double> out;
  for (const double y0 : {1.0, 0.0, -0.4, 0.7}) {
    out.push_back(forced_exact(y0, kDrivenDamping, kDrivenFrequency, t));
  }
  return torch::tensor(out, torch::kDouble).reshape({2, 2});
}

/// Two samples of two components, [2, 2] float64.
inline Tensor driven_start() {
  return torch::tensor({1.0, 0.0, -0.4, 0.7}, torch::kDouble).reshape({2, 2});
}

/// dy/dt = tanh(y W1 + b1) W2 + b2
inline FunctionField mlp(const Tensor& w1, const Tensor& b1, const Tensor& w2, const Tensor& b2) {
  return {true, [=](const Scalar&, const State& y) {
            return State{torch::tanh(y[0].matmul(w1) + b1).matmul(w2) + b2};
          }};
}

/// dy/dt = lrelu(z W), dz/dt = -lrelu(y W^T), slope 0.01
inline FunctionField skew_pair(const Tensor& w) {
  return {true, [=](const Scalar&, const State& s) {
            return State{torch::leaky_relu(s[1].matmul(w), 0.01),
                         -torch::leaky_relu(s[0].matmul(w.t()), 0.01)};
          }};
}

/// dy/dt = -y up to time `limit`, NaN after it
inline FunctionField nan_after(double limit) {
  return {false, [limit](const Scalar& t, const State& y) {
            return State{t.value > limit ? y[0] * std::numeric_limits<double>::quiet_NaN() : -y[0]};
          }};
}

/// A tanh network of fixed weights on rows of 3, strong enough that its gradient depends on the
/// steps.
inline FunctionField small_mlp() {
  const auto weights = [](std::int64_t rows, std::int64_t columns, double scale) {
    const Tensor i = torch::arange(rows * columns, torch::kDouble);
    return (torch::sin(i * 1.7 + 0.3) * scale).reshape({rows, columns});
  };
  return mlp(weights(3, 5, 1.5), weights(1, 5, 0.4), weights(5, 3, 1.5), weights(1, 3, 0.2));
}

}  // namespace unmask::test
