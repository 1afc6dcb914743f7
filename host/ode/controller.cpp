#include "ode/controller.hpp"

#include <algorithm>
#include <cmath>

#include "ode/scalar.hpp"

namespace unmask::ode {

bool Controller::accepts(double error_ratio, double h) const {
  if (!needs_error()) return true;
  if (!std::isfinite(error_ratio)) return false;
  return error_ratio <= 1 || h <= options_.min_step;
}

Scalar Controller::limited(const Scalar& h) const {
  if (!needs_error()) return h;
  if (h.value < options_.min_step) return constant(options_.min_step);
  if (h.value > options_.max_step) return constant(options_.max_step);
  return h;
}

Scalar Controller::next(const Scalar& h, const Scalar& error_ratio) const {
  if (!needs_error()) return constant(*options_.first_step);
  const double e = error_ratio.value;
  if (!std::isfinite(e)) return limited(scaled(h, options_.min_growth));
  if (e == 0) return limited(scaled(h, options_.max_growth));
  const double raw = options_.safety * std::pow(e, -1.0 / order_);
  const double floor = e < 1 ? 1.0 : options_.min_growth;
  if (raw < floor) return limited(scaled(h, floor));
  if (raw > options_.max_growth) return limited(scaled(h, options_.max_growth));
  return limited(multiply(h, scaled(power(error_ratio, -1.0 / order_), options_.safety)));
}

}  // namespace unmask::ode
