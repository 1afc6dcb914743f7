// One step size per sample: who runs, who waits, who fails, and what is reported of it. That
// numbers do not depend on batch-mates is checked for every method in tests/conformance.

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ode/driver.hpp"
#include "ode/session.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::sample_control_test {
namespace {

using namespace unmask::ode;
using testing::HasSubstr;

std::unique_ptr<Method> method(const std::string& id) {
  return test::make_plugin<Method>("solver", id);
}

DriverOptions per_sample(double tolerance) {
  DriverOptions o;
  o.is_adaptive = true;
  o.rtol = tolerance;
  o.atol = tolerance;
  o.control = Control::kSample;
  o.end = EndRule::kClamp;
  o.step_gradient = StepGradient::kNone;
  return o;
}

// Row b oscillates with its own frequency; the last axis is (x, v).
test::FunctionField oscillators(const std::vector<double>& frequencies) {
  const Tensor w = torch::tensor(frequencies, torch::kDouble).unsqueeze(1);
  return {true, [w](const Scalar&, const State& y) {
            // Rows are recognised by a third column that never changes: their number.
            const Tensor row = y[0].select(1, 2).to(torch::kLong);
            const Tensor mine = w.index_select(0, row).squeeze(1);
            const Tensor x = y[0].select(1, 0);
            const Tensor v = y[0].select(1, 1);
            return State{torch::stack({mine * v, -mine * x, torch::zeros_like(x)}, 1)};
          }};
}

State start_rows(std::int64_t rows) {
  Tensor y = torch::zeros({rows, 3}, torch::kDouble);
  y.select(1, 0).fill_(1.0);
  y.select(1, 2).copy_(torch::arange(rows, torch::kDouble));
  return {y};
}

TEST(SampleControl, GivesEverySampleTheStepsItNeeds) {
  auto field = oscillators({1, 30});
  const auto m = method("dopri5");

  const SolveResult result = solve(*m, per_sample(1e-6), field, start_rows(2), {0, 1});

  ASSERT_EQ(result.status, SolveStatus::kOk);
  ASSERT_EQ(result.schedule.lanes.size(), 2U);
  // Thirty times the frequency needs about thirty times the steps.
  EXPECT_GT(result.schedule.lanes[1].steps(), 10 * result.schedule.lanes[0].steps());
  EXPECT_EQ(result.statistics.accepted,
            static_cast<std::int64_t>(result.schedule.lanes[0].steps() +
                                      result.schedule.lanes[1].steps()));
  // Errors of some hundred steps of 1e-6 each.
  EXPECT_NEAR(result.state[0][0][0].item<double>(), std::cos(1.0), 1e-4);
  EXPECT_NEAR(result.state[0][1][0].item<double>(), std::cos(30.0), 1e-3);
}

TEST(SampleControl, LetsSamplesGoThatHaveArrived) {
  std::vector<std::int64_t> rows;
  auto inner = oscillators({1, 1, 1, 30});
  test::FunctionField field(true, [&](const Scalar& t, const State& y) {
    rows.push_back(y[0].size(0));
    return inner.evaluate(t, y);
  });
  const auto m = method("dopri5");

  solve(*m, per_sample(1e-6), field, start_rows(4), {0, 1});

  EXPECT_EQ(rows.front(), 4);
  EXPECT_EQ(rows.back(), 1);
}

TEST(SampleControl, ReadsTheDeviceOncePerAttempt) {
  auto field = oscillators({1, 5, 30});
  const auto m = method("dopri5");

  const SolveResult result = solve(*m, per_sample(1e-6), field, start_rows(3), {0, 1});

  // Evaluations beyond f0 and the probe are six per attempt of all samples together.
  const std::int64_t attempts = (result.statistics.nfe - 2) / 6;
  EXPECT_EQ(result.statistics.host_reads, attempts + 2);
}

TEST(SampleControl, LogsWhoseStepItWas) {
  auto field = oscillators({1, 30});
  const auto m = method("bosh3");

  const SolveResult result = solve(*m, per_sample(1e-4), field, start_rows(2), {0, 1});

  std::vector<double> reached(2, 0.0);
  for (const Attempt& attempt : result.statistics.log) {
    ASSERT_TRUE(attempt.sample == 0 || attempt.sample == 1);
    double& t = reached[static_cast<std::size_t>(attempt.sample)];
    EXPECT_EQ(attempt.t, t);
    if (attempt.accepted) t = attempt.t + attempt.h;
  }
  EXPECT_NEAR(reached[0], 1, 1e-12);
  EXPECT_NEAR(reached[1], 1, 1e-12);
}

TEST(SampleControl, PassesOutputTimesSampleBySample) {
  auto field = oscillators({1, 30});
  const auto m = method("dopri5");
  for (const EndRule end : {EndRule::kClamp, EndRule::kInterpolate}) {
    DriverOptions options = per_sample(1e-8);
    options.end = end;

    const SolveResult result = solve(*m, options, field, start_rows(2), {0, 0.05, 0.06, 0.5, 1});

    ASSERT_EQ(result.outputs.size(), 5U);
    const std::vector<double> times = {0, 0.05, 0.06, 0.5, 1};
    for (std::size_t k = 0; k < times.size(); ++k) {
      // The quartic between two steps of a tolerance of 1e-8 errs by about its fifth power of the
      // angle of a step.
      EXPECT_NEAR(result.outputs[k][0][0][0].item<double>(), std::cos(times[k]), 1e-4);
      EXPECT_NEAR(result.outputs[k][0][1][0].item<double>(), std::cos(30 * times[k]), 1e-4);
    }
  }
}

// dy/dt = -y, and NaN where the second column is 1 and t > 0.5.
test::FunctionField breaking_rows() {
  return {false, [](const Scalar& t, const State& y) {
            const Tensor broken =
                y[0].select(1, 1).eq(1).unsqueeze(1).logical_and(broadcast(t, y[0]) > 0.5);
            const Tensor slope = -y[0] * torch::tensor({1.0, 0.0}, torch::kDouble);
            return State{torch::where(
                broken, torch::full_like(slope, std::numeric_limits<double>::quiet_NaN()), slope)};
          }};
}

TEST(SampleControl, OneFailingSampleLeavesTheOthersAlone) {
  auto field = breaking_rows();
  const auto m = method("dopri5");
  const State y0 = {torch::tensor({{1.0, 0.0}, {1.0, 1.0}, {2.0, 0.0}}, torch::kDouble)};

  const SolveResult result = solve(*m, per_sample(1e-6), field, y0, {0, 1});

  EXPECT_EQ(result.status, SolveStatus::kStepUnderflow);
  EXPECT_THAT(
      result.sample_status,
      testing::ElementsAre(SolveStatus::kOk, SolveStatus::kStepUnderflow, SolveStatus::kOk));
  EXPECT_NEAR(result.time_reached, 0.5, 1e-9);
  // The others at 1, the failed one where it stopped.
  EXPECT_NEAR(result.state[0][0][0].item<double>(), std::exp(-1), 1e-5);
  EXPECT_NEAR(result.state[0][1][0].item<double>(), std::exp(-0.5), 1e-5);
  EXPECT_NEAR(result.state[0][2][0].item<double>(), 2 * std::exp(-1), 1e-5);
}

// A field that is not finite in one attempt of one sample, and recovers with a shorter step: its
// square root leaves its domain.
TEST(SampleControl, KeepsStepsThatAreNotFiniteOutOfTheGradient) {
  test::FunctionField field(
      true, [](const Scalar&, const State& y) { return State{-torch::sqrt(y[0] - 0.3)}; });
  const auto m = method("bosh3");
  DriverOptions options = per_sample(1e-5);
  options.first_step = 1.9;  // from 1.0 far below 0.3
  const Tensor start = torch::tensor({{1.0}, {9.0}}, torch::kDouble).requires_grad_(true);

  const SolveResult result = solve(*m, options, field, {start}, {0, 0.4});
  const Tensor gradient = torch::autograd::grad({result.state[0].sum()}, {start})[0];

  options.first_step = std::nullopt;
  const SolveResult calm = solve(*m, options, field, {start}, {0, 0.4});
  const Tensor expected = torch::autograd::grad({calm.state[0].sum()}, {start})[0];
  EXPECT_GT(result.statistics.rejected, 0);
  // Both solve to 1e-5; gradients of a smooth flow on [0, 0.4].
  EXPECT_TRUE(torch::allclose(gradient, expected, 1e-3, 1e-3));
}

TEST(SampleControl, RefusesAFieldThatReadsOneTimeForAll) {
  test::FunctionField field(false,
                            [](const Scalar& t, const State& y) { return State{-y[0] * t.value}; });
  Session session(method("dopri5"), per_sample(1e-3));
  try {
    session.integrate("flow", test::borrowed(field), {torch::ones({2, 1})}, 0, 1);
    FAIL() << "a field that ignores the samples' times was accepted";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("broadcast()"));
    EXPECT_THAT(error.what(), HasSubstr("2 of 2 samples"));
  }
}

TEST(SampleControl, CountsTheLimitOfAttemptsPerSample) {
  auto field = oscillators({1, 30});
  const auto m = method("bosh3");
  DriverOptions options = per_sample(1e-6);
  options.max_attempts = 60;

  const SolveResult result = solve(*m, options, field, start_rows(2), {0, 1});

  EXPECT_EQ(result.sample_status[0], SolveStatus::kOk);
  EXPECT_EQ(result.sample_status[1], SolveStatus::kMaxAttempts);
}

TEST(StepEnds, AreHitExactly) {
  auto field = test::oscillator(3);
  const auto m = method("dopri5");
  DriverOptions options = per_sample(1e-3);
  options.control = Control::kBatch;
  options.end = EndRule::kInterpolate;
  options.step_ends = {0.3, 0.77};

  const Schedule schedule =
      solve(*m, options, field, {torch::ones({1, 2}, torch::kDouble)}, {0, 1}).schedule;

  for (const double stop : options.step_ends) {
    EXPECT_THAT(schedule.lanes[0].end, testing::Contains(stop));
  }
}

}  // namespace
}  // namespace unmask::test::sample_control_test
