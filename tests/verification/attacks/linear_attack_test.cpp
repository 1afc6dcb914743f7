// Attacks on linear classifiers z = W x + b, where the strongest perturbation is known: with
// u = w_y - w_k and m = z_y - z_k, a sample falls exactly when epsilon exceeds m / ||u||_1 (linf)
// or m / ||u||_2 (l2), and the best point is x - epsilon sign(u) or x - epsilon u / ||u||_2.

#include <cmath>

#include <torch/autograd.h>
#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::linear_attack_test {
namespace {

constexpr std::int64_t kSize = 16;
// A margin that no attack of these tests overcomes (the largest reach is 0.3 * ||u||_1 = 2.5), and
// that leaves cross-entropy a gradient: exp(-6).
constexpr double kSafe = 6.0;
const auto kDouble = at::TensorOptions().dtype(at::kDouble);

Values pgd(std::int64_t steps, double step_size, const char* norm = "linf") {
  return {{"steps", steps},
          {"step_size", step_size},
          {"norm", std::string(norm)},
          {"random_start", false},
          {"keep", std::string("last")}};
}

struct CornerCase {
  double epsilon;
  double step;
  std::int64_t steps;  // ceil(epsilon / step)
};

class PgdCorner : public testing::TestWithParam<CornerCase> {};

TEST_P(PgdCorner, IsReachedAfterTheKnownNumberOfSteps) {
  const auto [epsilon, step, steps] = GetParam();
  const Binary problem(kSafe);
  LinearTarget target = problem.target();

  const Tensor point = attack("pgd", pgd(steps, step), target, problem.x, problem.y, epsilon);

  // The projection keeps one part in 10^7 away from the border; the rest is float64 rounding.
  EXPECT_LE(max_difference(point, problem.corner(epsilon)), epsilon * 1.1e-7 + 1e-14);
}

TEST_P(PgdCorner, IsNotReachedOneStepEarlier) {
  const auto [epsilon, step, steps] = GetParam();
  const Binary problem(kSafe);
  LinearTarget target = problem.target();

  const Tensor point = attack("pgd", pgd(steps - 1, step), target, problem.x, problem.y, epsilon);

  const double expected = step * static_cast<double>(steps - 1);
  EXPECT_NEAR(distance(point, problem.x, Norm::kLinf).item<double>(), expected, 1e-14);
}

INSTANTIATE_TEST_SUITE_P(Settings,
                         PgdCorner,
                         testing::Values(CornerCase{0.031, 0.003, 11},
                                         CornerCase{8.0 / 255, 2.0 / 255, 4},
                                         CornerCase{0.3, 0.01, 30}));

TEST(PgdL2, ReachesTheOptimumAfterFiveStepsOfAFifth) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();

  const Tensor point = attack("pgd", pgd(5, 0.1, "l2"), target, problem.x, problem.y, 0.5);

  const Tensor optimum = problem.x - 0.5 / problem.l2 * problem.u.view_as(problem.x);
  EXPECT_LE(max_difference(point, optimum), 0.5 * 1.1e-7 + 1e-14);
}

TEST(PgdL2, KeepsItsDirectionWhenTheSquareOfTheGradientUnderflows) {
  // In float32 (1e-30)^2 is zero; the direction of the gradient is still exact.
  const Binary problem(kSafe, kSize, at::kFloat);
  LinearTarget target = problem.target();
  target.scaled(1e-30);
  Values values = pgd(5, 0.1, "l2");
  values["loss"] = std::string("margin");

  const Tensor point = attack("pgd", values, target, problem.x, problem.y, 0.5);

  EXPECT_NEAR(distance(point, problem.x, Norm::kL2).item<double>(), 0.5, 1e-6);
}

