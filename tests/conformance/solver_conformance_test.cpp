// What every method must keep under the driver: its declarations, its order, its costs, and that it
// keeps what the equation keeps. Of a method it uses what MethodTraits and the plugin's declarations
// say, and nothing else.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/solver_problem.hpp"

namespace unmask::test::solver_conformance_test {
namespace {

// --- declarations

class SolverDeclaration : public testing::TestWithParam<std::string> {};

TEST_P(SolverDeclaration, IsASoundTable) {
  EXPECT_EQ(table_violation(descriptor_of(GetParam()).info().params), std::nullopt);
}

TEST_P(SolverDeclaration, HasAnExampleWhereParametersAreRequired) {
  for (const ParamSpec& spec : descriptor_of(GetParam()).info().params) {
    if (!spec.is_required()) continue;
    const auto example = example_parameters().find(GetParam());
    const bool is_given =
        example != example_parameters().end() && example->second.contains(spec.name);
    EXPECT_TRUE(is_given) << "parameter \"" << spec.name
                          << "\" is required: add a value to example_parameters() of this file";
  }
}

TEST_P(SolverConformance, ReadsEveryDeclaredParameter) {
  const PluginDescriptor& descriptor = descriptor_of(GetParam());
  const auto example = example_parameters().find(GetParam());
  const Params params(descriptor.info().params,
                      example == example_parameters().end() ? Values{} : example->second);
  const std::unique_ptr<Method> instance(static_cast<Method*>(descriptor.create(params, nullptr)));

  const std::vector<std::string> unread = params.unread();

  EXPECT_TRUE(unread.empty()) << unread.front();
}

TEST_P(SolverConformance, HasTraitsThatGoTogether) {
  EXPECT_GE(traits_.order, 1);
  EXPECT_EQ(traits_.is_adaptive,
            descriptor_of(GetParam()).info().capabilities.contains("adaptive"));
  EXPECT_EQ(traits_.is_adaptive, traits_.controller_order > 0);
  EXPECT_TRUE(traits_.is_implicit || traits_.stages > 0);
  EXPECT_GE(traits_.history, 0);
}

// --- order

// Of the finest steps n and 2n whose error is above rounding: there the leading term of the error
// is nearest to all of it, and the start of a multistep method weighs least.
double observed_order(const std::function<double(int)>& error) {
  double order = std::numeric_limits<double>::quiet_NaN();
  for (const int n : {4, 6, 8, 12, 16, 24, 32, 48, 64, 96}) {
    const double fine = error(2 * n);
    if (fine < 1e-12) break;
    order = std::log2(error(n) / fine);
  }
  return order;
}

// The next term of the error's expansion is worth 0.3 at these numbers of steps.
constexpr double kOrderWindow = 0.3;

TEST_P(SolverConformance, ShowsItsOrderOnAnOscillator) {
  FunctionField field = rotor();
  const double order = observed_order([&](int n) {
    return distance(solve(options(steps_of(1.0 / n)), field, {rotor_start()}).state[0],
                    rotor_exact(rotor_start(), 1));
  });
  EXPECT_NEAR(order, traits_.order, kOrderWindow);
}

TEST_P(SolverConformance, ShowsItsOrderOnAnEquationThatDependsOnTime) {
  FunctionField field = driven();
  const double order = observed_order([&](int n) {
    return distance(solve(options(steps_of(1.0 / n)), field, {driven_start()}).state[0],
                    driven_exact(1));
  });
  EXPECT_NEAR(order, traits_.order, kOrderWindow);
}

TEST_P(SolverConformance, ShowsItsOrderInReverseTime) {
  FunctionField field = driven();
  const double order = observed_order([&](int n) {
    return distance(solve(options(steps_of(1.0 / n)), field, {driven_exact(1)}, {1, 0}).state[0],
                    driven_start());
  });
  EXPECT_NEAR(order, traits_.order, kOrderWindow);
}

TEST_P(SolverConformance, IntegratesPolynomialsUpToItsOrderExactly) {
  for (int degree = 1; degree <= traits_.order; ++degree) {
    FunctionField field(false, [degree](const Scalar& t, const State& y) {
      return State{torch::full_like(y[0], degree * std::pow(t.value, degree - 1))};
    });
    // A multistep method makes steps from a full history, too.
    const double steps = traits_.history == 0 ? 1 : traits_.history + 4;

    const Tensor y = solve(options(steps_of(1 / steps)), field, {tensor({0}, 1)}).state[0];

    // Sums of weights up to 45 times values up to the order: some hundred eps.
    EXPECT_NEAR(y.item<double>(), 1, 1e-13 + solver_noise()) << "degree " << degree;
  }
}

TEST_P(SolverConformance, ReturnsToTheStartInReverseTime) {
  FunctionField field = driven();
  std::vector<Values> ways = {steps_of(1.0 / 32)};
  if (traits_.is_adaptive) {
    ways.push_back({{"rtol", 1e-5}, {"atol", 1e-5}, {"preset", std::string("clean")}});
  }
  for (const Values& way : ways) {
    const DriverOptions o = options(way);
    const Tensor there = solve(o, field, {driven_start()}).state[0];
    const Tensor back = solve(o, field, {there}, {1, 0}).state[0];

    // The error of the way out grows by exp(damping) on the way back, which adds one of the same
    // size. Ten: errors of another sign, steps at other places.
    const double error = distance(there, driven_exact(1));
    EXPECT_LT(distance(back, driven_start()), 10 * std::exp(kDrivenDamping) * error + 1e-12);
  }
}

// --- costs

// f(t0, y0) included: what a step costs that does not get it from the step before.
std::int64_t evaluations(const MethodTraits& traits) {
  return traits.is_fsal ? traits.stages + 1 : traits.stages;
}

TEST_P(FixedConformance, CostsWhatItsStagesSay) {
  FunctionField field = rotor();
  const auto count = [&](int steps) {
    return solve(options(steps_of(1.0 / steps)), field, {rotor_start()}).statistics.nfe;
  };
  const int first = 2 * traits_.history + 6;
  if (traits_.is_implicit) {
    EXPECT_GE(count(first), first);
    return;
  }
  // The start of a multistep method is its own affair.
  if (traits_.history > 0) {
    EXPECT_GE(count(first), first * traits_.stages);
  } else {
    EXPECT_EQ(count(first), first * traits_.stages + (traits_.is_fsal ? 1 : 0));
  }
  EXPECT_EQ(count(first + 5) - count(first), 5 * traits_.stages);
}

TEST_P(AdaptiveConformance, CostsWhatItsStagesSay) {
  FunctionField field = rotor();
  // Only a method that shows its stages has one that may be stale.
  const State f0 = field.evaluate({0, {}}, {rotor_start()});
  const bool shows_stages =
      !method_->step(field, {{0, {}}, {0.1, {}}, {0.1, {}}}, {rotor_start()}, f0).stages.empty();
  bool has_rejected = false;
  for (const bool is_first_given : {false, true}) {
    for (const bool is_stale : {false, true}) {
      for (const char* end : kEnds) {
        for (const char* control : kControls) {
          Values values = with({{"rtol", 1e-3}, {"atol", 1e-3}}, control, end, "none");
          values["stale_fsal"] = is_stale;
          if (is_first_given) values["first_step"] = 0.9;

          const ode::Statistics s =
              solve(options(values), field, {rotor_start().narrow(0, 0, 1)}).statistics;

          has_rejected |= s.rejected > 0;
          EXPECT_EQ(s.attempts, s.accepted + s.rejected);
          if (traits_.is_implicit) {
            EXPECT_GE(s.nfe, s.attempts);
            continue;
          }
          // f at the start, the choice of the first step, and every attempt. A step whose start
          // nobody has evaluated adds it; so does the end of the last one, which is interpolated.
          std::int64_t expected =
              1 + (is_first_given ? 0 : 1) + (evaluations(traits_) - 1) * s.attempts;
          if (!traits_.is_fsal && !(is_stale && shows_stages)) {
            expected += s.accepted - (std::string(end) == "clamp" ? 1 : 0);
          }
          EXPECT_EQ(s.nfe, expected) << "first step " << is_first_given << ", stale " << is_stale
                                     << ", " << end << ", " << control;
        }
      }
    }
  }
  EXPECT_TRUE(has_rejected);
}

// --- states of several tensors

TEST_P(SolverConformance, TreatsAPairAsTheConcatenatedState) {
  FunctionField whole = oscillator(3);
  FunctionField parts(true, [](const Scalar&, const State& s) {
    return State{3 * s[1], -3 * s[0]};
  });
  const DriverOptions o = options(steps_of(0.1));
  const Tensor y0 = rotor_start();

  const Tensor a = solve(o, whole, {y0}).state[0];
  const State b =
      solve(o, parts, {y0.narrow(1, 0, 1).contiguous(), y0.narrow(1, 1, 1).contiguous()}).state;

  // The same operations on every element, except in the norms of an iteration.
  EXPECT_LE(distance(a, torch::cat({b[0], b[1]}, 1)), solver_noise());
}

TEST_P(SolverConformance, TreatsATupleOfOneAsTheTensor) {
  FunctionField one = driven();
  FunctionField two(false, [](const Scalar& t, const State& s) {
    FunctionField each = driven();
    return State{each.evaluate(t, {s[0]})[0], each.evaluate(t, {s[1]})[0]};
  });
  const DriverOptions o = options(usual_steps());
  const Tensor y0 = driven_start();

  const SolveResult a = solve(o, one, {y0});
  const SolveResult b = solve(o, two, {y0, y0});

  // A component that repeats another adds nothing: the largest norm is that of one.
  EXPECT_LE(distance(a.state[0], b.state[0]), solver_noise());
  EXPECT_LE(distance(a.state[0], b.state[1]), solver_noise());
  EXPECT_EQ(a.statistics.attempts, b.statistics.attempts);
}

// --- dtypes

TEST_P(SolverConformance, DiffersInFloat32ByRounding) {
  FunctionField field = driven();
  // The same steps for both: rounding may choose others.
  DriverOptions o = options(usual_steps());
  const SolveResult exact = solve(o, field, {driven_start()});
  if (traits_.is_adaptive) {
    o = options({{"controller", std::string("replay")}, {"rtol", 0.1}, {"atol", 0.1}});
    o.schedule = std::make_shared<const ode::Schedule>(exact.schedule);
  }

  const Tensor rounded = solve(o, field, {driven_start().to(torch::kFloat)}).state[0];

  EXPECT_EQ(rounded.scalar_type(), torch::kFloat);
  // Every element of the sum over a step is off by eps: 6e-8 times sums of weights up to 50 times
  // |f| up to 6, over the whole interval. Iterations stop at 1e-6 of the state, at most twice a
  // step.
  const double allowance = traits_.is_implicit ? 4e-5 : 2e-5;
  EXPECT_LT(distance(rounded.to(torch::kDouble), exact.state[0]), allowance);
}

// --- skew-linear equations

// y' = z W, z' = -y W^T, which keeps |y|^2 + |z|^2.
const Tensor& skew_weight() {
  static const Tensor w = tensor({0.5, -1.0, 0.7, 0.3, -0.2, 0.9}, 2);
  return w;
}

FunctionField skew() {
  return {true, [](const Scalar&, const State& s) {
            return State{s[1].matmul(skew_weight()), -s[0].matmul(skew_weight().t())};
          }};
}

State skew_start() {
  return {tensor({1, 2}, 2), tensor({0.5, -1, 0.3}, 3)};
}

double squared_norm(const State& s) {
  return (s[0].square().sum() + s[1].square().sum()).item<double>();
}

TEST_P(SolverConformance, GainsTheKnownFactorOnASkewLinearPair) {
  FunctionField field = skew();
  const int steps = 8;
  const DriverOptions o = options(steps_of(1.0 / steps));
  const State start = skew_start();
  const double gained = squared_norm(solve(o, field, start).state);
  // Singular vectors turn the pair into rotations with the singular values as speeds; the third
  // direction of z stands still.
  const auto [u, s, v] = torch::linalg_svd(skew_weight().t(), /*full_matrices=*/false);
  const Tensor y = start[0].matmul(u);
  const Tensor z = start[1].matmul(v.t());
  double expected = start[1].square().sum().item<double>() - z.square().sum().item<double>();
  for (std::int64_t i = 0; i < s.size(0); ++i) {
    const double part = (y[0][i].square() + z[0][i].square()).item<double>();
    FunctionField rotation = oscillator(s[i].item<double>());
    // |R(ih)| from one step; a multistep method has none, and turns by its own way.
    const int turns = traits_.history == 0 ? 1 : steps;
    const Tensor once =
        solve(o, rotation, {tensor({1, 0}, 2)}, {0, turns / static_cast<double>(steps)}).state[0];
    const double gain = once.square().sum().item<double>();
    if (traits_.history == 0) {
      expected += part * std::pow(gain, steps);
    } else {
      expected += part * gain;
    }
  }
  // Eight steps of rounding and of an iteration's tolerance; the corrector of a multistep method
  // may stop at the size of its own error.
  const double iteration = traits_.history > 0 ? 1e-4 : 1e-7;
  EXPECT_NEAR(gained, expected, traits_.is_implicit ? iteration : 1e-12);
}

TEST_P(AdaptiveConformance, KeepsTheNormOfASkewLinearPairAtTightTolerance) {
  FunctionField field = skew();
  const double tolerance = 1e-6;
  Values values = {{"rtol", tolerance}, {"atol", tolerance}, {"preset", std::string("clean")}};

  const double kept = squared_norm(solve(options(values), field, skew_start()).state);

  // Local errors add up; an estimate may be some hundred times too small (Fehlberg's 2(1): 512).
  EXPECT_NEAR(kept / squared_norm(skew_start()), 1, 1000 * tolerance);
}

// --- controllers

TEST_P(AdaptiveConformance, ReachesItsToleranceUnderEveryController) {
  for (const char* controller : {"i", "pi", "pid"}) {
    for (const char* control : kControls) {
      const auto error = [&](double tolerance) {
        FunctionField field = driven();
        Values values = with({{"rtol", tolerance}, {"atol", tolerance}}, control, "clamp", "none");
        values["controller"] = std::string(controller);
        values["stale_fsal"] = false;
        return distance(solve(options(values), field, {driven_start()}).state[0], driven_exact(1));
      };
      const double loose = error(1e-5);
      const double tight = error(1e-7);
      // As above.
      EXPECT_LT(loose, 1000 * 1e-5) << controller << " " << control;
      EXPECT_LT(tight, 1000 * 1e-7) << controller << " " << control;
      // Errors follow the tolerance with a power of at least one half, unless they are below it.
      EXPECT_LT(tight, std::max(loose / 5, 1e-7)) << controller << " " << control;
    }
  }
}

// --- for every method

INSTANTIATE_TEST_SUITE_P(Plugin, SolverDeclaration, methods(Which::kAll), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, SolverConformance, methods(Which::kAll), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, AdaptiveConformance, methods(Which::kAdaptive), id_of);
INSTANTIATE_TEST_SUITE_P(Plugin, FixedConformance, methods(Which::kFixed), id_of);

}  // namespace
}  // namespace unmask::test::solver_conformance_test
