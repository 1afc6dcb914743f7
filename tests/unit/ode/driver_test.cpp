// The driver and its parts: statuses, limits, input errors, cost. Whether the numbers are right is
// the matter of tests/verification/solvers.

#include "ode/driver.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/record_function.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ode/controller.hpp"
#include "ode/end_rule.hpp"
#include "ode/fixed_grid.hpp"
#include "ode/initial_step.hpp"
#include "ode/lanes.hpp"
#include "ode/norms.hpp"
#include "ode/session.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::driver_test {
namespace {

using namespace unmask::ode;
using testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::unique_ptr<Method> method(const std::string& id) {
  return test::make_plugin<Method>("solver", id);
}

DriverOptions adaptive(double tolerance) {
  DriverOptions o;
  o.is_adaptive = true;
  o.rtol = tolerance;
  o.atol = tolerance;
  return o;
}

State ones(std::int64_t rows = 2, at::ScalarType dtype = at::kDouble) {
  return {torch::ones({rows, 3}, dtype)};
}

Lanes one(double value) {
  return {{value}, Tensor(), false};
}

template <class Thrown = NumericError, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Thrown& error) {
    return error.what();
  }
  return "not thrown";
}

// --- inputs

std::string refusal(const State& y0, const std::vector<double>& times = {0, 1}) {
  auto field = test::decay();
  const auto m = method("euler");
  return message_of([&] { solve(*m, DriverOptions{}, field, y0, times); });
}

TEST(Driver, RefusesAStateItCannotStartFrom) {
  EXPECT_THAT(refusal({}), HasSubstr("has no tensors"));
  EXPECT_THAT(refusal({Tensor()}), HasSubstr("is undefined"));
  EXPECT_THAT(refusal({torch::zeros({0, 3})}), HasSubstr("shape [0, 3]"));
  EXPECT_THAT(refusal({torch::zeros({})}), HasSubstr("needs a batch axis"));
  EXPECT_THAT(refusal({torch::zeros({2, 3}, torch::kLong)}), HasSubstr("float32 or float64"));
  EXPECT_THAT(refusal({torch::zeros({2, 3}), torch::zeros({2, 3}, torch::kDouble)}),
              HasSubstr("one dtype"));
  EXPECT_THAT(refusal({torch::zeros({2, 3}), torch::zeros({3, 3})}),
              HasSubstr("common batch axis"));
  EXPECT_THAT(refusal({torch::zeros({2, 3}), torch::zeros({2, 3}, torch::kMeta)}),
              HasSubstr("one device"));
}

TEST(Driver, RefusesTimesThatAreNotMonotone) {
  EXPECT_THAT(refusal(ones(), {0}), HasSubstr("a start and an end"));
  EXPECT_THAT(refusal(ones(), {1, 1}), HasSubstr("entry 1 is 1 after 1"));
  EXPECT_THAT(refusal(ones(), {0, 1, 0.5}), HasSubstr("entry 2"));
  EXPECT_THAT(refusal(ones(), {0, kInfinity}), HasSubstr("finite"));
}

TEST(Driver, RefusesAFieldOfOtherShape) {
  const auto m = method("euler");
  test::FunctionField too_many(true, [](const Scalar&, const State& y) {
    return State{y[0], y[0]};
  });
  test::FunctionField wrong_shape(true,
                                  [](const Scalar&, const State& y) { return State{y[0].t()}; });
  test::FunctionField wrong_dtype(
      true, [](const Scalar&, const State& y) { return State{y[0].to(torch::kFloat)}; });

  const auto text = [&](VectorField& field) {
    return message_of<PluginError>([&] { solve(*m, DriverOptions{}, field, ones(), {0, 1}); });
  };

  EXPECT_THAT(text(too_many), HasSubstr("returned 2 tensors for a state of 1"));
  EXPECT_THAT(text(wrong_shape), HasSubstr("[3, 2]"));
  EXPECT_THAT(text(wrong_dtype), HasSubstr("Float"));
}

TEST(Driver, RefusesAFieldThatWritesToTheState) {
  const auto m = method("euler");
  test::FunctionField careless(true,
                               [](const Scalar&, const State& y) { return State{-y[0].relu_()}; });
  EXPECT_THAT(message_of<PluginError>([&] {
                solve(*m, DriverOptions{}, careless, ones(), {0, 1});
              }),
              HasSubstr("the vector field changed the state that it was given"));
  const at::AutoGradMode without_graph(false);
  EXPECT_THAT(message_of<PluginError>([&] {
                solve(*m, DriverOptions{}, careless, ones(), {0, 1});
              }),
              HasSubstr("the vector field changed the state that it was given"));
}

