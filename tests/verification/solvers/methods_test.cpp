// Is every method the one that its name promises: order, exact cases, weights, costs, and the
// systems of equations of the implicit ones.

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ode/driver.hpp"
#include "support/plugins.hpp"
#include "unmask/kit/ode/adams.hpp"
#include "unmask/kit/ode/gmres.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::methods_test {
namespace {

using namespace unmask::ode;
using testing::HasSubstr;

using Given = std::map<std::string, ParamValue>;

std::unique_ptr<Method> method(const std::string& id, Given given = {}) {
  return test::make_plugin<Method>("solver", id, std::move(given));
}

DriverOptions fixed(double step_size) {
  DriverOptions o;
  o.step_size = step_size;
  return o;
}

State row(std::vector<double> values) {
  const auto size = static_cast<std::int64_t>(values.size());
  return {torch::tensor(values, torch::kDouble).reshape({1, size})};
}

double distance(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// --- order

struct Ordered {
  const char* id;
  Given given;
  int order;
  int first;     // the coarsest number of steps
  int halvings;  // of the step, from there
};

// High orders meet rounding early: they are measured at few steps. The error constant of tsit5 is
// so small that its order shows only where the steps are short.
const std::vector<Ordered>& ordered_methods() {
  static const std::vector<Ordered> methods = {
      {"heun2", {}, 2, 32, 2},
      {"heun3", {}, 3, 32, 2},
      {"rk4_classic", {}, 4, 32, 2},
      {"adaptive_heun", {}, 2, 32, 2},
      {"fehlberg2", {}, 2, 32, 2},
      {"tsit5", {}, 5, 64, 1},
      {"dopri8", {}, 8, 4, 1},
      {"explicit_adams", {}, 3, 32, 2},
      {"explicit_adams", {{"max_order", std::int64_t{5}}}, 4, 64, 2},
      {"implicit_adams", {{"rtol", 1e-9}, {"atol", 1e-9}}, 4, 32, 2},
      {"implicit_midpoint", {}, 2, 32, 2},
      {"sdirk2", {}, 2, 32, 2},
  };
  return methods;
}

using Error = std::function<double(Method&, int steps)>;

double oscillator_error(Method& m, int steps) {
  auto field = test::oscillator(3);
  const State y = solve(m, fixed(1.0 / steps), field, row({1, 0.5}), {0, 1}).state;
  return distance(y[0], row({std::cos(3) + 0.5 * std::sin(3), 0.5 * std::cos(3) - std::sin(3)})[0]);
}

double forced_error(Method& m, int steps) {
  auto field = test::forced(2, 5);
  const State y = solve(m, fixed(1.0 / steps), field, row({1, 0}), {0, 1}).state;
  return distance(y[0], row({test::forced_exact(1, 2, 5, 1), test::forced_exact(0, 2, 5, 1)})[0]);
}

// y' = -3 y^2, y = 1 / (1/2 + 3 t)
double riccati_error(Method& m, int steps) {
  test::FunctionField field(true,
                            [](const Scalar&, const State& y) { return State{-3 * y[0] * y[0]}; });
  const State y = solve(m, fixed(1.0 / steps), field, row({2}), {0, 1}).state;
  return distance(y[0], row({2.0 / 7})[0]);
}

void expect_order(const Error& error, const Ordered& named) {
  const auto m = method(named.id, named.given);
  for (int steps = named.first; steps < named.first << named.halvings; steps *= 2) {
    const double coarse = error(*m, steps);
    const double fine = error(*m, 2 * steps);

    ASSERT_GT(fine, 1e-13) << named.id;
    // Halving the step divides the error by 2^p up to the next term of its expansion, which is
    // worth 0.3 at these step counts.
    EXPECT_NEAR(std::log2(coarse / fine), named.order, 0.3)
        << named.id << " at " << steps << " steps: " << coarse << " " << fine;
  }
}

TEST(MethodOrder, ShowsOnTheOscillator) {
  for (const Ordered& named : ordered_methods()) {
    // On linear problems the formula 8(7)13M is of order 9.
    if (named.order < 8) expect_order(oscillator_error, named);
  }
}

TEST(MethodOrder, ShowsOnAnEquationThatDependsOnTime) {
  for (const Ordered& named : ordered_methods()) {
    if (named.order != 5) expect_order(forced_error, named);
  }
  expect_order(forced_error, {"tsit5", {}, 5, 32, 1});
}

TEST(MethodOrder, ShowsOnANonlinearEquation) {
  for (const Ordered& named : ordered_methods()) {
    // Higher orders come down to rounding before they show.
    if (named.order < 5) expect_order(riccati_error, named);
  }
}

TEST(MethodOrder, IsWhatTheMethodSays) {
  for (const Ordered& named : ordered_methods()) {
    EXPECT_EQ(method(named.id, named.given)->traits().order, named.order) << named.id;
  }
}

// --- exact cases

constexpr double kGamma = 0.29289321881345248;  // of sdirk2: 1 - 1/sqrt(2)

double one_step_of_decay(const std::string& id) {
  auto field = test::decay();
  const auto m = method(id);
  return solve(*m, DriverOptions{}, field, row({1}), {0, 1}).state[0].item<double>();
}

TEST(OneStepOfDecay, HasTheKnownValue) {
  const std::map<std::string, double> expected = {
      {"heun2", 0.5},
      {"heun3", 1.0 / 3},
      {"rk4_classic", 0.375},
      {"adaptive_heun", 0.5},
      {"explicit_adams", 0.375},
      {"implicit_adams", 0.375},
      // (1 - 1/2) / (1 + 1/2)
      {"implicit_midpoint", 1.0 / 3},
      // 2 g / (1 + g)^2
      {"sdirk2", 2 * kGamma / ((1 + kGamma) * (1 + kGamma))}};
  for (const auto& [id, value] : expected) {
    // A handful of rounded operations on numbers below 1.
    EXPECT_NEAR(one_step_of_decay(id), value, 1e-15) << id;
  }
}

TEST(Polynomials, UpToTheOrderAreIntegratedExactly) {
  for (const Ordered& named : ordered_methods()) {
    // The third step of a multistep method has three points, however many come later.
    const bool is_explicit_adams = std::string(named.id) == "explicit_adams";
    for (int degree = 1; degree <= (is_explicit_adams ? 3 : named.order); ++degree) {
      test::FunctionField field(false, [degree](const Scalar& t, const State& y) {
        return State{torch::full_like(y[0], degree * std::pow(t.value, degree - 1))};
      });
      const auto m = method(named.id, named.given);
      // Unequal last step: 0.3, 0.3, 0.3, 0.1. Sums of weights up to 45 times values up to 8: some
      // hundred eps.
      EXPECT_NEAR(solve(*m, fixed(0.3), field, row({0}), {0, 1}).state[0].item<double>(), 1, 1e-13)
          << named.id << " degree " << degree;
    }
  }
}

// --- costs

TEST(Evaluations, OfFixedStepsFollowFromTheStages) {
  const std::map<std::string, std::int64_t> expected = {{"heun2", 20},
                                                        {"heun3", 30},
                                                        {"rk4_classic", 40},
                                                        {"adaptive_heun", 20},
                                                        {"fehlberg2", 30},
                                                        {"tsit5", 61},
                                                        {"dopri8", 131},
                                                        {"explicit_adams", 16}};
  for (const auto& [id, count] : expected) {
    auto field = test::oscillator(3);
    const auto m = method(id);
    EXPECT_EQ(solve(*m, fixed(0.1), field, row({1, 0.5}), {0, 1}).statistics.nfe, count) << id;
  }
}

TEST(Evaluations, OfAdaptiveStepsFollowFromTheStages) {
  for (const auto& [id, stages] :
       std::map<std::string, std::int64_t>{{"tsit5", 6}, {"dopri8", 13}}) {
    auto field = test::oscillator(3);
    const auto m = method(id);
    DriverOptions options;
    options.is_adaptive = true;
    options.end = EndRule::kClamp;

    const Statistics s = solve(*m, options, field, row({1, 0.5}), {0, 1}).statistics;

    EXPECT_EQ(s.nfe, 2 + stages * (s.accepted + s.rejected)) << id;
  }
}

// --- tsit5's interpolant

TEST(Tsit5, HasAMiddleOfOrderFour) {
  auto field = test::oscillator(3);
  const auto m = method("tsit5");
  const State y0 = row({1, 0.5});
  const State f0 = field.evaluate({0, {}}, y0);
  const auto error = [&](double h) {
    const StepInput input{{0, {}}, {h, {}}, {h, {}}};
    const State middle = m->midpoint(input, y0, m->step(field, input, y0, f0));
    const double a = 3 * h / 2;
    return distance(middle[0],
                    row({std::cos(a) + 0.5 * std::sin(a), 0.5 * std::cos(a) - std::sin(a)})[0]);
  };

  // The error of one step of an interpolant of order 4 is of order h^5.
  EXPECT_NEAR(std::log2(error(0.02) / error(0.01)), 5, 0.3);
}

// --- Adams

TEST(AdamsWeights, AreThePublishedOnesOnEqualSteps) {
  const std::vector<std::vector<double>> bashforth = {
      {1.0},
      {3.0 / 2, -1.0 / 2},
      {23.0 / 12, -16.0 / 12, 5.0 / 12},
      {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24},
      {1901.0 / 720, -2774.0 / 720, 2616.0 / 720, -1274.0 / 720, 251.0 / 720}};
  const std::vector<std::vector<double>> moulton = {
      {1.0 / 2, 1.0 / 2},
      {5.0 / 12, 8.0 / 12, -1.0 / 12},
      {9.0 / 24, 19.0 / 24, -5.0 / 24, 1.0 / 24},
      {251.0 / 720, 646.0 / 720, -264.0 / 720, 106.0 / 720, -19.0 / 720},
      {475.0 / 1440, 1427.0 / 1440, -798.0 / 1440, 482.0 / 1440, -173.0 / 1440, 27.0 / 1440}};
  for (std::size_t n = 0; n < bashforth.size(); ++n) {
    std::vector<double> earlier;
    for (std::size_t i = 0; i < n; ++i) earlier.push_back(-static_cast<double>(i + 1));

    const std::vector<double> explicit_weights = kit::bashforth_weights(0, 1, earlier);
    const std::vector<double> implicit_weights = kit::moulton_weights(0, 1, earlier);

    // No cancellation: a few roundings each.
    EXPECT_THAT(explicit_weights, testing::Pointwise(testing::DoubleNear(1e-14), bashforth[n]));
    EXPECT_THAT(implicit_weights, testing::Pointwise(testing::DoubleNear(1e-14), moulton[n]));
  }
}

// g_i = 1 - sum_{k < i} g_k / (i + 1 - k): the integrals of the binomials over a step.
std::vector<double> binomial_integrals(std::size_t n) {
  std::vector<double> g;
  for (std::size_t i = 0; i < n; ++i) {
    double value = 1;
    for (std::size_t k = 0; k < i; ++k) value -= g[k] / static_cast<double>(i + 1 - k);
    g.push_back(value);
  }
  return g;
}

double binomial(std::size_t n, std::size_t k) {
  double out = 1;
  for (std::size_t i = 1; i <= k; ++i) {
    out *= static_cast<double>(n - k + i) / static_cast<double>(i);
  }
  return out;
}

TEST(AdamsWeights, FollowTheRecursionForManyPoints) {
  for (std::size_t n = 1; n <= 11; ++n) {
    std::vector<double> earlier;
    for (std::size_t i = 1; i < n; ++i) earlier.push_back(0.5 - 0.1 * static_cast<double>(i));
    const std::vector<double> g = binomial_integrals(n);
    std::vector<double> expected;
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t i = j; i < n; ++i) sum += g[i] * binomial(i, j);
      expected.push_back(j % 2 == 0 ? sum : -sum);
    }
    // Weights reach 1e3 at 11 points, and points like 0.5 - 0.1 * 3 are off by an eps.
    EXPECT_THAT(kit::bashforth_weights(0.5, 0.1, earlier),
                testing::Pointwise(testing::DoubleNear(1e-10), expected))
        << n;
  }
}