TEST(Pgd, LowersTheMarginByStepTimesL1NormEveryStep) {
  const Binary problem(kSafe);
  double before = kSafe;

  for (std::int64_t steps = 1; steps <= 10; ++steps) {
    LinearTarget target = problem.target();
    const Tensor point = attack("pgd", pgd(steps, 0.003), target, problem.x, problem.y, 0.031);
    const double margin = problem.margin_at(point);
    // Sums of 16 products below 6 in float64: 16 * 6 * 2^-53 = 1e-14.
    EXPECT_NEAR(before - margin, 0.003 * problem.l1, 1e-13);
    before = margin;
  }
}

TEST(Pgd, LeavesCoordinatesWithoutWeightWhereTheyAre) {
  for (const char* norm : {"linf", "l2"}) {
    const Binary problem(kSafe);
    LinearTarget target = problem.target();

    const Tensor point = attack("pgd", pgd(7, 0.01, norm), target, problem.x, problem.y, 0.05);

    EXPECT_EQ(point.flatten()[3].item<double>(), 0.5);
  }
}

TEST(Pgd, FromARandomStartReachesTheCornerWithinTwiceTheRadius) {
  const Binary problem(kSafe);
  const Tensor x = problem.x.expand({50, 1, 1, kSize}).contiguous();
  const Tensor y = at::zeros({50}, at::kLong);
  LinearTarget target = problem.target();
  Values values = pgd(8, 2.0 / 255);  // ceil(2 epsilon / step)
  values["random_start"] = true;

  const Tensor points = attack("pgd", values, target, x, y, 8.0 / 255);

  // Coordinate 3 has no weight and stays where it started.
  const Tensor difference = (points - problem.corner(8.0 / 255)).abs();
  difference.select(3, 3).zero_();
  EXPECT_LE(difference.max().item<double>(), 1e-8);
}

TEST(Pgd, DefaultStepIsTwoAndAHalfEpsilonOverTheSteps) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();
  target.recording();
  Values values = pgd(40, 1.0);
  values.erase("step_size");

  attack("pgd", values, target, problem.x, problem.y, 0.04);

  const Tensor first = target.calls()[0].x;
  const Tensor second = target.calls()[1].x;
  EXPECT_NEAR(distance(second, first, Norm::kLinf).item<double>(), 2.5 * 0.04 / 40, 1e-14);
}

TEST(Pgd, CountsOneGradientAStepAndOneFinalAnswer) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();
  Values values = pgd(20, 0.003);
  values["keep"] = std::string("best");

  attack("pgd", values, target, problem.x, problem.y, 0.031);

  EXPECT_EQ(target.backwards(), 20);
  EXPECT_EQ(target.forwards(), 1);
}

TEST(Pgd, KeepingTheLastIterateAsksForNoAnswers) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();

  attack("pgd", pgd(20, 0.003), target, problem.x, problem.y, 0.031);

  EXPECT_EQ(target.backwards(), 20);
  EXPECT_EQ(target.forwards(), 0);
}

TEST(Pgd, CountsTheLastStepToo) {
  // Exactly the last step crosses the boundary: without the final answer it would be lost.
  const Binary problem(0.0295 * Binary(1.0).l1);
  LinearTarget target = problem.target();
  Values values = pgd(10, 0.003);
  values["keep"] = std::string("best");

  const Tensor point = attack("pgd", values, target, problem.x, problem.y, 0.031);

  EXPECT_TRUE(problem.is_fooled(point));
}

TEST(Pgd, RefusesRestartsWithoutARandomStart) {
  EXPECT_THROW(make_plugin<Attack>(
                   "attack", "pgd", {{"restarts", std::int64_t{2}}, {"random_start", false}}),
               ParamError);
}

TEST(Fgsm, GoesToTheCornerInOneStep) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();

  const Tensor point = attack("fgsm", {}, target, problem.x, problem.y, 0.031);

  EXPECT_LE(max_difference(point, problem.corner(0.031)), 0.031 * 1.1e-7 + 1e-14);
  EXPECT_EQ(target.backwards(), 1);
}