// --- methods

// A step of Heun's method with an error estimate, in which a test changes something.
class BentMethod final : public Method {
 public:
  using Bend = std::function<void(StepOutput& step, const State& y0, const State& f0)>;
  BentMethod(MethodTraits traits, Bend bend) : traits_(traits), bend_(std::move(bend)) {}

  MethodTraits traits() const override { return traits_; }
  StepOutput step(VectorField& field,
                  const StepInput& input,
                  const State& y0,
                  const State& f0) override {
    StepOutput out;
    const Tensor end = field.evaluate(input.t1, {y0[0] + input.h.value * f0[0]})[0];
    out.y1 = {y0[0] + input.h.value / 2 * (f0[0] + end)};
    out.error = {input.h.value / 2 * (end - f0[0])};
    out.f1 = {field.evaluate(input.t1, out.y1)[0]};
    out.stages = {f0, {end}};
    bend_(out, y0, f0);
    return out;
  }
  State midpoint(const StepInput&, const State&, const StepOutput&) override { return {}; }

 private:
  MethodTraits traits_;
  Bend bend_;
};

constexpr MethodTraits kHeunTraits{
    .order = 2, .controller_order = 2, .stages = 3, .is_adaptive = true, .is_fsal = true};

std::string refusal_of_step(const BentMethod::Bend& bend,
                            const MethodTraits& traits = kHeunTraits) {
  BentMethod bent(traits, bend);
  auto field = test::decay();
  const DriverOptions options = traits.is_adaptive ? adaptive(1e-3) : DriverOptions{};
  return message_of<PluginError>([&] { solve(bent, options, field, ones(), {0, 1}); });
}

TEST(Driver, TakesAStepThatKeepsToTheContract) {
  EXPECT_EQ(refusal_of_step([](StepOutput&, const State&, const State&) {}), "not thrown");
}

TEST(Driver, RefusesWhatCannotBeAStep) {
  const auto refusal = [](auto change) {
    return refusal_of_step(
        [change](StepOutput& step, const State&, const State&) { change(step); });
  };
  EXPECT_THAT(refusal([](StepOutput& s) { s.y1.clear(); }),
              HasSubstr("step returned as y1 0 tensors for a state of 1"));
  EXPECT_THAT(refusal([](StepOutput& s) { s.y1 = {Tensor()}; }), HasSubstr("an undefined tensor"));
  // Would go on as a batch of one, and give every sample the answer of the first.
  EXPECT_THAT(refusal([](StepOutput& s) { s.y1 = {s.y1[0].slice(0, 0, 1)}; }),
              HasSubstr("as y1 Double [1, 3] on cpu for component 0, which is Double [2, 3]"));
  EXPECT_THAT(refusal([](StepOutput& s) { s.y1 = {s.y1[0].to(torch::kFloat)}; }),
              HasSubstr("as y1 Float"));
  EXPECT_THAT(refusal([](StepOutput& s) { s.error.clear(); }),
              HasSubstr("as error 0 tensors for a state of 1"));
  // Has the strides of the state, so that its norm would be read beyond its end.
  EXPECT_THAT(refusal([](StepOutput& s) { s.error = {s.error[0].slice(0, 0, 1)}; }),
              HasSubstr("as error Double [1, 3]"));
  EXPECT_THAT(refusal([](StepOutput& s) { s.f1.clear(); }), HasSubstr("as f1 0 tensors"));
  EXPECT_THAT(refusal([](StepOutput& s) { s.stages.push_back({}); }),
              HasSubstr("as a stage 0 tensors"));
}

TEST(Driver, RefusesAMiddleThatIsNone) {
  MethodTraits traits = kHeunTraits;
  traits.has_midpoint = true;
  EXPECT_THAT(refusal_of_step([](StepOutput&, const State&, const State&) {}, traits),
              HasSubstr("the solver's midpoint returned 0 tensors"));
}

TEST(Driver, RefusesAMethodThatWritesToItsArguments) {
  EXPECT_THAT(
      refusal_of_step([](StepOutput&, const State& y0, const State&) { y0[0].detach().add_(1); }),
      HasSubstr("changed the state or the derivative that it was given"));
  EXPECT_THAT(
      refusal_of_step([](StepOutput&, const State&, const State& f0) { f0[0].detach().mul_(2); }),
      HasSubstr("changed the state or the derivative that it was given"));
}

TEST(Driver, LeavesAnErrorThatNobodyAskedForAlone) {
  MethodTraits traits = kHeunTraits;
  traits.is_adaptive = false;
  EXPECT_EQ(
      refusal_of_step([](StepOutput& s, const State&, const State&) { s.error.clear(); }, traits),
      "not thrown");
}