TEST(AdamsWeights, IntegratePolynomialsExactlyOnUnequalSteps) {
  const double t0 = 0.4;
  const double h = 0.07;
  const std::vector<double> earlier = {0.3, 0.25, 0.05};
  const std::vector<double> explicit_weights = kit::bashforth_weights(t0, h, earlier);
  const std::vector<double> implicit_weights = kit::moulton_weights(t0, h, earlier);
  for (int degree = 0; degree <= 4; ++degree) {
    const auto f = [&](double t) { return std::pow(t, degree); };
    const double exact = (std::pow(t0 + h, degree + 1) - std::pow(t0, degree + 1)) / (degree + 1);
    double by_explicit = explicit_weights[0] * f(t0);
    double by_implicit = implicit_weights[0] * f(t0 + h) + implicit_weights[1] * f(t0);
    for (std::size_t i = 0; i < earlier.size(); ++i) {
      by_explicit += explicit_weights[i + 1] * f(earlier[i]);
      by_implicit += implicit_weights[i + 2] * f(earlier[i]);
    }
    if (degree <= 3) {
      EXPECT_NEAR(h * by_explicit, exact, 1e-16) << degree;
    }
    EXPECT_NEAR(h * by_implicit, exact, 1e-16) << degree;
  }
}

TEST(AdamsWeights, AreTheSameInReverseTime) {
  EXPECT_EQ(kit::bashforth_weights(0, 1, {-1, -2}), kit::bashforth_weights(0, -1, {1, 2}));
  EXPECT_EQ(kit::moulton_weights(0, 1, {-1, -2}), kit::moulton_weights(0, -1, {1, 2}));
}

