#pragma once
// Arithmetic of times and step sizes: host doubles that may carry a differentiable twin. A tensor
// is made only where an operand has one, so constant steps cost no tensor at all.

#include "unmask/vector_field.hpp"

namespace unmask::ode {

/// A number without gradient.
Scalar constant(double value);

Scalar add(const Scalar& a, const Scalar& b);
Scalar subtract(const Scalar& a, const Scalar& b);
Scalar multiply(const Scalar& a, const Scalar& b);
Scalar divide(const Scalar& a, const Scalar& b);
Scalar power(const Scalar& a, double exponent);
Scalar scaled(const Scalar& a, double factor);

}  // namespace unmask::ode