TEST(Driver, RefusesAdaptiveOptionsForAFixedMethod) {
  auto field = test::decay();
  const auto m = method("rk4");
  EXPECT_THROW(solve(*m, adaptive(1e-3), field, ones(), {0, 1}), ParamError);
}

// --- statuses

TEST(Driver, ReportsUnderflowWhereTheFieldStopsBeingFinite) {
  auto field = test::nan_after(0.5);
  const auto m = method("dopri5");

  const SolveResult result = solve(*m, adaptive(1e-3), field, ones(), {0, 1});

  EXPECT_EQ(result.status, SolveStatus::kStepUnderflow);
  EXPECT_NEAR(result.time_reached, 0.5, 1e-9);
}

TEST(Driver, ReturnsThePartialStateOfAFailedSolve) {
  auto field = test::nan_after(0.5);
  const auto m = method("dopri5");

  const SolveResult result = solve(*m, adaptive(1e-6), field, ones(), {0, 1});

  // The state at 0.5 is exp(-0.5) within the tolerance of each of a few steps.
  EXPECT_NEAR(result.state[0][0][0].item<double>(), std::exp(-0.5), 1e-5);
  EXPECT_EQ(result.outputs.size(), 1U);
}

TEST(Driver, StopsAtTheLimitOfAttempts) {
  auto field = test::oscillator(3);
  const auto m = method("bosh3");
  DriverOptions options = adaptive(1e-6);
  options.max_attempts = 7;

  const SolveResult result =
      solve(*m, options, field, {torch::ones({1, 2}, torch::kDouble)}, {0, 1});

  EXPECT_EQ(result.status, SolveStatus::kMaxAttempts);
  EXPECT_EQ(result.statistics.attempts, 7);
  EXPECT_GT(result.time_reached, 0);
  EXPECT_LT(result.time_reached, 1);
}

TEST(Driver, ReportsAStartThatIsNotFinite) {
  auto field = test::decay();
  const auto m = method("dopri5");
  const State start = {torch::full({1, 3}, kNaN, torch::kDouble)};

  EXPECT_EQ(solve(*m, adaptive(1e-3), field, start, {0, 1}).status, SolveStatus::kNonFiniteState);
  DriverOptions given = adaptive(1e-3);
  given.first_step = 0.1;
  EXPECT_EQ(solve(*m, given, field, start, {0, 1}).status, SolveStatus::kNonFiniteState);
}

TEST(Driver, ReportsAFieldThatIsNotFiniteAtTheStart) {
  auto field = test::nan_after(-1);
  const auto m = method("dopri5");

  EXPECT_EQ(solve(*m, adaptive(1e-3), field, ones(), {0, 1}).status, SolveStatus::kNonFiniteField);
  DriverOptions given = adaptive(1e-3);
  given.first_step = 0.1;
  EXPECT_EQ(solve(*m, given, field, ones(), {0, 1}).status, SolveStatus::kNonFiniteField);
}

TEST(Driver, NeverAcceptsAStepThatIsNotFinite) {
  auto field = test::nan_after(0.5);
  const auto m = method("dopri5");
  DriverOptions options = adaptive(1e-3);
  options.min_step = 0.2;

  const SolveResult result = solve(*m, options, field, ones(), {0, 1});

  EXPECT_EQ(result.status, SolveStatus::kNonFiniteField);
  EXPECT_TRUE(torch::isfinite(result.state[0]).all().item<bool>());
}

// --- statistics and cost

TEST(Driver, CountsEvaluationsByTheFormula) {
  for (const char* id : {"bosh3", "dopri5"}) {
    for (const double tolerance : {1e-1, 1e-3, 1e-6}) {
      for (const bool given : {false, true}) {
        auto field = test::oscillator(3);
        const auto m = method(id);
        DriverOptions options = adaptive(tolerance);
        if (given) options.first_step = 0.3;

        const Statistics s =
            solve(*m, options, field, {torch::ones({1, 2}, torch::kDouble)}, {0, 1}).statistics;

        EXPECT_EQ(s.nfe, 1 + (given ? 0 : 1) + m->traits().stages * (s.accepted + s.rejected));
        EXPECT_EQ(s.attempts, s.accepted + s.rejected);
      }
    }
  }
}

TEST(Driver, ReadsTheDeviceOncePerAttempt) {
  auto field = test::oscillator(3);
  const auto m = method("dopri5");

  const Statistics s =
      solve(*m, adaptive(1e-6), field, {torch::ones({1, 2}, torch::kDouble)}, {0, 1}).statistics;

  EXPECT_EQ(s.host_reads, s.attempts + 2);  // two choose the first step
}