TEST(Fgsm, InL2GoesTheWholeRadiusAgainstTheWeights) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();

  const Tensor point =
      attack("fgsm", {{"norm", std::string("l2")}}, target, problem.x, problem.y, 0.5);

  const Tensor optimum = problem.x - 0.5 / problem.l2 * problem.u.view_as(problem.x);
  EXPECT_LE(max_difference(point, optimum), 0.5 * 1.1e-7 + 1e-14);
}

// z = 0, 30 a - 10 b - 10.6, 30 b - 10 a - 10.6 at a = b = 0.5: class 0 leads by 0.6. One radius of 0.02
// along both axes gains the others 0.4, along one and against the other it gains one of them 0.8.
TEST(Fgsm, IsNotTheStrongestWhereTwoClassesPull) {
  LinearTarget target(at::tensor({0.0, 0.0, 30.0, -10.0, -10.0, 30.0}, kDouble).view({3, 2}),
                      at::tensor({0.0, -10.6, -10.6}, kDouble));
  const Tensor x = at::full({1, 1, 1, 2}, 0.5, kDouble);
  const Tensor y = at::zeros({1}, at::kLong);

  const Tensor towards_both = attack("fgsm", {}, target, x, y, 0.02);
  const Tensor towards_one = attack(
      "multi_targeted", {{"steps", std::int64_t{20}}, {"step_size", 0.002}}, target, x, y, 0.02);

  EXPECT_EQ(target.answer(towards_both).argmax(1).item<std::int64_t>(), 0);
  EXPECT_NE(target.answer(towards_one).argmax(1).item<std::int64_t>(), 0);
}

struct BoundaryCase {
  const char* id;
  const char* norm;
};

class Boundary : public testing::TestWithParam<BoundaryCase> {
 protected:
  // PGD from the image: from a random start it would approach the optimum in l2 only slowly.
  static Values values() {
    Values result = {{"norm", std::string(GetParam().norm)}};
    if (std::string(GetParam().id) == "pgd") result["random_start"] = false;
    return result;
  }
};

TEST_P(Boundary, FallsJustAboveTheMinimalDistance) {
  const auto [id, norm] = GetParam();
  const Binary problem(0.3);
  LinearTarget target = problem.target();
  const double minimal = 0.3 / (std::string(norm) == "l2" ? problem.l2 : problem.l1);

  const Tensor point = attack(id, values(), target, problem.x, problem.y, minimal * (1 + 1e-3));

  EXPECT_TRUE(problem.is_fooled(point));
}

TEST_P(Boundary, HoldsJustBelowTheMinimalDistance) {
  const auto [id, norm] = GetParam();
  const Binary problem(0.3);
  LinearTarget target = problem.target();
  const double minimal = 0.3 / (std::string(norm) == "l2" ? problem.l2 : problem.l1);

  const Tensor point = attack(id, values(), target, problem.x, problem.y, minimal * (1 - 1e-3));

  EXPECT_FALSE(problem.is_fooled(point));
}

INSTANTIATE_TEST_SUITE_P(Attacks,
                         Boundary,
                         testing::Values(BoundaryCase{"fgsm", "linf"},
                                         BoundaryCase{"fgsm", "l2"},
                                         BoundaryCase{"pgd", "linf"},
                                         BoundaryCase{"pgd", "l2"}));

TEST(RandomNoise, FailsWherePgdAlwaysSucceeds) {
  // Noise changes w.x by epsilon ||u||_2 (standard deviation of signs), PGD by epsilon ||u||_1. At
  // half of PGD's reach noise would need epsilon ||u||_1 / 2: with 784 equal weights that is 14
  // deviations.
  const std::int64_t size = 784;
  const Tensor u = 1 - 2 * at::arange(size, kDouble).remainder(2);
  const Tensor weight = at::stack({u, at::zeros_like(u)});
  const double epsilon = 0.03;
  const Tensor bias = at::tensor({0.5 * epsilon * 784, 0.0}, kDouble);  // u sums to zero
  const Tensor x = at::full({20, 1, 28, 28}, 0.5, kDouble);
  const Tensor y = at::zeros({20}, at::kLong);
  const auto fooled = [&](const Tensor& points) {
    return LinearTarget(weight, bias).answer(points).argmax(1).ne(y).sum().item<std::int64_t>();
  };

  for (const char* distribution : {"signs", "uniform"}) {
    LinearTarget target(weight, bias);
    const Values values = {{"distribution", std::string(distribution)}};
    EXPECT_EQ(fooled(attack("random_noise", values, target, x, y, epsilon)), 0);
  }
  LinearTarget target(weight, bias);
  EXPECT_EQ(fooled(attack("pgd", {}, target, x, y, epsilon)), 20);
}