TEST(Adams, SaysHowMuchHistoryItWants) {
  EXPECT_EQ(method("explicit_adams")->traits().history, 2);
  EXPECT_EQ(method("implicit_adams", {{"max_order", std::int64_t{12}}})->traits().history, 10);
}

TEST(ExplicitAdams, OfHighOrderIsUnstable) {
  // The known trap behind the default cap: more steps, larger error.
  const auto m = method("explicit_adams", {{"max_order", std::int64_t{12}}});
  EXPECT_GT(oscillator_error(*m, 32), 100 * oscillator_error(*m, 16));
}

// Step 0.3 on [0, 1]: the last step is 0.1. Values of y' = -2 y + sin(5 t) by an independent scalar
// program; those of equal spacing are torchdiffeq's. The implicit ones are of the solved equation.
TEST(Adams, TakesAShorterLastStepAsItIsOrAsTorchdiffeqDoes) {
  auto field = test::forced(2, 5);
  const Given tight = {{"rtol", 1e-14}, {"atol", 1e-14}, {"max_iters", std::int64_t{100}}};
  struct Expected {
    const char* id;
    const char* spacing;
    double from_one;
    double from_zero;
  };
  for (const Expected& e :
       {Expected{"explicit_adams", "actual", -0.13773350949243518, -0.25825941300910177},
        Expected{"explicit_adams", "equal", -0.03031337129012105, -0.16245201904012113},
        Expected{"implicit_adams", "actual", 0.04659605998133174, -0.08851747139920359},
        Expected{"implicit_adams", "equal", 0.04612441892121612, -0.09095646751273423}}) {
    Given given = std::string(e.id) == "implicit_adams" ? tight : Given{};
    given["max_order"] = std::int64_t{12};
    given["spacing"] = std::string(e.spacing);
    const auto m = method(e.id, given);

    const Tensor end = solve(*m, fixed(0.3), field, row({1, 0}), {0, 1}).state[0];

    // Rounding of a few operations on numbers below 3; the corrector stops at increments of 1e-14.
    EXPECT_NEAR(end[0][0].item<double>(), e.from_one, 1e-13) << e.id << " " << e.spacing;
    EXPECT_NEAR(end[0][1].item<double>(), e.from_zero, 1e-13) << e.id << " " << e.spacing;
  }
}

// y' = 6 sin(10 y) is too steep for the iteration at this step.
test::FunctionField steep() {
  return {true, [](const Scalar&, const State& y) { return State{6 * torch::sin(10 * y[0])}; }};
}

TEST(ImplicitAdams, CountsStepsThatDoNotConverge) {
  auto field = steep();
  const auto m = method("implicit_adams", {{"rtol", 1e-12}, {"atol", 1e-12}});
  const Statistics s = solve(*m, fixed(0.1), field, row({0.3}), {0, 1}).statistics;
  // The first two steps are not iterated.
  EXPECT_GT(s.unconverged, 0);
  EXPECT_LE(s.unconverged, 8);
}