TEST(Driver, ReadsNothingForFixedSteps) {
  auto field = test::decay();
  const auto m = method("rk4");
  DriverOptions options;
  options.step_size = 0.1;

  EXPECT_EQ(solve(*m, options, field, ones(), {0, 1}).statistics.host_reads, 0);
}

TEST(Driver, ReadsNothingForConstantSteps) {
  auto field = test::decay();
  const auto m = method("dopri5");
  DriverOptions options = adaptive(1e-3);
  options.controller = ControllerKind::kConstant;
  options.first_step = 0.25;

  const Statistics s = solve(*m, options, field, ones(), {0, 1}).statistics;

  EXPECT_EQ(s.host_reads, 0);
  EXPECT_EQ(s.accepted, 4);
  EXPECT_EQ(s.rejected, 0);
}

TEST(Driver, CapsTheStepLog) {
  auto field = test::oscillator(3);
  const auto m = method("bosh3");
  DriverOptions options = adaptive(1e-6);
  options.log_limit = 5;

  const Statistics s =
      solve(*m, options, field, {torch::ones({1, 2}, torch::kDouble)}, {0, 1}).statistics;

  EXPECT_EQ(s.log.size(), 5U);
  EXPECT_GT(s.attempts, 5);
}

TEST(Driver, ReportsTheRangeOfAcceptedSteps) {
  auto field = test::oscillator(3);
  const auto m = method("bosh3");

  const Statistics s =
      solve(*m, adaptive(1e-3), field, {torch::ones({1, 2}, torch::kDouble)}, {0, 1}).statistics;

  double smallest = kInfinity;
  double largest = 0;
  for (const Attempt& attempt : s.log) {
    if (!attempt.accepted) continue;
    smallest = std::min(smallest, attempt.h);
    largest = std::max(largest, attempt.h);
  }
  EXPECT_EQ(s.step_min, smallest);
  EXPECT_EQ(s.step_max, largest);
  EXPECT_EQ(s.first_step, s.log.front().h);
}

// Operations of the library that a function dispatches, nested ones included.
template <class F>
int dispatched_operations(F f) {
  static thread_local int count = 0;
  count = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction&) -> std::unique_ptr<at::ObserverContext> {
        ++count;
        return nullptr;
      }));
  f();
  at::removeCallback(handle);
  return count;
}

double operations_per_step(StepGradient rule, bool with_graph) {
  const auto m = method("dopri5");
  // A field without operations of its own.
  const auto count = [&](double end) {
    const Tensor derivative = torch::ones({2, 3}, torch::kDouble).requires_grad_(with_graph);
    test::FunctionField field(true, [&](const Scalar&, const State&) { return State{derivative}; });
    DriverOptions options = adaptive(1e-3);
    options.first_step = 0.01;
    options.max_step = 0.01;
    options.step_gradient = rule;
    const at::AutoGradMode mode(with_graph);
    return dispatched_operations([&] { solve(*m, options, field, ones(), {0, end}); });
  };
  return (count(0.205) - count(0.105)) / 10.0;
}

TEST(Driver, DispatchesFewOperationsPerStepWithoutGraph) {
  // Six stages and the error estimate make one tensor each, and little else is needed.
  EXPECT_LE(operations_per_step(StepGradient::kNone, false), 20);
}

TEST(Driver, DispatchesFewOperationsPerStepWithGraph) {
  EXPECT_LE(operations_per_step(StepGradient::kFirstOnly, true), 60);
  EXPECT_LE(operations_per_step(StepGradient::kFull, true), 150);
}

TEST(Driver, FreesRejectedAttemptsUnlessTheyAreDifferentiated) {
  for (const bool full : {false, true}) {
    std::vector<std::weak_ptr<torch::autograd::Node>> nodes;
    const Tensor weight = torch::full({}, 4.0, torch::kDouble).requires_grad_(true);
    test::FunctionField field(true, [&](const Scalar&, const State& y) {
      const Tensor out = -weight * y[0];
      nodes.push_back(out.grad_fn());
      return State{out};
    });
    const auto m = method("bosh3");
    DriverOptions options = adaptive(1e-3);
    options.first_step = 0.5;  // rejected, with an error ratio that sets the next step
    options.step_gradient = full ? StepGradient::kFull : StepGradient::kFirstOnly;

    const SolveResult result = solve(*m, options, field, ones(), {0, 1});

    ASSERT_FALSE(result.statistics.log.front().accepted);
    // Evaluation 0 is f(t0, y0); 1 to 3 belong to the rejected attempt.
    EXPECT_EQ(nodes.at(2).expired(), !full);
  }
}