TEST(RandomNoise, OfSignsLiesInTheCornersOfTheBall) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();

  const Tensor point = attack("random_noise", {}, target, problem.x, problem.y, 0.05);

  const Tensor moved = (point - problem.x).abs();
  EXPECT_LE(max_difference(moved, at::full_like(moved, 0.05)), 0.05 * 1.1e-7 + 1e-14);
}

TEST(ZeroGradient, StopsPgd) {
  const Binary easy(0.5 * 0.05 * Binary(1.0).l1);
  LinearTarget target = easy.target();
  target.without_gradient();

  const Tensor point = attack("pgd", pgd(20, 0.005), target, easy.x, easy.y, 0.05);

  EXPECT_TRUE(at::equal(point, easy.x));
}

TEST(ZeroGradient, DoesNotStopSpsa) {
  const Binary easy(0.5 * 0.05 * Binary(1.0).l1);
  LinearTarget target = easy.target();
  target.without_gradient();

  const Tensor point = attack("spsa", {}, target, easy.x, easy.y, 0.05);

  EXPECT_TRUE(easy.is_fooled(point));
  EXPECT_EQ(target.backwards(), 0);
}

TEST(Spsa, AsksTwoAnswersAPairAndOneAStep) {
  const Binary problem(kSafe);
  LinearTarget target = problem.target();
  const Values values = {{"steps", std::int64_t{3}}, {"pairs", std::int64_t{5}}};

  attack("spsa", values, target, problem.x, problem.y, 0.05);

  EXPECT_EQ(target.forwards(), 3 * (2 * 5 + 1));
}

TEST(Spsa, StopsAskingForASampleThatFell) {
  // Half of the batch falls easily, half never.
  const Binary easy(0.2 * 0.05 * Binary(1.0).l1);
  const Tensor x = at::cat({easy.x, easy.x - 0.3 * easy.u.sign().view_as(easy.x).neg()});
  const Tensor y = at::zeros({2}, at::kLong);
  LinearTarget target = easy.target();
  target.recording();

  attack("spsa", {}, target, x, y, 0.05);

  EXPECT_EQ(target.calls().front().x.size(0), 2);
  EXPECT_EQ(target.calls().back().x.size(0), 1);
}

// Logits so large that float32 cross-entropy has no gradient left.
TEST(HugeLogits, StopCrossEntropyPgd) {
  const Binary problem(0.5 * 0.05 * Binary(1.0).l1, kSize, at::kFloat);
  LinearTarget target = problem.target();
  target.scaled(1e4);  // a margin above 104: exp(-margin) is zero in float32, denormals included
  ASSERT_GT(1e4 * problem.margin_at(problem.x), 104);

  const Tensor point = attack("pgd", pgd(20, 0.005), target, problem.x, problem.y, 0.05);

  EXPECT_TRUE(at::equal(point, problem.x));
}

TEST(HugeLogits, StopCrossEntropyPgdEarlierWhenOnlyTheLabelHasWeights) {
  // The label's share 1 - softmax_y rounds to zero from a margin of 17 on. The other class has no
  // weights here, so nothing is left of the gradient although exp(-50) is not zero.
  const Binary problem(0.5 * 0.05 * Binary(1.0).l1, kSize, at::kFloat);
  LinearTarget target = problem.target();
  target.scaled(50 / problem.margin_at(problem.x));

  const Tensor point = attack("pgd", pgd(20, 0.005), target, problem.x, problem.y, 0.05);

  EXPECT_TRUE(at::equal(point, problem.x));
}