StepOutput adams_step(Method& m, VectorField& field, const State& y0) {
  const State f0 = field.evaluate({0, {}}, y0);
  History history;
  history.times = {-0.1, -0.2};
  history.derivatives = {{f0[0] * 0.9}, {f0[0] * 0.8}};
  StepInput input{{0, {}}, {0.1, {}}, {0.1, {}}};
  input.history = &history;
  return m.step(field, input, y0, f0);
}

TEST(ImplicitAdams, LetsGoOfAPointOfTheWholeBatchWhenItDoesNotConverge) {
  auto field = steep();
  const Given tight = {{"rtol", 1e-12}, {"atol", 1e-12}};
  Given batch = tight;
  batch["convergence"] = std::string("batch");

  const StepOutput by_batch = adams_step(*method("implicit_adams", batch), field, row({0.3}));
  const StepOutput by_sample = adams_step(*method("implicit_adams", tight), field, row({0.3}));

  EXPECT_TRUE(by_batch.is_unconverged);
  EXPECT_EQ(by_batch.history_kept, 1);
  EXPECT_TRUE(by_sample.is_unconverged);
  EXPECT_GT(by_sample.history_kept, 2);
}

TEST(ImplicitAdams, KeepsSamplesApart) {
  auto field = steep();
  const auto m = method("implicit_adams");
  // The first row converges at once, the second needs all iterations.
  const Tensor both = torch::tensor({{0.001}, {0.3}}, torch::kDouble);

  const Tensor together = solve(*m, fixed(0.1), field, {both}, {0, 0.6}).state[0];
  const Tensor alone = solve(*m, fixed(0.1), field, {both.slice(0, 0, 1)}, {0, 0.6}).state[0];

  EXPECT_TRUE(torch::equal(together.slice(0, 0, 1), alone));
}

// --- tables from the manifest

using Reals = std::vector<double>;

Given bosh3_table() {
  return {{"order", std::int64_t{3}},
          {"a", Reals{1.0 / 2, 0, 3.0 / 4, 2.0 / 9, 1.0 / 3, 4.0 / 9}},
          {"b", Reals{2.0 / 9, 1.0 / 3, 4.0 / 9, 0}},
          {"b_embedded", Reals{7.0 / 24, 1.0 / 4, 1.0 / 3, 1.0 / 8}},
          {"mid", Reals{0, 1.0 / 2, 0, 0}}};
}

Given ralston_table() {
  return {{"order", std::int64_t{3}},
          {"a", Reals{1.0 / 2, 0, 3.0 / 4}},
          {"b", Reals{2.0 / 9, 1.0 / 3, 4.0 / 9}}};
}

std::string refusal(const std::string& id, const Given& given) {
  try {
    method(id, given);
  } catch (const ParamError& error) {
    return error.what();
  }
  return "none";
}

TEST(RkTableauAdaptive, IsThePluginOfTheSameTable) {
  auto field = test::oscillator(3);
  DriverOptions options;
  options.is_adaptive = true;
  const auto solve_with = [&](Method& m) {
    return solve(m, options, field, row({1, 0.5}), {0, 1});
  };
  const SolveResult own = solve_with(*method("rk_tableau_adaptive", bosh3_table()));
  const SolveResult plugin = solve_with(*method("bosh3"));

  EXPECT_EQ(own.statistics.nfe, plugin.statistics.nfe);
  // Error weights differ by their rounding, and step sizes with them.
  EXPECT_LT(distance(own.state[0], plugin.state[0]), 1e-12);
}

TEST(RkTableauAdaptive, TakesErrorWeightsInsteadOfTheEmbeddedOnes) {
  Given given = bosh3_table();
  given.erase("b_embedded");
  given["error"] = Reals{-5.0 / 72, 1.0 / 12, 1.0 / 9, -1.0 / 8};
  const MethodTraits traits = method("rk_tableau_adaptive", given)->traits();
  EXPECT_TRUE(traits.is_adaptive);
  EXPECT_TRUE(traits.is_fsal);
  EXPECT_EQ(traits.controller_order, 3);
}

TEST(RkTableau, HasTheOrderThatItClaims) {
  expect_order(oscillator_error, {"rk_tableau", ralston_table(), 3, 32, 2});
}

TEST(RkTableau, MayHaveOneStage) {
  const auto m =
      method("rk_tableau", {{"order", std::int64_t{1}}, {"a", Reals{}}, {"b", Reals{1}}});
  EXPECT_EQ(m->traits().stages, 1);
}

TEST(RkTableau, NamesTheParameterThatIsWrong) {
  const auto with = [](const char* name, ParamValue value) {
    Given given = ralston_table();
    given[name] = std::move(value);
    return refusal("rk_tableau", given);
  };
  EXPECT_THAT(with("a", Reals{0.5, 0.75}), HasSubstr("parameter \"a\": has 2 entries"));
  EXPECT_THAT(with("c", Reals{0.5, 0.75}), HasSubstr("parameter \"c\": has 2 entries"));
  EXPECT_THAT(with("c", Reals{0.5, 0.5, 0.75}), HasSubstr("parameter \"c\": the first stage"));
  EXPECT_THAT(with("c", Reals{0, 0.5, 0.8}), HasSubstr("parameter \"c\": row 2 of a sums to"));
  EXPECT_THAT(with("mid", Reals{0.5}), HasSubstr("parameter \"mid\": has 1 entries"));
  EXPECT_THAT(with("mid", Reals{1, 0, 0}), HasSubstr("parameter \"mid\": mid weights sum to 1"));
  EXPECT_THAT(with("b", Reals{0.5, 0.3, 0.1}), HasSubstr("parameter \"b\": condition of order 1"));
  EXPECT_THAT(with("order", std::int64_t{4}),
              HasSubstr("parameter \"b\": condition of order 4 violated"));
  EXPECT_THAT(with("order", std::int64_t{0}), HasSubstr("order"));
}

