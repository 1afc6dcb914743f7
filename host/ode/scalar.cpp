#include "ode/scalar.hpp"

#include <cmath>

#include <torch/types.h>

namespace unmask::ode {
namespace {

// Apply `op` to the tensors of both, or to a tensor and the other's double.
template <class Op>
Scalar combined(const Scalar& a, const Scalar& b, double value, Op op) {
  if (a.tensor.defined() && b.tensor.defined()) return {value, op(a.tensor, b.tensor)};
  if (a.tensor.defined()) return {value, op(a.tensor, b.value)};
  if (b.tensor.defined()) return {value, op(a.value, b.tensor)};
  return constant(value);
}

}  // namespace

Scalar constant(double value) {
  return {value, Tensor()};
}

Scalar add(const Scalar& a, const Scalar& b) {
  return combined(a, b, a.value + b.value, [](const auto& x, const auto& y) { return x + y; });
}

Scalar subtract(const Scalar& a, const Scalar& b) {
  return combined(a, b, a.value - b.value, [](const auto& x, const auto& y) { return x - y; });
}

Scalar multiply(const Scalar& a, const Scalar& b) {
  return combined(a, b, a.value * b.value, [](const auto& x, const auto& y) { return x * y; });
}

Scalar divide(const Scalar& a, const Scalar& b) {
  return combined(a, b, a.value / b.value, [](const auto& x, const auto& y) { return x / y; });
}

Scalar power(const Scalar& a, double exponent) {
  return {std::pow(a.value, exponent), a.tensor.defined() ? a.tensor.pow(exponent) : Tensor()};
}

Scalar scaled(const Scalar& a, double factor) {
  if (factor == 1) return a;
  return {a.value * factor, a.tensor.defined() ? a.tensor * factor : Tensor()};
}

}  // namespace unmask::ode