TEST(HugeLogits, DoNotStopMarginPgd) {
  const Binary problem(0.5 * 0.05 * Binary(1.0).l1, kSize, at::kFloat);
  LinearTarget target = problem.target();
  target.scaled(1e4);
  Values values = pgd(20, 0.005);
  values["loss"] = std::string("margin");

  const Tensor point = attack("pgd", values, target, problem.x, problem.y, 0.05);

  EXPECT_TRUE(problem.is_fooled(point));
}

// margin loss = height - |x - peak|: a step too long jumps over the top.
class Peak final : public Target {
 public:
  std::int64_t num_classes() const override { return 2; }
  bool is_batch_independent() const override { return true; }

 protected:
  static Tensor answer(const Tensor& x) {
    const Tensor value = 0.02 - (x.flatten(1).select(1, 0) - 0.55).abs();
    return at::stack({at::zeros_like(value), value}, 1);
  }
  Tensor do_logits(const Tensor& x, const Tensor&) override { return answer(x); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(x, answer, loss);
  }
};

// From 0.5 with steps of 0.04: 0.54 (fooled), 0.58 (not), 0.54, ...
TEST(Peak, IsMissedByTheLastIterate) {
  Peak target;
  const Tensor x = at::full({1, 1, 1, 1}, 0.5, kDouble);

  const Tensor point = attack("pgd", pgd(2, 0.04), target, x, at::zeros({1}, at::kLong), 0.1);

  EXPECT_NEAR(point.item<double>(), 0.58, 1e-12);
}

TEST(Peak, IsKeptByTheBestIterate) {
  Peak target;
  const Tensor x = at::full({1, 1, 1, 1}, 0.5, kDouble);
  Values values = pgd(2, 0.04);
  values["keep"] = std::string("best");

  const Tensor point = attack("pgd", values, target, x, at::zeros({1}, at::kLong), 0.1);

  EXPECT_NEAR(point.item<double>(), 0.54, 1e-12);
}

TEST(Epsilon, IsRefusedWhereItDoesNotFitTheImages) {
  const Binary narrow(6.0, 16, at::kFloat);
  const Binary wide(1.0);  // in reach of the box
  LinearTarget in_float = narrow.target();
  LinearTarget in_double = wide.target();

  for (const char* id : {"pgd", "spsa", "square", "cw_linf"}) {
    EXPECT_THROW(attack(id, {}, in_float, narrow.x, narrow.y, 1e39), ParamError) << id;
  }
  EXPECT_TRUE(wide.is_fooled(attack("pgd", {}, in_double, wide.x, wide.y, 1e39)));
}

// Gradients that are not numbers, as an overflowing backward pass gives them.
class BrokenGradient final : public Target {
 public:
  std::int64_t num_classes() const override { return 2; }
  bool is_batch_independent() const override { return true; }

 protected:
  Tensor do_logits(const Tensor& x, const Tensor&) override {
    return at::tensor({1.0, 0.0}, kDouble).expand({x.size(0), 2});
  }
  LossGradient do_loss_and_gradient(const Tensor& x, const LossFunction&, const Tensor&) override {
    return {do_logits(x, {}), at::zeros({x.size(0)}, kDouble), at::full_like(x, std::nan(""))};
  }
};

TEST(BrokenGradient, MovesNothing) {
  const Tensor x = at::full({2, 1, 1, 4}, 0.5, kDouble);
  for (const char* norm : {"linf", "l2"}) {
    BrokenGradient target;

    const Tensor point =
        attack("pgd", pgd(3, 0.01, norm), target, x, at::zeros({2}, at::kLong), 0.1);

    EXPECT_TRUE(at::equal(point, x));
  }
}

}  // namespace
}  // namespace unmask::test::linear_attack_test