TEST(RkTableauAdaptive, NamesTheParameterThatIsWrong) {
  Given both = bosh3_table();
  both["error"] = Reals{0, 0, 0, 0};
  EXPECT_THAT(refusal("rk_tableau_adaptive", both), HasSubstr("either error or b_embedded"));

  Given neither = bosh3_table();
  neither.erase("b_embedded");
  EXPECT_THAT(refusal("rk_tableau_adaptive", neither), HasSubstr("either error or b_embedded"));

  Given error = neither;
  error["error"] = Reals{0, 0, 0, 0};
  EXPECT_THAT(refusal("rk_tableau_adaptive", error),
              HasSubstr("parameter \"error\": all error weights are 0"));

  Given embedded = bosh3_table();
  embedded["b_embedded"] = Reals{0.5, 0, 0, 0.25};
  EXPECT_THAT(refusal("rk_tableau_adaptive", embedded),
              HasSubstr("parameter \"b_embedded\": error weights sum to 0.25"));
}

// --- implicit methods

const std::vector<std::string> kImplicit = {"implicit_midpoint", "sdirk2"};

// The stability functions.
double gain(const std::string& id, double z) {
  if (id == "implicit_midpoint") return (1 + z / 2) / (1 - z / 2);
  return (1 + (1 - 2 * kGamma) * z) / ((1 - kGamma * z) * (1 - kGamma * z));
}

StepOutput one_step(Method& m, VectorField& field, const State& y0, double h, double t0 = 0) {
  return m.step(field, {{t0, {}}, {h, {}}, {t0 + h, {}}}, y0, field.evaluate({t0, {}}, y0));
}

// y' = diag(rates) y in rotated coordinates, so that no component decouples.
struct StiffLinear {
  explicit StiffLinear(const std::vector<double>& rate_list) {
    const auto n = static_cast<std::int64_t>(rate_list.size());
    rates = torch::tensor(rate_list, torch::kDouble);
    const Tensor normal = torch::sin(torch::arange(1, n + 1, torch::kDouble)).reshape({n, 1});
    q = torch::eye(n, torch::kDouble) - normal.matmul(normal.t()) * (2 / normal.square().sum());
    a = q.matmul(torch::diag(rates)).matmul(q);
  }
  test::FunctionField field() const {
    return {true, [a = a](const Scalar&, const State& y) { return State{y[0].matmul(a)}; }};
  }
  // q diag(gain) q y
  Tensor times(const std::function<double(double)>& value, const Tensor& y) const {
    std::vector<double> values;
    for (std::int64_t i = 0; i < rates.numel(); ++i)
      values.push_back(value(rates[i].item<double>()));
    return y.matmul(q).matmul(torch::diag(torch::tensor(values, torch::kDouble))).matmul(q);
  }
  Tensor rates;
  Tensor q;
  Tensor a;
};

StiffLinear stiff_linear() {
  return StiffLinear({-1, -3, -10, -30, -100, -300, -1e3, -3e3, -1e4, -3e4, -1e5});
}

Tensor stiff_start() {
  return torch::cos(torch::arange(22, torch::kDouble)).reshape({2, 11});
}

TEST(Implicit, StepsAreTheStabilityFunctionOnAStiffLinearProblem) {
  const StiffLinear problem = stiff_linear();
  auto field = problem.field();
  for (const std::string& id : kImplicit) {
    const auto m = method(id);
    const double h = 0.1;  // h * rate from -0.1 to -1e4
    const StepOutput out = one_step(*m, field, {stiff_start()}, h);

    ASSERT_EQ(out.failure, "") << id;
    const Tensor expected =
        problem.times([&](double rate) { return gain(id, h * rate); }, stiff_start());
    // Newton's tolerance 1e-10 times |y|, at most two stages, the second amplified by 2.4.
    EXPECT_LT(distance(out.y1[0], expected), 2e-9) << id;
  }
}

TEST(Implicit, FiniteDifferencesOfTheFieldSolveItToo) {
  const StiffLinear problem = stiff_linear();
  auto field = problem.field();
  for (const std::string& id : kImplicit) {
    const auto m = method(id, {{"jacobian", std::string("difference")}});
    const StepOutput out = one_step(*m, field, {stiff_start()}, 0.1);

    ASSERT_EQ(out.failure, "") << id;
    const Tensor expected =
        problem.times([&](double rate) { return gain(id, 0.1 * rate); }, stiff_start());
    EXPECT_LT(distance(out.y1[0], expected), 2e-9) << id;
  }
}

TEST(Implicit, StiffStepsSucceedInFloat32) {
  const StiffLinear problem = stiff_linear();
  const Tensor a = problem.a.to(torch::kFloat);
  test::FunctionField field(true,
                            [a](const Scalar&, const State& y) { return State{y[0].matmul(a)}; });
  for (const std::string& id : kImplicit) {
    const auto m = method(id);
    const StepOutput out = one_step(*m, field, {stiff_start().to(torch::kFloat)}, 0.1);

    ASSERT_EQ(out.failure, "") << id;
    const Tensor expected =
        problem.times([&](double rate) { return gain(id, 0.1 * rate); }, stiff_start());
    // Rounding of the field, 1e4/2 * 6e-8 times |y|, in all directions.
    EXPECT_LT(distance(out.y1[0].to(torch::kDouble), expected), 0.02) << id;
  }
}

