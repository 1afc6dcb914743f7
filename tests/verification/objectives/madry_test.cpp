// Adversarial training against the known end of its inner attack on a linear network.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "verification/objectives/closed_form.hpp"

namespace unmask::test::madry_test {
namespace {

using Given = std::map<std::string, ParamValue>;

std::unique_ptr<Objective> madry(Given given = {}) {
  return make_plugin<Objective>("objective", "madry", std::move(given));
}

// project() keeps one part in 10^7 away from the surface: 1e-8 at radius 0.1.
constexpr double kSurface = 1.1e-8;

TEST(Madry, TrainsOnTheWorstPointOfTheLinfBall) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  madry({{"epsilon", 0.1}})->loss(step, problem.x, problem.y);

  const Tensor worst = problem.x + 0.1 * problem.away_from_label() * problem.difference().sign();
  ASSERT_EQ(step.forwards(), 1);
  EXPECT_LE((step.points()[0] - worst).abs().max().item<double>(), kSurface);
}

TEST(Madry, TrainsOnTheWorstPointOfTheL2Ball) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  madry({{"norm", std::string("l2")}, {"epsilon", 0.1}, {"random_start", false}})
      ->loss(step, problem.x, problem.y);

  const Tensor direction = problem.difference() / problem.difference().norm();
  const Tensor worst = problem.x + 0.1 * problem.away_from_label() * direction;
  EXPECT_LE((step.points()[0] - worst).abs().max().item<double>(), kSurface);
}

TEST(Madry, HasTheLossOfThatPoint) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  const double loss = madry({{"epsilon", 0.1}})->loss(step, problem.x, problem.y).item<double>();

  EXPECT_NEAR(loss, mean_cross_entropy(problem.weight, step.points()[0], problem.y), 1e-14);
}

// dL/dW = mean (p - onehot(y)) x_adv^T: the attacked point counts as a constant.
TEST(Madry, HasTheGradientOfThatPoint) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  madry({{"epsilon", 0.1}})->loss(step, problem.x, problem.y).backward();

  const Tensor point = step.points()[0];
  const Tensor error =
      log_answers(problem.weight, point).exp() - at::one_hot(problem.y, 2).to(at::kDouble);
  const Tensor expected = at::matmul(error.t(), point.flatten(1)) / 4;
  EXPECT_LE((step.weight().grad() - expected).abs().max().item<double>(), 1e-14);
}

TEST(Madry, TakesTheGivenStepsFromTheImage) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  madry(
      {{"epsilon", 0.1}, {"steps", std::int64_t{3}}, {"step_size", 0.02}, {"random_start", false}})
      ->loss(step, problem.x, problem.y);

  const Tensor expected =
      problem.x + 0.06 * problem.away_from_label() * problem.difference().sign();
  EXPECT_LE((step.points()[0] - expected).abs().max().item<double>(), 1e-15);
}

TEST(Madry, StepsByAQuarterOfTheRadiusUnlessTold) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  madry({{"epsilon", 0.1}, {"steps", std::int64_t{1}}, {"random_start", false}})
      ->loss(step, problem.x, problem.y);

  const Tensor moved = (step.points()[0] - problem.x).abs();
  EXPECT_LE((moved - 0.025).abs().max().item<double>(), 1e-15);
}

TEST(Madry, StaysInTheBallAndTheBox) {
  TwoClasses problem;
  problem.x = SampleRandom(5, problem.ids).uniform(problem.x, -0.5, 1.5).clamp(0, 1);
  LinearStep step = problem.step();

  madry({{"epsilon", 0.1}})->loss(step, problem.x, problem.y);

  const Tensor point = step.points()[0];
  EXPECT_LE((point - problem.x).abs().max().item<double>(), 0.1);
  EXPECT_GE(point.min().item<double>(), 0);
  EXPECT_LE(point.max().item<double>(), 1);
}

TEST(Madry, WithRadiusZeroIsCrossEntropyWithoutAnAttack) {
  const TwoClasses problem;
  LinearStep step = problem.step();
  LinearStep plain = problem.step();

  const Tensor loss = madry({{"epsilon", 0.0}})->loss(step, problem.x, problem.y);

  const Tensor expected =
      make_plugin<Objective>("objective", "cross_entropy")->loss(plain, problem.x, problem.y);
  EXPECT_TRUE(at::equal(loss, expected));
  EXPECT_FALSE(step.was_attacked());
}

TEST(Madry, StartsAtAnotherPointForAnotherSample) {
  const TwoClasses problem;
  LinearStep step(problem.weight, {7, 8, 9, 10});
  LinearStep other(problem.weight, {17, 18, 19, 20});
  const auto objective = madry({{"epsilon", 0.1}, {"steps", std::int64_t{1}}});

  objective->loss(step, problem.x, problem.y);
  objective->loss(other, problem.x, problem.y);

  EXPECT_FALSE(at::equal(step.points()[0], other.points()[0]));
}

TEST(Madry, RefusesANormThatItHasNoStepsFor) {
  EXPECT_THROW(madry({{"norm", std::string("l1")}}), ParamError);
}

// 8 is meant as 8/255; in l2 it may be meant as it is.
TEST(Madry, RefusesARadiusBeyondTheRangeOfPixelsInLinf) {
  EXPECT_THROW(madry({{"epsilon", 8.0}}), ParamError);
  EXPECT_NO_THROW(madry({{"epsilon", 1.0}}));
  EXPECT_NO_THROW(madry({{"epsilon", 8.0}, {"norm", std::string("l2")}}));
}

}  // namespace
}  // namespace unmask::test::madry_test