// --- parts

TEST(FixedGrid, EndsExactlyAtTheLastTime) {
  EXPECT_EQ(fixed_grid({0, 1}, std::nullopt), (std::vector<double>{0, 1}));
  EXPECT_EQ(fixed_grid({0, 1}, 0.4), (std::vector<double>{0, 0.4, 0.8, 1}));
  EXPECT_EQ(fixed_grid({1, 0}, 0.5), (std::vector<double>{1, 0.5, 0}));
  EXPECT_EQ(fixed_grid({0, 1}, 5), (std::vector<double>{0, 1}));
}

TEST(FixedGrid, TakesQuotientsWithinRoundingAsWhole) {
  EXPECT_EQ(fixed_grid({0, 0.3}, 0.1).size(), 4U);
  EXPECT_EQ(fixed_grid({0, 1.1}, 0.1).size(), 12U);
}

// Nothing is allocated for them: 1e-300 would take more bytes than there are.
TEST(FixedGrid, RefusesStepsThatCannotBeMeantAndNamesThem) {
  for (const auto& [step, count] : {std::pair{1e-300, "1e+300 steps"},
                                    std::pair{1e-20, "1e+20 steps"},
                                    std::pair{1e-14, "1e+14 steps"},
                                    std::pair{0.999e-6, "1.001e+06 steps"},
                                    std::pair{1e300, "1e-300 of such a step"}}) {
    try {
      fixed_grid({0, 1}, step);
      ADD_FAILURE() << "a step of " << step << " was taken";
    } catch (const ParamError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("step_size"));
      EXPECT_THAT(error.what(), testing::HasSubstr(count));
    }
  }
  EXPECT_EQ(fixed_grid({0, 1}, 1e-6).size(), 1'000'001U);
  EXPECT_EQ(fixed_grid({0, 1}, 1e6).size(), 2U);
}

TEST(Controller, FollowsTheIntegralFormula) {
  Controller c(adaptive(1e-3), 5);
  const auto next = [&](double ratio) {
    return c.next(one(0.1), one(ratio), {ratio <= 1}).value.front();
  };

  EXPECT_DOUBLE_EQ(next(0.5), 0.1 * 0.9 * std::pow(0.5, -0.2));
  EXPECT_DOUBLE_EQ(next(32), 0.1 * 0.9 / 2);
  EXPECT_DOUBLE_EQ(next(0), 0.1 * 10);
  EXPECT_DOUBLE_EQ(next(1e-9), 0.1 * 10);
  EXPECT_DOUBLE_EQ(next(1e9), 0.1 * 0.2);
  EXPECT_DOUBLE_EQ(next(0.9), 0.1);  // 0.9 * 1.02 < 1: no shrinking after a clear accept
  EXPECT_DOUBLE_EQ(next(1), 0.09);   // the floor rule holds below 1 only
  EXPECT_DOUBLE_EQ(next(kNaN), 0.1 * 0.2);
}

TEST(Controller, FollowsTheFormulaOfPid) {
  DriverOptions options = adaptive(1e-3);
  options.controller = ControllerKind::kPid;
  options.exponents = {0.58, -0.21, 0.1};
  Controller c(options, 3);
  const auto next = [&](double ratio) {
    return c.next(one(0.1), one(ratio), {ratio <= 1}).value.front();
  };

  // Ratios of steps that do not exist are 1.
  EXPECT_DOUBLE_EQ(next(0.5), 0.1 * 0.9 * std::pow(0.5, -0.58 / 3));
  EXPECT_DOUBLE_EQ(next(0.25), 0.1 * 0.9 * std::pow(0.25, -0.58 / 3) * std::pow(0.5, 0.21 / 3));
  // A rejection looks at its own ratio alone, by the integral rule, and is not remembered.
  EXPECT_DOUBLE_EQ(next(8), 0.1 * 0.9 / 2);
  EXPECT_DOUBLE_EQ(
      next(0.125),
      0.1 * 0.9 * std::pow(0.125, -0.58 / 3) * std::pow(0.25, 0.21 / 3) * std::pow(0.5, -0.1 / 3));
}