TEST(Implicit, StepsDoNotBlowUpFarOutsideOfExplicitStability) {
  test::FunctionField field(true, [](const Scalar&, const State& y) { return State{-1e5 * y[0]}; });
  for (const std::string& id : kImplicit) {
    const auto m = method(id);
    const Tensor y = solve(*m, fixed(0.1), field, row({1, -2}), {0, 1}).state[0];
    // A-stable: |gain| < 1 at h * rate = -1e4, ten times.
    EXPECT_LT(y.abs().max().item<double>(), 2.0) << id;
  }
  // L-stable: what is stiff is gone after a step. gain(-1e4) = 4.8e-4.
  const Tensor y = solve(*method("sdirk2"), fixed(0.1), field, row({1, -2}), {0, 0.2}).state[0];
  EXPECT_LT(y.abs().max().item<double>(), 1e-6);
}

TEST(ImplicitMidpoint, KeepsTheNormOfARotation) {
  auto field = test::oscillator(3);
  const auto m = method("implicit_midpoint", {{"newton_tolerance", 1e-13}});
  const State y = solve(*m, fixed(0.1), field, row({0.6, 0.8}), {0, 1}).state;
  // Ten steps of tolerance 1e-13 times twice the norm.
  EXPECT_NEAR(y[0].norm().item<double>(), 1, 1e-11);
}

// y'' = mu (1 - y^2) y' - y
test::FunctionField van_der_pol(double mu) {
  return {true, [mu](const Scalar&, const State& s) {
            const Tensor y = s[0].select(-1, 0);
            const Tensor v = s[0].select(-1, 1);
            return State{torch::stack({v, mu * (1 - y * y) * v - y}, -1)};
          }};
}

TEST(Implicit, FollowsTheSlowBranchOfVanDerPol) {
  auto field = van_der_pol(1e3);
  // On the slow branch mu (1 - y^2) y' = y up to terms of size 1/mu^2 of it, hence
  // log y - y^2/2 = log 2 - 2 + t / mu.
  const State y0 = row({2, -2.0 / 3e3});
  for (const std::string& id : kImplicit) {
    const auto m = method(id);
    // h times the fast rate mu (y^2 - 1) is 3e5.
    const Tensor y = solve(*m, fixed(100), field, y0, {0, 600}).state[0];
    const double end = y[0][0].item<double>();
    EXPECT_NEAR(std::log(end) - end * end / 2, std::log(2.0) - 2 + 0.6, 1e-3) << id;
  }
}

TEST(Sdirk2, ReturnsToTheSlowBranchOfVanDerPolInOneStep) {
  auto field = van_der_pol(1e3);
  // Off the branch by 3, which decays at the rate mu (y^2 - 1) = 1250; h times it is 12500.
  const StepOutput out = one_step(*method("sdirk2"), field, row({1.5, 3}), 10);

  ASSERT_EQ(out.failure, "");
  const double y = out.y1[0][0][0].item<double>();
  const double v = out.y1[0][0][1].item<double>();
  // The branch, and what is left of 3: -1.2e-3. The rate changes by some percent with y.
  EXPECT_NEAR(v, y / (1e3 * (1 - y * y)) + 3 * gain("sdirk2", -12500), 1e-4);
}

// A convolution with a nonlinearity on a pair of images: batch of two, 3 channels, 5x5.
struct ConvProblem {
  Tensor kernel = (torch::sin(torch::arange(81, torch::kDouble) * 1.3) * 0.4).reshape({3, 3, 3, 3});
  Tensor y = torch::cos(torch::arange(150, torch::kDouble) * 0.7).reshape({2, 3, 5, 5});
  Tensor z = torch::sin(torch::arange(150, torch::kDouble) * 0.9).reshape({2, 3, 5, 5});

  test::FunctionField field(const Tensor& k) const {
    return {false, [k](const Scalar& t, const State& s) {
              return State{torch::tanh(torch::conv2d(s[1], k, {}, 1, 1)) * (1 + t.value) - s[0],
                           -torch::tanh(torch::conv_transpose2d(s[0], k, {}, 1, 1)) - 20 * s[1]};
            }};
  }
};

Tensor readout(const State& state) {
  Tensor total = torch::zeros({}, state[0].options().requires_grad(false));
  for (const Tensor& t : state) {
    const Tensor weights = torch::cos(torch::arange(1, t.numel() + 1, torch::kDouble) * 0.37);
    total = total + (t * weights.reshape(t.sizes())).sum();
  }
  return total;
}

TEST(Implicit, SolvesConvolutions) {
  const ConvProblem p;
  auto field = p.field(p.kernel);
  for (const std::string& id : kImplicit) {
    const auto coarse = solve(*method(id), fixed(0.05), field, {p.y, p.z}, {0, 1}).state;
    const auto fine = solve(*method(id), fixed(0.025), field, {p.y, p.z}, {0, 1}).state;
    const auto exact = solve(*method("dopri8"), fixed(0.01), field, {p.y, p.z}, {0, 1}).state;
    EXPECT_NEAR(std::log2(distance(coarse[0], exact[0]) / distance(fine[0], exact[0])), 2, 0.3)
        << id;
  }
}

// Central differences of a directional derivative with d = 1e-4: third derivatives times d^2, some
// 1e-8, and the residual tolerance over d, 1e-12 * 10 / 1e-4 = 1e-7.
void expect_gradient(const std::function<Tensor(const State&)>& map, const State& at) {
  State leaves;
  for (const Tensor& t : at) leaves.push_back(t.clone().requires_grad_(true));
  const std::vector<Tensor> gradient = torch::autograd::grad({map(leaves)}, leaves);
  const at::NoGradGuard no_grad;
  for (std::size_t k = 0; k < at.size(); ++k) {
    for (const double phase : {0.1, 1.1}) {
      const Tensor direction =
          torch::sin(torch::arange(at[k].numel(), torch::kDouble) + phase).reshape(at[k].sizes());
      const auto moved = [&](double d) {
        State state = at;
        state[k] = at[k] + d * direction;
        return map(state).item<double>();
      };
      const double expected = (moved(1e-4) - moved(-1e-4)) / 2e-4;
      EXPECT_NEAR((gradient[k] * direction).sum().item<double>(),
                  expected,
                  1e-6 * std::max(1.0, std::abs(expected)));
    }
  }
}

