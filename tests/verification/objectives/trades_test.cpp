// TRADES against its formula, and against the known end of its inner attack on a linear network.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "verification/objectives/closed_form.hpp"

namespace unmask::test::trades_test {
namespace {

using Given = std::map<std::string, ParamValue>;

std::unique_ptr<Objective> trades(Given given = {}) {
  return make_plugin<Objective>("objective", "trades", std::move(given));
}

// The noise that the inner attack starts with. LinearStep draws from the seed 1.
Tensor start_noise(const TwoClasses& problem, double deviation = 0.001) {
  return deviation * SampleRandom(1, problem.ids).normal(problem.x);
}

// The divergence grows on both sides of the image; the noise decides which one is climbed: +1 or
// -1 for each sample along the difference of the weights.
Tensor climbed_side(const TwoClasses& problem) {
  return (start_noise(problem) * problem.difference()).flatten(1).sum(1).sign().view({-1, 1, 1, 1});
}

TEST(Trades, ClimbsToTheSurfaceOfTheLinfBall) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  trades()->loss(step, problem.x, problem.y);

  // Ten steps of 0.007 end outside radius 0.031 on every side, so every pixel ends on the surface,
  // but for the 1e-7 that project() keeps away from it.
  const Tensor worst = problem.x + 0.031 * climbed_side(problem) * problem.difference().sign();
  EXPECT_LE((step.points()[1] - worst).abs().max().item<double>(), 0.031 * 1.1e-7);
}

TEST(Trades, TakesTheStepsOfTheAuthors) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  trades({{"steps", std::int64_t{2}}})->loss(step, problem.x, problem.y);

  const Tensor expected = problem.x + start_noise(problem) +
                          0.014 * climbed_side(problem) * problem.difference().sign();
  EXPECT_LE((step.points()[1] - expected).abs().max().item<double>(), 1e-15);
}

TEST(Trades, ClimbsToTheSurfaceOfTheL2Ball) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  trades({{"norm", std::string("l2")}, {"epsilon", 0.1}, {"start_noise", 1e-6}})
      ->loss(step, problem.x, problem.y);

  // The part of the noise beside the direction stays: three of nine pixels' deviation is at most
  // 1e-6 * 5 * 3 in length.
  const Tensor direction = problem.difference() / problem.difference().norm();
  const Tensor worst = problem.x + 0.1 * climbed_side(problem) * direction;
  EXPECT_LE((step.points()[1] - worst).abs().max().item<double>(), 2e-5);
}

TEST(Trades, StepsInL2ByTwoRadiiInAll) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  trades({{"norm", std::string("l2")},
          {"epsilon", 0.1},
          {"steps", std::int64_t{10}},
          {"start_noise", 1e-6}})
      ->loss(step, problem.x, problem.y);
  LinearStep short_step = problem.step();
  trades({{"norm", std::string("l2")},
          {"epsilon", 0.1},
          {"steps", std::int64_t{1}},
          {"step_size", 0.02},
          {"start_noise", 1e-6}})
      ->loss(short_step, problem.x, problem.y);

  // 2 epsilon / steps = 0.02 with ten steps: the first one alone moves by that.
  const Tensor moved = distance(short_step.points()[1], problem.x, Norm::kL2);
  EXPECT_LE((moved - 0.02).abs().max().item<double>(), 2e-5);
  const Tensor all = distance(step.points()[1], problem.x, Norm::kL2);
  EXPECT_LE((all - 0.1).abs().max().item<double>(), 1.1e-8);
}

TEST(Trades, AddsTheDivergenceFromTheNaturalAnswers) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  const double loss = trades({{"epsilon", 0.1}, {"step_size", 0.03}})
                          ->loss(step, problem.x, problem.y)
                          .item<double>();

  const Tensor point = step.points()[1];
  const double natural = mean_cross_entropy(problem.weight, problem.x, problem.y);
  EXPECT_NEAR(loss, natural + 6 * mean_divergence(problem.weight, problem.x, point), 1e-14);
  // The other order of the arguments is another number here.
  EXPECT_GT(std::abs(mean_divergence(problem.weight, problem.x, point) -
                     mean_divergence(problem.weight, point, problem.x)),
            1e-6);
}