TEST(Controller, KeepsLanesApart) {
  DriverOptions options = adaptive(1e-3);
  options.controller = ControllerKind::kProportionalIntegral;
  options.exponents = {0.8, -0.31};
  Controller both(options, 5);
  const Lanes h{{0.1, 0.2}, Tensor(), true};
  both.next(h, {{0.5, 3.0}, Tensor(), true}, {true, false});
  const Lanes together = both.next(h, {{0.4, 0.3}, Tensor(), true}, {true, true});
  both.select({1});
  const Lanes selected = both.next({{0.2}, Tensor(), true}, {{0.6}, Tensor(), true}, {true});

  Controller first(options, 5);
  first.next(one(0.1), one(0.5), {true});
  Controller second(options, 5);
  second.next(one(0.2), one(3.0), {false});
  EXPECT_EQ(together.value[0], first.next(one(0.1), one(0.4), {true}).value.front());
  EXPECT_EQ(together.value[1], second.next(one(0.2), one(0.3), {true}).value.front());
  EXPECT_EQ(selected.value[0], second.next(one(0.2), one(0.6), {true}).value.front());
}

TEST(Controller, AcceptsUpToOneAndAtTheSmallestStep) {
  DriverOptions options = adaptive(1e-3);
  options.min_step = 0.01;
  const Controller c(options, 5);

  EXPECT_TRUE(c.accepts(1.0, 0.1));
  EXPECT_FALSE(c.accepts(std::nextafter(1.0, 2.0), 0.1));
  EXPECT_TRUE(c.accepts(50, 0.01));
  EXPECT_FALSE(c.accepts(kNaN, 0.01));
}

TEST(Controller, KeepsStepsWithinTheirLimits) {
  DriverOptions options = adaptive(1e-3);
  options.min_step = 0.05;
  options.max_step = 0.2;
  Controller c(options, 5);

  EXPECT_EQ(c.limited(one(0.01)).value.front(), 0.05);
  EXPECT_EQ(c.limited(one(0.5)).value.front(), 0.2);
  EXPECT_EQ(c.next(one(0.1), one(0), {true}).value.front(), 0.2);
}

TEST(InitialStep, FollowsTheFormula) {
  Statistics s;
  auto field = test::decay();
  const State y0 = {torch::tensor({{3.0, 4.0}}, torch::kDouble)};
  const State f0 = {-y0[0]};
  DriverOptions options = adaptive(1e-3);

  const InitialStep first = choose_initial_step(field, 0, 1, y0, f0, options, 5, false, s);

  // d0 = d1, so h0 = 0.01; f1 - f0 = h0 y0, so d2 = d0; h1 = (0.01 / d0)^(1/5).
  const double u = 3.0 / 4e-3;
  const double v = 4.0 / 5e-3;
  const double d0 = std::sqrt((u * u + v * v) / 2);
  EXPECT_NEAR(first.h.value.front(), std::pow(0.01 / d0, 0.2), 1e-12);
}

TEST(InitialStep, TreatsAStandingFieldAsAnyOther) {
  Statistics s;
  test::FunctionField field(
      true, [](const Scalar&, const State& y) { return State{torch::zeros_like(y[0])}; });
  const State y0 = ones();
  DriverOptions options = adaptive(1e-3);

  // d1 = 0: h0 = 1e-6, h1 = max(1e-6, 1e-9), h = min(1e-4, 1e-6).
  EXPECT_DOUBLE_EQ(
      choose_initial_step(field, 0, 1, y0, {torch::zeros_like(y0[0])}, options, 5, false, s)
          .h.value.front(),
      1e-6);
}

double norm(const State& x, const State& a, const State* b, double rtol, double atol) {
  Statistics s;
  return largest(component_norms({{&x, &a, b}}, {.rtol = rtol, .atol = atol}, false, s).front())
      .value.front();
}

TEST(Norms, TakeTheLargestComponentAndNotTheMean) {
  const State x = {torch::full({1, 100}, 1.0, torch::kDouble),
                   torch::full({1, 1}, 5.0, torch::kDouble)};
  const State y = {torch::zeros({1, 100}, torch::kDouble), torch::zeros({1, 1}, torch::kDouble)};

  EXPECT_DOUBLE_EQ(norm(x, y, nullptr, 0.1, 1.0), 5.0);
}

TEST(Norms, AreTheSameWithAndWithoutGraph) {
  Statistics s;
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    for (const ErrorNorm kind : {ErrorNorm::kRms, ErrorNorm::kMax}) {
      for (const bool is_per_sample : {false, true}) {
        const Tensor base =
            torch::sin(torch::arange(3 * 1003, torch::kDouble)).reshape({3, 1003}).to(dtype);
        const State x = {base};
        const State a = {(base * 3 + 1).requires_grad_(true)};
        const State b = {base * -4};
        const NormOptions options{0.1, 0.2, kind, is_per_sample, 0};

        const Lanes fast = component_norms({{&x, &a, &b}}, options, false, s).front().front();
        const Lanes slow = component_norms({{&x, &a, &b}}, options, true, s).front().front();

        // Both sum some 1e3 rounded squares; the library's float32 sum is pairwise, 10 levels deep.
        ASSERT_EQ(fast.size(), is_per_sample ? 3U : 1U);
        for (std::size_t lane = 0; lane < fast.size(); ++lane) {
          EXPECT_NEAR(fast.value[lane],
                      slow.value[lane],
                      (dtype == at::kDouble ? 1e-14 : 1e-6) * slow.value[lane]);
        }
        EXPECT_TRUE(slow.tensor.defined());
      }
    }
  }
}