TEST(ImplicitGradient, IsTheDerivativeOfTheSolution) {
  const ConvProblem p;
  for (const std::string& id : kImplicit) {
    const auto m = method(id, {{"newton_tolerance", 1e-12}});
    // State and parameters.
    expect_gradient(
        [&](const State& s) {
          auto field = p.field(s[2]);
          return readout(solve(*m, fixed(0.25), field, {s[0], s[1]}, {0, 1}).state);
        },
        {p.y, p.z, p.kernel});
  }
}

TEST(ImplicitGradient, IsTheDerivativeOnAStiffProblem) {
  auto field = van_der_pol(1e3);
  for (const std::string& id : kImplicit) {
    const auto m = method(id, {{"newton_tolerance", 1e-12}});
    expect_gradient(
        [&](const State& s) {
          return readout(solve(*m, fixed(1), field, s, {0, 5}).state);
        },
        {torch::tensor({{2.0, -1e-3}, {1.7, -2e-3}}, torch::kDouble)});
  }
}

TEST(ImplicitGradient, DoesNotChangeValues) {
  const ConvProblem p;
  auto field = p.field(p.kernel);
  for (const std::string& id : kImplicit) {
    const auto m = method(id);
    const State with = one_step(*m, field, {p.y.clone().requires_grad_(true), p.z}, 0.5).y1;
    const at::NoGradGuard no_grad;
    const State without = one_step(*m, field, {p.y, p.z}, 0.5).y1;
    EXPECT_TRUE(torch::equal(with[0], without[0])) << id;
    EXPECT_TRUE(torch::equal(with[1], without[1])) << id;
  }
}

TEST(ImplicitGradient, ReachesParametersWhenTheStateHasNone) {
  const ConvProblem p;
  const Tensor kernel = p.kernel.clone().requires_grad_(true);
  auto field = p.field(kernel);
  for (const std::string& id : kImplicit) {
    const State y1 = one_step(*method(id), field, {p.y, p.z}, 0.5).y1;
    const Tensor gradient = torch::autograd::grad({readout(y1)}, {kernel})[0];
    EXPECT_GT(gradient.abs().max().item<double>(), 1e-3) << id;
  }
}

TEST(ImplicitGradient, IsAbsentWhereNothingHasOne) {
  auto field = test::decay();
  for (const std::string& id : kImplicit) {
    EXPECT_FALSE(one_step(*method(id), field, row({1}), 0.5).y1[0].requires_grad()) << id;
  }
}

// Multiplies by a tensor that the graph must save and that says when it is freed.
test::FunctionField watched(int& alive, int& evaluations) {
  return {true, [&](const Scalar&, const State& y) {
            ++evaluations;
            double* const data = new double[1]{-1000};
            ++alive;
            const Tensor factor = torch::from_blob(
                data,
                {1},
                [&alive](void* memory) {
                  delete[] static_cast<double*>(memory);
                  --alive;
                },
                torch::kDouble);
            return State{torch::sin(y[0]) * factor};
          }};
}

TEST(ImplicitGradient, KeepsOneEvaluationPerStageHoweverManyIterations) {
  for (const std::string& id : kImplicit) {
    int alive = 0;
    int evaluations = 0;
    auto field = watched(alive, evaluations);
    const Tensor y0 = torch::tensor({{0.5, -1.0, 2.0}}, torch::kDouble).requires_grad_(true);
    const auto m = method(id);
    const State f0 = {torch::zeros_like(y0)};

    StepOutput out = m->step(field, {{0, {}}, {0.1, {}}, {0.1, {}}}, {y0}, f0);

    const int stages = id == "sdirk2" ? 2 : 1;
    EXPECT_GT(evaluations, 3 * stages) << id;
    EXPECT_EQ(alive, stages) << id;
    out = {};
    EXPECT_EQ(alive, 0) << id;
  }
}

TEST(ImplicitGradient, RefusesSecondDerivativesBySaying) {
  auto field = test::decay();
  const Tensor y0 = torch::ones({1, 1}, torch::kDouble).requires_grad_(true);
  const State y1 = one_step(*method("implicit_midpoint"), field, {y0}, 0.5).y1;
  try {
    torch::autograd::grad({y1[0].sum()}, {y0}, {}, true, /*create_graph=*/true);
    FAIL() << "no exception";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr("second derivatives"));
  }
}

TEST(ImplicitBatch, RowsAreBitEqualAloneAndTogether) {
  // Elementwise, each element with its own stiffness; the rows need different numbers of
  // iterations.
  test::FunctionField field(
      true, [](const Scalar&, const State& y) { return State{-50 * y[0] * y[0] * y[0] - y[0]}; });
  const Tensor batch = torch::tensor(
      {{0.01, 0.02, -0.03}, {5.0, -3.0, 4.0}, {0.0, 0.0, 0.0}, {1.0, 0.1, -0.7}}, torch::kDouble);
  for (const std::string& id : kImplicit) {
    for (const char* jacobian : {"autograd", "difference"}) {
      const auto m = method(id, {{"jacobian", std::string(jacobian)}});
      const auto run = [&](const Tensor& rows) {
        const Tensor y0 = rows.clone().requires_grad_(true);
        const StepOutput out = one_step(*m, field, {y0}, 0.5);
        EXPECT_EQ(out.failure, "");
        return std::make_pair(out.y1[0].detach(),
                              torch::autograd::grad({readout({out.y1[0].sum(0, true)})}, {y0})[0]);
      };
      const auto [values, gradients] = run(batch);
      for (std::int64_t i = 0; i < batch.size(0); ++i) {
        const auto [value, gradient] = run(batch.slice(0, i, i + 1));
        EXPECT_TRUE(torch::equal(values.slice(0, i, i + 1), value)) << id << " row " << i;
        EXPECT_TRUE(torch::equal(gradients.slice(0, i, i + 1), gradient)) << id << " row " << i;
      }
    }
  }
}

