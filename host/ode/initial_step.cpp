#include "ode/initial_step.hpp"

#include <algorithm>
#include <cmath>

#include <torch/types.h>

#include "ode/norms.hpp"
#include "unmask/solver.hpp"

namespace unmask::ode {
namespace {

// The size of the probe: 0.01 times the quotient of the norms of y0 and f0.
Lanes probe_size(const std::vector<Lanes>& d0, const std::vector<Lanes>& d1, bool legacy) {
  const Lanes top0 = largest(d0);
  const Lanes top1 = largest(d1);
  const std::size_t lanes = top0.size();
  std::vector<double> value(lanes, 1e-6);
  std::vector<std::vector<double>> partial0(d0.size(), std::vector<double>(lanes, 0.0));
  std::vector<std::vector<double>> partial1 = partial0;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if (top0.value[lane] < 1e-5 || top1.value[lane] < 1e-5) continue;
    // The components whose norms make the quotient.
    std::size_t of0 = 0;
    std::size_t of1 = 0;
    for (std::size_t i = 1; i < d0.size(); ++i) {
      if (legacy) {
        const double ratio = d0[i].value[lane] / d1[i].value[lane];
        if (ratio > d0[of0].value[lane] / d1[of0].value[lane]) of0 = of1 = i;
      } else {
        if (d0[i].value[lane] > d0[of0].value[lane]) of0 = i;
        if (d1[i].value[lane] > d1[of1].value[lane]) of1 = i;
      }
    }
    const double u = d0[of0].value[lane];
    const double v = d1[of1].value[lane];
    value[lane] = 0.01 * (u / v);
    partial0[of0][lane] = 0.01 / v;
    partial1[of1][lane] = -value[lane] / v;
  }
  std::vector<Dependence> dependences;
  for (std::size_t i = 0; i < d0.size(); ++i) {
    dependences.push_back({&d0[i], partial0[i]});
    dependences.push_back({&d1[i], partial1[i]});
  }
  return linked(std::move(value), dependences);
}

// The first step from the norms of f0 and of f1 - f0, and the size of the probe.
Lanes first_step(const Lanes& d1, const Lanes& difference, const Lanes& h0, int order) {
  const std::size_t lanes = h0.size();
  std::vector<double> value(lanes);
  std::vector<double> by_d1(lanes, 0.0);
  std::vector<double> by_difference(lanes, 0.0);
  std::vector<double> by_h0(lanes, 0.0);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const double h = h0.value[lane];
    const double second = difference.value[lane] / h;  // d2
    // The probe left the domain of the field: start with its size, and let the error control find
    // its way.
    if (!std::isfinite(second)) {
      value[lane] = h;
      by_h0[lane] = 1;
      continue;
    }
    double h1 = 0;
    double h1_by_d1 = 0;
    double h1_by_second = 0;
    double h1_by_h0 = 0;
    const double slope = std::max(d1.value[lane], second);
    if (slope <= 1e-15) {
      h1 = std::max(1e-6, 1e-3 * h);
      h1_by_h0 = 1e-3 * h > 1e-6 ? 1e-3 : 0;
    } else {
      h1 = std::pow(0.01 / slope, 1.0 / order);
      const double derivative = -h1 / (order * slope);
      (second > d1.value[lane] ? h1_by_second : h1_by_d1) = derivative;
    }
    if (h1 < 100 * h) {
      value[lane] = h1;
      by_d1[lane] = h1_by_d1;
      by_difference[lane] = h1_by_second / h;
      by_h0[lane] = h1_by_h0 - h1_by_second * second / h;
    } else {
      value[lane] = 100 * h;
      by_h0[lane] = 100;
    }
  }
  return linked(std::move(value), {{&d1, by_d1}, {&difference, by_difference}, {&h0, by_h0}});
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
  const bool is_per_sample = options.control == Control::kSample;
  const NormOptions norm{
      options.rtol, options.atol, options.norm, is_per_sample, options.norm_components};
  const auto norms =
      component_norms({{&y0, &y0, nullptr}, {&f0, &y0, nullptr}}, norm, differentiable, statistics);
  const Lanes d0 = largest(norms[0]);
  const Lanes d1 = largest(norms[1]);
  InitialStep out;
  bool all_fail = true;
  for (std::size_t lane = 0; lane < d0.size(); ++lane) {
    out.status.push_back(!std::isfinite(d0.value[lane])   ? SolveStatus::kNonFiniteState
                         : !std::isfinite(d1.value[lane]) ? SolveStatus::kNonFiniteField
                                                          : SolveStatus::kOk);
    all_fail = all_fail && out.status.back() != SolveStatus::kOk;
  }
  const Lanes h0 = probe_size(norms[0], norms[1], options.legacy_arithmetic);
  if (all_fail) {
    out.h = h0;
    return out;
  }

  const Lanes signed_h0 = scaled(direction, h0);
  Lanes start = h0;
  start.value.assign(h0.size(), t0);
  start.tensor = Tensor();
  const Scalar h = to_scalar(signed_h0, y0.front());
  Scalar t = to_scalar(sum(start, signed_h0), y0.front());
  if (field.is_autonomous()) t.tensor = Tensor();
  State probe;
  for (std::size_t i = 0; i < y0.size(); ++i) probe.push_back(combine(y0[i], h, {1.0}, {f0[i]}));
  const State f1 = field.evaluate(t, probe);
  State difference;
  for (std::size_t i = 0; i < f1.size(); ++i) difference.push_back(f1[i] - f0[i]);
  const Lanes change = largest(
      component_norms({{&difference, &y0, nullptr}}, norm, differentiable, statistics).front());
  out.h = first_step(d1, change, h0, order);
  return out;
}

}  // namespace unmask::ode
