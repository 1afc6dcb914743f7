// Are the solvers and the driver right: orders, exact cases, stability, and what each gradient rule
// is the derivative of.

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "ode/driver.hpp"
#include "support/plugins.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::mathematics_test {
namespace {

using namespace unmask::ode;

std::unique_ptr<Method> method(const std::string& id) {
  return test::make_plugin<Method>("solver", id);
}

DriverOptions fixed(double step_size) {
  DriverOptions o;
  o.step_size = step_size;
  return o;
}

DriverOptions adaptive(double tolerance, StepGradient rule = StepGradient::kNone) {
  DriverOptions o;
  o.is_adaptive = true;
  o.rtol = tolerance;
  o.atol = tolerance;
  o.step_gradient = rule;
  return o;
}

State row(std::vector<double> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return {torch::tensor(values, torch::kDouble).reshape({1, size})};
}

struct NamedMethod {
  const char* id;
  int order;
};
const NamedMethod kMethods[] = {
    {"euler", 1}, {"midpoint", 2}, {"bosh3", 3}, {"rk4", 4}, {"dopri5", 5}};

// --- order

double oscillator_error(Method& m, int steps) {
  auto field = test::oscillator(3);
  const State y = solve(m, fixed(1.0 / steps), field, row({1, 0.5}), {0, 1}).state;
  const State exact = row({std::cos(3) + 0.5 * std::sin(3), 0.5 * std::cos(3) - std::sin(3)});
  return (y[0] - exact[0]).abs().max().item<double>();
}

double forced_error(Method& m, int steps) {
  auto field = test::forced(2, 5);
  const State y = solve(m, fixed(1.0 / steps), field, row({1, 0}), {0, 1}).state;
  const State exact = row({test::forced_exact(1, 2, 5, 1), test::forced_exact(0, 2, 5, 1)});
  return (y[0] - exact[0]).abs().max().item<double>();
}

void expect_order(const std::function<double(Method&, int)>& error, int first, int last) {
  for (const NamedMethod& named : kMethods) {
    const auto m = method(named.id);
    for (int steps = first; steps < last; steps *= 2) {
      const double coarse = error(*m, steps);
      const double fine = error(*m, 2 * steps);

      ASSERT_GT(fine, 1e-12) << named.id;
      // Halving the step divides the error by 2^p up to the next term of its expansion, which is
      // worth 0.3 at these step counts.
      EXPECT_NEAR(std::log2(coarse / fine), named.order, 0.3)
          << named.id << " at " << steps << " steps";
    }
  }
}

TEST(Order, ShowsOnTheOscillator) {
  expect_order(oscillator_error, 16, 64);
}

TEST(Order, ShowsOnAnEquationThatDependsOnTime) {
  expect_order(forced_error, 16, 64);
}

// --- exact cases

TEST(OneStep, OfTheDecayEquationIsTheStabilityPolynomial) {
  const std::vector<std::pair<std::string, double>> expected = {
      {"euler", 0.0}, {"midpoint", 0.5}, {"rk4", 0.375}, {"bosh3", 1.0 / 3}};
  for (const auto& [id, value] : expected) {
    auto field = test::decay();
    const auto m = method(id);
    // A handful of rounded operations on numbers below 1.
    EXPECT_NEAR(
        solve(*m, DriverOptions{}, field, row({1}), {0, 1}).state[0].item<double>(), value, 1e-15)
        << id;
  }
}

TEST(OneStep, IntegratesPolynomialsUpToTheOrderExactly) {
  for (const NamedMethod& named : kMethods) {
    for (int degree = 1; degree <= named.order; ++degree) {
      test::FunctionField field(false, [degree](const Scalar& t, const State& y) {
        return State{torch::full_like(y[0], degree * std::pow(t.value, degree - 1))};
      });
      const auto m = method(named.id);
      // Sums of weights up to 12 times values up to 5: below 100 eps.
      EXPECT_NEAR(
          solve(*m, DriverOptions{}, field, row({0}), {0, 1}).state[0].item<double>(), 1, 2e-14)
          << named.id << " degree " << degree;
    }
  }
}

TEST(OneStep, IsNotExactBeyondTheOrder) {
  for (const NamedMethod& named : kMethods) {
    const int degree = named.order + 1;
    test::FunctionField field(false, [degree](const Scalar& t, const State& y) {
      return State{torch::full_like(y[0], degree * std::pow(t.value, degree - 1))};
    });
    const auto m = method(named.id);
    EXPECT_GT(
        std::abs(solve(*m, DriverOptions{}, field, row({0}), {0, 1}).state[0].item<double>() - 1),
        1e-5)
        << named.id;
  }
}

// A rotation keeps the norm; a method multiplies it by |R(i h)| per step.
double norm_gain(const std::string& id, int steps) {
  auto field = test::oscillator(1);
  const auto m = method(id);
  const State y = solve(*m, fixed(1.0 / steps), field, row({0.6, 0.8}), {0, 1}).state;
  return y[0].norm().item<double>();
}

TEST(SkewLinearField, GetsTheNormGainOfTheMethod) {
  // |R(i/n)|^n of the stability polynomials 1 + z, 1 + z + z^2/2, and the series to z^4; six
  // printed digits.
  EXPECT_NEAR(norm_gain("euler", 1), 1.41421, 1e-5);
  EXPECT_NEAR(norm_gain("euler", 2), 1.25, 1e-5);
  EXPECT_NEAR(norm_gain("euler", 4), 1.12891, 1e-5);
  EXPECT_NEAR(norm_gain("euler", 10), 1.05101, 1e-5);
  EXPECT_NEAR(norm_gain("midpoint", 1), 1.118034, 1e-6);
  EXPECT_NEAR(norm_gain("midpoint", 2), 1.015625, 1e-6);
  EXPECT_NEAR(norm_gain("midpoint", 4), 1.001954, 1e-6);
  EXPECT_NEAR(norm_gain("rk4", 1), 0.993905, 1e-6);
  EXPECT_NEAR(norm_gain("rk4", 2), 0.999790, 1e-6);
  EXPECT_NEAR(norm_gain("rk4", 4), 0.9999933, 1e-7);
}

TEST(SkewLinearField, KeepsTheNormOfAPairUnderTightTolerance) {
  const Tensor w = torch::tensor({{0.5, -1.0}, {0.7, 0.3}, {-0.2, 0.9}}, torch::kDouble);
  test::FunctionField field(true, [&](const Scalar&, const State& s) {
    return State{s[1].matmul(w), -s[0].matmul(w.t())};
  });
  const State y0 = {row({1, 2})[0], row({0.5, -1, 0.3})[0]};
  const auto m = method("dopri5");
  DriverOptions options = adaptive(1e-9);
  options.end = EndRule::kClamp;

  const State y1 = solve(*m, options, field, y0, {0, 1}).state;

  const auto norm = [](const State& s) {
    return (s[0].square().sum() + s[1].square().sum()).item<double>();
  };
  // Some twenty steps of local error 1e-9 (relative and absolute, states of size 2).
  EXPECT_NEAR(norm(y1), norm(y0), 1e-6);
}

TEST(Adaptive, MeetsItsToleranceWhenStepsEndAtTheEnd) {
  for (const char* id : {"bosh3", "dopri5"}) {
    for (const double tolerance : {1e-3, 1e-6, 1e-9}) {
      auto field = test::forced(2, 5);
      const auto m = method(id);
      DriverOptions options = adaptive(tolerance);
      options.end = EndRule::kClamp;
      const State y = solve(*m, options, field, row({1, 0}), {0, 1}).state;
      // Local errors add up: not more than the number of steps, about 100 at most, times the
      // tolerance.
      EXPECT_NEAR(y[0][0][0].item<double>(), test::forced_exact(1, 2, 5, 1), 100 * tolerance) << id;
    }
  }
}

TEST(Adaptive, ReturnsToTheStartInReverseTime) {
  for (const char* id : {"bosh3", "dopri5"}) {
    auto field = test::forced(2, 5);
    const auto m = method(id);
    DriverOptions options = adaptive(1e-8);
    options.end = EndRule::kClamp;
    const State y0 = row({1, 0});

    const State y1 = solve(*m, options, field, y0, {0, 1}).state;
    const State back = solve(*m, options, field, y1, {1, 0}).state;

    // Errors of the way out grow by exp(2) on the way back: some hundred steps of 1e-8 each.
    EXPECT_LT((back[0] - y0[0]).abs().max().item<double>(), 1e-5) << id;
  }
}

TEST(Clamp, ReplacesTheInterpolantsErrorByTheMethods) {
  // Known values: bosh3 at 1e-6 errs 7.7e-5 with the quartic and 7.6e-6 without.
  auto field = test::oscillator(3);
  const auto m = method("bosh3");
  const double exact = std::cos(3) + 0.5 * std::sin(3);
  DriverOptions options = adaptive(1e-6);

  const double quartic = std::abs(
      solve(*m, options, field, row({1, 0.5}), {0, 1}).state[0][0][0].item<double>() - exact);
  options.end = EndRule::kClamp;
  const double clamped = std::abs(
      solve(*m, options, field, row({1, 0.5}), {0, 1}).state[0][0][0].item<double>() - exact);

  EXPECT_LT(clamped, quartic / 5);
}

// --- states of several tensors

TEST(PairState, EqualsTheConcatenatedStateForFixedSteps) {
  auto whole = test::oscillator(3);
  test::FunctionField parts(true, [](const Scalar&, const State& s) {
    return State{3 * s[1], -3 * s[0]};
  });
  const auto m = method("rk4");

  const State a = solve(*m, fixed(0.1), whole, row({1, 0.5}), {0, 1}).state;
  const State b = solve(*m, fixed(0.1), parts, {row({1})[0], row({0.5})[0]}, {0, 1}).state;

  EXPECT_TRUE(torch::equal(a[0], torch::cat({b[0], b[1]}, 1)));
}

TEST(PairState, OfEqualComponentsTakesTheStepsOfOne) {
  auto one = test::decay();
  test::FunctionField two(true, [](const Scalar&, const State& s) { return State{-s[0], -s[1]}; });
  const auto m = method("dopri5");
  const Tensor y = row({1, -2.5, 0.25})[0];

  const SolveResult a = solve(*m, adaptive(1e-3), one, {y}, {0, 1});
  const SolveResult b = solve(*m, adaptive(1e-3), two, {y, y}, {0, 1});

  EXPECT_TRUE(torch::equal(a.state[0], b.state[0]));
  EXPECT_TRUE(torch::equal(a.state[0], b.state[1]));
  EXPECT_EQ(a.statistics.nfe, b.statistics.nfe);
}

// --- gradients

using Map = std::function<Tensor(const Tensor&)>;  // start -> scalar

Tensor gradient(const Map& map, const Tensor& start) {
  const Tensor y = start.clone().requires_grad_(true);
  return torch::autograd::grad({map(y)}, {y})[0];
}

Tensor central_differences(const Map& map, const Tensor& start) {
  const at::NoGradGuard no_grad;
  const double d = 1e-5;
  Tensor out = torch::zeros_like(start).reshape({-1});
  for (std::int64_t i = 0; i < start.numel(); ++i) {
    Tensor up = start.clone();
    Tensor down = start.clone();
    up.view({-1})[i] += d;
    down.view({-1})[i] -= d;
    out[i] = (map(up) - map(down)) / (2 * d);
  }
  return out.reshape(start.sizes());
}

double relative_deviation(const Tensor& a, const Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

struct Problem {
  const char* name;
  test::FunctionField field;
  Tensor start;
};

std::vector<std::unique_ptr<Problem>> smooth_problems() {
  std::vector<std::unique_ptr<Problem>> out;
  out.push_back(std::unique_ptr<Problem>(
      new Problem{"mlp",
                  test::small_mlp(),
                  torch::tensor({{0.5, -0.2, 1.0}, {-1.0, 0.7, 0.1}}, torch::kDouble)}));
  out.push_back(
      std::unique_ptr<Problem>(new Problem{"forced", test::forced(2, 5), row({1, 0.3})[0]}));
  out.push_back(
      std::unique_ptr<Problem>(new Problem{"oscillator", test::oscillator(3), row({1, 0.5})[0]}));
  out.push_back(std::unique_ptr<Problem>(
      new Problem{"lotka_volterra", test::lotka_volterra(1.5, 1, 3, 1), row({1, 1})[0]}));
  return out;
}

// Weighted, so that no symmetry hides an error.
Tensor readout(const Tensor& y) {
  const Tensor weights = torch::arange(1, y.numel() + 1, y.options().requires_grad(false));
  return (y * weights.reshape(y.sizes())).sum();
}

Map solve_map(
    Method& m, const DriverOptions& options, VectorField& field, double t0 = 0, double t1 = 1) {
  return [&m, options, &field, t0, t1](const Tensor& y) {
    return readout(solve(m, options, field, {y}, {t0, t1}).state[0]);
  };
}

void expect_full_is_derivative(const DriverOptions& options, double t0 = 0, double t1 = 1) {
  for (const char* id : {"bosh3", "dopri5"}) {
    for (const auto& problem : smooth_problems()) {
      const auto m = method(id);
      const Map map = solve_map(*m, options, problem->field, t0, t1);
      // Central differences with d = 1e-5: third derivatives times d^2 and rounding eps / d, each
      // about 1e-10 relative; error ratios near 1e-4 amplify rounding a thousandfold.
      EXPECT_LT(relative_deviation(gradient(map, problem->start),
                                   central_differences(map, problem->start)),
                1e-6)
          << id << " " << problem->name;
    }
  }
}

TEST(StepGradientFull, IsTheDerivativeOfTheComputedMap) {
  expect_full_is_derivative(adaptive(1e-1, StepGradient::kFull));
}

TEST(StepGradientFull, IsTheDerivativeWithClampedEnds) {
  DriverOptions options = adaptive(1e-1, StepGradient::kFull);
  options.end = EndRule::kClamp;
  expect_full_is_derivative(options);
}

TEST(StepGradientFull, IsTheDerivativeInReverseTime) {
  expect_full_is_derivative(adaptive(1e-1, StepGradient::kFull), 1, 0);
}

TEST(StepGradientFull, IsTheDerivativeThroughRejectedAttempts) {
  DriverOptions options = adaptive(1e-3, StepGradient::kFull);
  options.first_step = 0.7;  // too large for any of the problems
  for (const auto& problem : smooth_problems()) {
    const auto m = method("bosh3");
    ASSERT_GT(solve(*m, options, problem->field, {problem->start}, {0, 1}).statistics.rejected, 0);
    const Map map = solve_map(*m, options, problem->field);
    EXPECT_LT(
        relative_deviation(gradient(map, problem->start), central_differences(map, problem->start)),
        1e-5)
        << problem->name;
  }
}

DriverOptions replaying(DriverOptions options, const Schedule& schedule) {
  options.controller = ControllerKind::kReplay;
  options.schedule = std::make_shared<const Schedule>(schedule);
  return options;
}

TEST(StepGradientNone, IsTheDerivativeOfTheFrozenSteps) {
  for (const char* id : {"bosh3", "dopri5"}) {
    for (const auto& problem : smooth_problems()) {
      const auto m = method(id);
      const SolveResult recorded =
          solve(*m, adaptive(1e-1), problem->field, {problem->start}, {0, 1});
      const DriverOptions replay = replaying(adaptive(1e-1), recorded.schedule);
      const Map frozen = solve_map(*m, replay, problem->field);
      const Map map = solve_map(*m, adaptive(1e-1), problem->field);

      // As above; without error ratios nothing amplifies the rounding.
      EXPECT_LT(relative_deviation(gradient(map, problem->start),
                                   central_differences(frozen, problem->start)),
                1e-7)
          << id << " " << problem->name;
    }
  }
}

TEST(StepGradientRules, DifferAtLooseTolerance) {
  auto field = test::small_mlp();
  const auto m = method("dopri5");
  const Tensor start = torch::tensor({{0.5, -0.2, 1.0}, {-1.0, 0.7, 0.1}}, torch::kDouble);
  const auto with = [&](StepGradient rule) {
    return gradient(solve_map(*m, adaptive(1e-1, rule), field), start);
  };

  const Tensor full = with(StepGradient::kFull);
  const Tensor first = with(StepGradient::kFirstOnly);
  const Tensor none = with(StepGradient::kNone);

  EXPECT_GT(relative_deviation(first, full), 1e-3);
  EXPECT_GT(relative_deviation(none, full), 1e-3);
  EXPECT_GT(relative_deviation(first, none), 1e-6);
}

TEST(StepGradientRules, DoNotChangeValues) {
  auto field = test::small_mlp();
  const auto m = method("dopri5");
  const Tensor start = torch::tensor({{0.5, -0.2, 1.0}}, torch::kDouble).requires_grad_(true);
  const Tensor none = solve(*m, adaptive(1e-1), field, {start}, {0, 1}).state[0];
  for (const StepGradient rule : {StepGradient::kFirstOnly, StepGradient::kFull}) {
    const Tensor other = solve(*m, adaptive(1e-1, rule), field, {start}, {0, 1}).state[0];
    // Norms are summed in another order when they are part of the graph.
    EXPECT_TRUE(torch::allclose(other, none, 1e-12, 1e-12));
  }
}

// d output of row 0 / d input of row 1
double leakage(Method& m, const DriverOptions& options) {
  auto field = test::small_mlp();
  const Tensor start =
      torch::tensor({{0.5, -0.2, 1.0}, {-1.0, 0.7, 0.1}}, torch::kDouble).requires_grad_(true);
  const Tensor out = solve(m, options, field, {start}, {0, 1}).state[0][0].sum();
  return torch::autograd::grad({out}, {start})[0][1].abs().max().item<double>();
}

TEST(BatchControl, LeaksGradientsBetweenSamplesThroughTheSteps) {
  const auto m = method("dopri5");
  EXPECT_GT(leakage(*m, adaptive(1e-1, StepGradient::kFull)), 1e-4);
  EXPECT_GT(leakage(*m, adaptive(1e-1, StepGradient::kFirstOnly)), 1e-6);
}

TEST(BatchControl, LeaksNothingThroughConstantSteps) {
  const auto m = method("dopri5");
  EXPECT_EQ(leakage(*m, adaptive(1e-1, StepGradient::kNone)), 0);
}

TEST(FixedSteps, KeepSamplesApart) {
  for (const char* id : {"euler", "midpoint", "rk4"}) {
    const auto m = method(id);
    EXPECT_EQ(leakage(*m, fixed(0.25)), 0) << id;
  }
}

TEST(FixedSteps, HaveTheDerivativeOfTheirMap) {
  for (const char* id : {"euler", "midpoint", "rk4"}) {
    for (const auto& problem : smooth_problems()) {
      const auto m = method(id);
      const Map map = solve_map(*m, fixed(0.25), problem->field);
      EXPECT_LT(relative_deviation(gradient(map, problem->start),
                                   central_differences(map, problem->start)),
                1e-7)
          << id << " " << problem->name;
    }
  }
}

}  // namespace
}  // namespace unmask::test::mathematics_test