TEST(ImplicitFailure, SaysWhatHappened) {
  // Y = 1 + h/2 Y^2 has no solution at h = 2.
  test::FunctionField field(true, [](const Scalar&, const State& y) { return State{y[0] * y[0]}; });
  const std::string failure = one_step(*method("implicit_midpoint"), field, row({1}), 2).failure;
  EXPECT_THAT(failure, HasSubstr("implicit_midpoint: Newton's method did not solve"));
  EXPECT_THAT(failure, HasSubstr("1 of 1 samples"));
  EXPECT_THAT(failure, HasSubstr("take a shorter step"));
}

TEST(ImplicitFailure, NamesAFieldThatIsNotFinite) {
  auto field = test::nan_after(0.1);
  const std::string failure = one_step(*method("sdirk2"), field, row({1}), 1).failure;
  EXPECT_THAT(failure, HasSubstr("the field is not finite"));
}

TEST(ImplicitFailure, TooSmallAKrylovSpaceIsReported) {
  const StiffLinear problem = stiff_linear();
  auto field = problem.field();
  const auto m = method("implicit_midpoint",
                        {{"krylov_dimension", std::int64_t{2}}, {"max_newton", std::int64_t{3}}});
  EXPECT_THAT(one_step(*m, field, {stiff_start()}, 0.1).failure, HasSubstr("krylov_dimension"));
}

// As the field of the adjoint equation is: right, but without a graph.
test::FunctionField cut(double rate) {
  return {true, [rate](const Scalar&, const State& y) { return State{(rate * y[0]).detach()}; }};
}

TEST(ImplicitFailure, NamesAFieldThatAutogradCannotSee) {
  auto field = cut(-1e4);
  const std::string failure = one_step(*method("sdirk2"), field, row({1}), 1).failure;
  EXPECT_THAT(failure, HasSubstr("set jacobian to difference"));
}

TEST(Implicit, DifferencesSolveAFieldThatAutogradCannotSee) {
  auto field = cut(-1e4);
  const auto m = method("sdirk2", {{"jacobian", std::string("difference")}});
  const StepOutput out = one_step(*m, field, row({1}), 1);
  ASSERT_EQ(out.failure, "");
  EXPECT_NEAR(out.y1[0].item<double>(), gain("sdirk2", -1e4), 1e-9);
}

DriverOptions with_mode(GradientMode mode) {
  DriverOptions options = fixed(0.1);
  options.gradient = mode;
  return options;
}

TEST(Checkpoint, GivesTheDirectGradientOfEveryKindOfMethod) {
  for (const char* id :
       {"tsit5", "explicit_adams", "implicit_adams", "implicit_midpoint", "sdirk2"}) {
    auto field = test::small_mlp();
    const auto m = method(id);
    const auto gradient = [&](GradientMode mode) {
      const Tensor y0 =
          torch::tensor({{0.5, -0.2, 1.0}, {-1.0, 0.7, 0.1}}, torch::kDouble).requires_grad_(true);
      const State y1 = solve(*m, with_mode(mode), field, {y0}, {0, 1}).state;
      return torch::autograd::grad({readout(y1)}, {y0})[0];
    };
    // The same operations on the same numbers.
    EXPECT_LT(distance(gradient(GradientMode::kCheckpoint), gradient(GradientMode::kDirect)), 1e-14)
        << id;
  }
}

// --- GMRES itself

TEST(Gmres, SolvesEveryRowWithItsOwnSpace) {
  const Tensor a =
      torch::tensor({{4.0, 1.0, 0.0}, {-1.0, 3.0, 0.5}, {0.2, 0.0, 2.0}}, torch::kDouble);
  const Tensor right =
      torch::tensor({{1.0, 2.0, 3.0}, {0.0, 0.0, 0.0}, {1e-8, 0.0, -1e-8}}, torch::kDouble);
  const kit::LinearMap map = [&](const State& v) { return State{v[0].matmul(a)}; };

  const kit::LinearSolution solution =
      kit::gmres(map, {right}, {1e-14, 1e-14, 1e-22}, /*dimension=*/10);

  // Three vectors span the space; conditions below 3.
  EXPECT_LE(solution.vectors, 3);
  EXPECT_LT(distance(solution.x[0].matmul(a)[0], right[0]), 1e-14);
  EXPECT_EQ(solution.x[0][1].abs().max().item<double>(), 0);
  EXPECT_LT(distance(solution.x[0].matmul(a)[2], right[2]), 1e-22);
}

TEST(Gmres, ReportsTheTrueResidual) {
  const StiffLinear problem({1, 2, 3, 4, 5, 6});
  const Tensor right = torch::ones({1, 6}, torch::kDouble);
  const kit::LinearMap map = [&](const State& v) { return State{v[0].matmul(problem.a)}; };

  const kit::LinearSolution solution = kit::gmres(map, {right}, {0.0}, 3);

  EXPECT_EQ(solution.vectors, 3);
  EXPECT_NEAR(
      solution.residual[0], (solution.x[0].matmul(problem.a) - right).norm().item<double>(), 1e-13);
}

}  // namespace
}  // namespace unmask::test::methods_test