TEST(Norms, OfSamplesAreThoseOfEachAlone) {
  Statistics s;
  const Tensor base = torch::sin(torch::arange(33, torch::kDouble)).reshape({3, 11});
  const State x = {base, base.narrow(1, 0, 2).contiguous()};
  const NormOptions options{0.1, 0.2, ErrorNorm::kRms, true, 0};
  const Lanes all = largest(component_norms({{&x, &x, nullptr}}, options, false, s).front());

  for (std::int64_t row = 0; row < 3; ++row) {
    const State alone = {x[0].narrow(0, row, 1), x[1].narrow(0, row, 1)};
    EXPECT_EQ(all.value[static_cast<std::size_t>(row)], norm(alone, alone, nullptr, 0.1, 0.2));
  }
}

TEST(Norms, MaxIsTheLargestMagnitude) {
  Statistics s;
  const State x = {torch::tensor({{1.0, -7.0, 2.0}}, torch::kDouble)};
  const State y = {torch::zeros({1, 3}, torch::kDouble)};
  const NormOptions options{0.0, 2.0, ErrorNorm::kMax, false, 0};

  EXPECT_EQ(component_norms({{&x, &y, nullptr}}, options, false, s)[0][0].value.front(), 3.5);
}

TEST(Norms, CountLeadingComponentsOnlyWhenAsked) {
  Statistics s;
  const State x = {torch::ones({1, 3}, torch::kDouble), torch::full({1, 3}, 9.0, torch::kDouble)};
  const State y = {torch::zeros({1, 3}, torch::kDouble), torch::zeros({1, 3}, torch::kDouble)};
  const NormOptions options{0.0, 1.0, ErrorNorm::kRms, false, 1};

  EXPECT_EQ(largest(component_norms({{&x, &y, nullptr}}, options, false, s)[0]).value.front(), 1);
}

TEST(Norms, LetNothingThatIsNotFinitePass) {
  for (const double bad : {kNaN, kInfinity}) {
    State x = ones();
    State y = ones();
    x[0][1][1] = bad;
    EXPECT_FALSE(std::isfinite(norm(x, y, &y, 0.1, 0.1)));
    State broken = ones();
    broken[0][0][2] = kNaN;
    const State good = ones();
    EXPECT_TRUE(std::isnan(norm(good, good, &broken, 0.1, 0.1)));
    EXPECT_TRUE(std::isnan(norm(good, broken, &good, 0.1, 0.1)));
  }
}

TEST(EndRule, ReproducesAQuarticExactly) {
  // y = 1 + 2t - 3t^2 + t^3 - 0.5 t^4 on [1, 3]
  const auto y = [](double t) { return 1 + 2 * t - 3 * t * t + t * t * t - 0.5 * t * t * t * t; };
  const auto dy = [](double t) { return 2 - 6 * t + 3 * t * t - 2 * t * t * t; };
  const auto state = [](double v) { return State{torch::full({1, 1}, v, torch::kDouble)}; };
  const DenseStep step{
      one(1), one(2), one(3), state(y(1)), state(dy(1)), state(y(3)), state(dy(3)), state(y(2))};

  for (const double t : {1.0, 1.3, 2.0, 2.9, 3.0}) {
    // Values up to 50 with weights up to 32: 1e3 eps.
    EXPECT_NEAR(interpolate(step, {t})[0].item<double>(), y(t), 1e-12);
  }
}

TEST(EndRule, ReproducesACubicExactlyWithoutAMiddle) {
  const auto y = [](double t) { return 1 + 2 * t - 3 * t * t + t * t * t; };
  const auto dy = [](double t) { return 2 - 6 * t + 3 * t * t; };
  const auto state = [](double v) { return State{torch::full({1, 1}, v, torch::kDouble)}; };
  const DenseStep step{
      one(1), one(2), one(3), state(y(1)), state(dy(1)), state(y(3)), state(dy(3)), {}};

  for (const double t : {1.0, 1.3, 2.0, 2.9, 3.0}) {
    EXPECT_NEAR(interpolate(step, {t})[0].item<double>(), y(t), 1e-12);
  }
}