// In linf the attacked point moves by signs alone: it stays where it is when a weight changes a
// little, apart from the sign of a difference of weights near zero, which this problem has not. So
// the gradient is that of the whole computation. Central differences with h = 1e-5 are exact to h^2
// times third derivatives of order 10, and to rounding, 1e-16 / h.
TEST(Trades, HasTheGradientOfTheWholeLoss) {
  const TwoClasses problem;
  const auto objective = trades({{"epsilon", 0.1}, {"step_size", 0.03}});
  LinearStep step = problem.step();
  objective->loss(step, problem.x, problem.y).backward();

  const Tensor expected = finite_differences(
      [&](const Tensor& weight) {
        LinearStep moved(weight, problem.ids);
        return objective->loss(moved, problem.x, problem.y).item<double>();
      },
      problem.weight,
      1e-5);

  EXPECT_LE((step.weight().grad() - expected).abs().max().item<double>(), 1e-8);
}

TEST(Trades, AsksForNaturalAttackedAndNaturalAnswers) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  trades()->loss(step, problem.x, problem.y);

  ASSERT_EQ(step.forwards(), 3);
  EXPECT_TRUE(at::equal(step.points()[0], problem.x));
  EXPECT_FALSE(at::equal(step.points()[1], problem.x));
  EXPECT_TRUE(at::equal(step.points()[2], problem.x));
}

TEST(Trades, WithBetaZeroIsCrossEntropyWithoutAnAttack) {
  const TwoClasses problem;
  LinearStep step = problem.step();
  LinearStep plain = problem.step();

  const Tensor loss = trades({{"beta", 0.0}})->loss(step, problem.x, problem.y);

  const Tensor expected =
      make_plugin<Objective>("objective", "cross_entropy")->loss(plain, problem.x, problem.y);
  EXPECT_TRUE(at::equal(loss, expected));
  EXPECT_FALSE(step.was_attacked());
}

TEST(Trades, StaysInTheBallAndTheBox) {
  for (const std::string norm : {"linf", "l2"}) {
    TwoClasses problem;
    problem.x = SampleRandom(5, problem.ids).uniform(problem.x, -0.5, 1.5).clamp(0, 1);
    LinearStep step = problem.step();

    trades({{"norm", norm}, {"epsilon", 0.1}, {"step_size", 0.03}})
        ->loss(step, problem.x, problem.y);

    const Tensor point = step.points()[1];
    const Tensor moved = distance(point, problem.x, norm == "l2" ? Norm::kL2 : Norm::kLinf);
    EXPECT_LE(moved.max().item<double>(), 0.1) << norm;
    EXPECT_GE(point.min().item<double>(), 0) << norm;
    EXPECT_LE(point.max().item<double>(), 1) << norm;
  }
}

TEST(Trades, WithoutAGradientStepsAtRandomInL2) {
  const TwoClasses problem;
  LinearStep step = problem.step();
  step.linear_target().without_gradient();

  trades({{"norm", std::string("l2")}, {"epsilon", 0.1}})->loss(step, problem.x, problem.y);

  // Nine normal numbers of deviation 0.02 in each step have the length of 0.06: ten such steps
  // leave the neighbourhood of the start, whose noise is 0.003 long.
  const Tensor moved = distance(step.points()[1], problem.x, Norm::kL2);
  EXPECT_GT(moved.min().item<double>(), 0.01);
  EXPECT_LE(moved.max().item<double>(), 0.1);
}

TEST(Trades, WithoutAGradientKeepsTheStartInLinf) {
  const TwoClasses problem;
  LinearStep step = problem.step();
  step.linear_target().without_gradient();

  trades()->loss(step, problem.x, problem.y);

  EXPECT_LE((step.points()[1] - problem.x - start_noise(problem)).abs().max().item<double>(),
            1e-15);
}

// Answers so sure that the probability of the other class underflows in float32.
TEST(Trades, HasAFiniteGradientForSureAnswers) {
  const TwoClasses problem;
  const Tensor weight = (problem.weight * 1000).to(at::kFloat);
  LinearStep step(weight, problem.ids);

  trades()->loss(step, problem.x.to(at::kFloat), problem.y).backward();

  EXPECT_TRUE(step.weight().grad().isfinite().all().item<bool>());
}

// 8 is meant as 8/255; in l2 it may be meant as it is.
TEST(Trades, RefusesARadiusBeyondTheRangeOfPixelsInLinf) {
  EXPECT_THROW(trades({{"epsilon", 8.0}}), ParamError);
  EXPECT_NO_THROW(trades({{"epsilon", 1.0}}));
  EXPECT_NO_THROW(trades({{"epsilon", 8.0}, {"norm", std::string("l2")}}));
}

}  // namespace
}  // namespace unmask::test::trades_test
