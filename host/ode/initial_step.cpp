#include "ode/initial_step.hpp"

#include <algorithm>
#include <cmath>

#include <torch/types.h>

#include "ode/norms.hpp"
#include "ode/scalar.hpp"
#include "unmask/solver.hpp"

namespace unmask::ode {
namespace {

Scalar smaller(const Scalar& a, const Scalar& b) {
  return b.value < a.value ? b : a;
}
Scalar larger(const Scalar& a, const Scalar& b) {
  return b.value > a.value ? b : a;
}

}  // namespace

InitialStep choose_initial_step(VectorField& field,
                                double t0,
                                double direction,
                                const State& y0,
                                const State& f0,
                                const DriverOptions& options,
                                int order,
                                bool differentiable,
                                Statistics& statistics) {
  const at::AutoGradMode mode(differentiable && at::GradMode::is_enabled());
  const auto norms = scaled_norms({{&y0, &y0, nullptr}, {&f0, &y0, nullptr}},
                                  options.rtol,
                                  options.atol,
                                  differentiable,
                                  statistics);
  const Scalar& d0 = norms[0];
  const Scalar& d1 = norms[1];
  if (!std::isfinite(d0.value)) return {SolveStatus::kNonFiniteState, {}};
  if (!std::isfinite(d1.value)) return {SolveStatus::kNonFiniteField, {}};

  const Scalar h0 =
      d0.value < 1e-5 || d1.value < 1e-5 ? constant(1e-6) : scaled(divide(d0, d1), 0.01);
  const Scalar signed_h0 = scaled(h0, direction);
  Scalar t = add(constant(t0), signed_h0);
  if (field.is_autonomous()) t.tensor = Tensor();
  State probe;
  for (std::size_t i = 0; i < y0.size(); ++i) {
    probe.push_back(combine(y0[i], signed_h0, {1.0}, {f0[i]}));
  }
  const State f1 = field.evaluate(t, probe);
  State difference;
  for (std::size_t i = 0; i < f1.size(); ++i) difference.push_back(f1[i] - f0[i]);
  const Scalar d2 = divide(
      scaled_norms(
          {{&difference, &y0, nullptr}}, options.rtol, options.atol, differentiable, statistics)
          .front(),
      h0);
  // The probe left the domain of the field: start with its size, and let the error control find its
  // way.
  if (!std::isfinite(d2.value)) return {SolveStatus::kOk, h0};

  const Scalar h1 = d1.value <= 1e-15 && d2.value <= 1e-15
                        ? larger(constant(1e-6), scaled(h0, 1e-3))
                        : power(divide(constant(0.01), larger(d1, d2)), 1.0 / order);
  return {SolveStatus::kOk, smaller(scaled(h0, 100), h1)};
}

}  // namespace unmask::ode