TEST(EndRule, OfSamplesIsThatOfEachAlone) {
  const auto state = [](double a, double b) {
    return State{torch::tensor({{a}, {b}}, torch::kDouble)};
  };
  const auto row = [](const State& s, std::int64_t i) { return State{s[0].narrow(0, i, 1)}; };
  const DenseStep both{{{0, 1}, Tensor(), true},
                       {{2, 0.5}, Tensor(), true},
                       {{2, 1.5}, Tensor(), true},
                       state(0.3, 1),
                       state(-1.2, 2),
                       state(0.9, 3),
                       state(2.1, 4),
                       state(-0.4, 5)};
  const Tensor together = interpolate(both, {0.7, 1.1})[0];
  for (std::int64_t i = 0; i < 2; ++i) {
    const auto lane = static_cast<std::size_t>(i);
    const DenseStep alone{one(both.t0.value[lane]),
                          one(both.h.value[lane]),
                          one(both.t1.value[lane]),
                          row(both.y0, i),
                          row(both.f0, i),
                          row(both.y1, i),
                          row(both.f1, i),
                          row(both.middle, i)};
    // Sums of five products of numbers below 100, in another order.
    EXPECT_NEAR(together[i].item<double>(),
                interpolate(alone, {i == 0 ? 0.7 : 1.1})[0].item<double>(),
                1e-13);
  }
}

TEST(EndRule, DifferentiatesThePositionInTheStep) {
  const auto value_at = [](const Tensor& start) {
    const auto state = [](double v) { return State{torch::full({1, 1}, v, torch::kDouble)}; };
    const double t0 = start.item<double>();
    const DenseStep step{{{t0}, start, false},
                         one(2),
                         {{t0 + 2}, start + 2, false},
                         state(0.3),
                         state(-1.2),
                         state(0.9),
                         state(2.1),
                         state(-0.4)};
    return interpolate(step, {2.5})[0].sum();
  };
  const Tensor start = torch::full({}, 1.0, torch::kDouble).requires_grad_(true);

  const double gradient = torch::autograd::grad({value_at(start)}, {start})[0].item<double>();

  const double d = 1e-6;
  const double difference = (value_at(torch::full({}, 1 + d, torch::kDouble)) -
                             value_at(torch::full({}, 1 - d, torch::kDouble)))
                                .item<double>() /
                            (2 * d);
  // Third derivatives of order 100 times d^2, and eps / d.
  EXPECT_NEAR(gradient, difference, 1e-8);
}

// --- session

TEST(Session, RecordsEverySolveByName) {
  DriverOptions options;
  options.step_size = 0.5;
  Session session(method("rk4"), options);
  auto field = test::decay();

  session.integrate("conv1", test::borrowed(field), ones(), 0, 1);
  session.integrate("layer2.0", test::borrowed(field), ones(), 0, 2);

  ASSERT_EQ(session.solves().size(), 2U);
  EXPECT_EQ(session.solves()[0].name, "conv1");
  EXPECT_EQ(session.solves()[0].statistics.nfe, 8);
  EXPECT_EQ(session.solves()[1].name, "layer2.0");
  EXPECT_EQ(session.solves()[1].statistics.nfe, 16);
  session.clear();
  EXPECT_TRUE(session.solves().empty());
}

TEST(Session, ThrowsAndRecordsAFailedSolve) {
  Session session(method("dopri5"), adaptive(1e-3));
  auto field = test::nan_after(0.5);

  const std::string text =
      message_of([&] { session.integrate("layer2.0", test::borrowed(field), ones(), 0, 1); });

  EXPECT_THAT(text, HasSubstr("solve \"layer2.0\" ended with step_underflow at t = 0.5"));
  EXPECT_THAT(text, HasSubstr("fixed steps"));
  ASSERT_EQ(session.solves().size(), 1U);
  EXPECT_EQ(session.solves()[0].status, SolveStatus::kStepUnderflow);
}

TEST(Session, NamesTheSolveOfARefusedInput) {
  Session session(method("euler"), DriverOptions{});
  auto field = test::decay();

  EXPECT_THAT(message_of([&] { session.integrate("conv1", test::borrowed(field), ones(), 1, 1); }),
              HasSubstr("solve \"conv1\": times must be"));
}

TEST(Session, ChecksItsOptionsAtOnce) {
  EXPECT_THROW(Session(method("euler"), adaptive(1e-3)), ParamError);
}

}  // namespace
}  // namespace unmask::test::driver_test
