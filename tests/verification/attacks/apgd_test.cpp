// Auto-PGD against what is known of it: checkpoints, number of gradients, optima on linear models.

#include "unmask/kit/attack/apgd.hpp"

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::apgd_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);
using Steps = std::vector<std::int64_t>;

TEST(ApgdCheckpoints, AreThePublishedOnes) {
  EXPECT_EQ(kit::apgd_checkpoints(100), (Steps{22, 41, 57, 70, 80, 87, 93, 99}));
  EXPECT_EQ(kit::apgd_checkpoints(1000), (Steps{220, 410, 570, 700, 800, 870, 930, 990}));
}

// For few steps the published integers and the formula of the paper part; these are the integers.
TEST(ApgdCheckpoints, RoundDownForFewSteps) {
  EXPECT_EQ(kit::apgd_checkpoints(50), (Steps{11, 21, 30, 38, 45}));
  EXPECT_EQ(kit::apgd_checkpoints(20),
            (Steps{4, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}));
}

TEST(ApgdCheckpoints, ExistForASingleStep) {
  EXPECT_EQ(kit::apgd_checkpoints(1), (Steps{1}));
}

TEST(Apgd, ReachesTheCornerInOneStep) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  target.recording();

  attack("apgd", {}, target, problem.x, problem.y, 0.031);

  // The second point: a step of 2 epsilon from wherever in the ball. Pixel 3 has no slope.
  Tensor difference = (target.calls()[1].x - problem.corner(0.031)).abs().flatten();
  difference[3] = 0;
  EXPECT_LE(difference.max().item<double>(), 0.031 * 1.1e-7 + 1e-14);
}

TEST(Apgd, StartsOnTheSurfaceOfTheBall) {
  for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
    const Binary problem(6.0);
    LinearTarget target = problem.target();
    target.recording();

    attack("apgd", {{"norm", std::string(name_of(norm))}}, target, problem.x, problem.y, 0.2);

    const Tensor start = target.calls()[0].x;
    EXPECT_NEAR(distance(start, problem.x, norm).item<double>(), 0.2, 1e-7);
  }
}

TEST(Apgd, AsksForOneGradientMoreThanSteps) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();

  attack("apgd", {}, target, problem.x, problem.y, 0.031);

  EXPECT_EQ(target.backwards(), 101);
  EXPECT_EQ(target.forwards(), 0);
}

TEST(Apgd, SpendsOneRunForEveryTarget) {
  const ManyClasses problem(5, 1);
  LinearTarget target = problem.target();

  attack("apgd",
         {{"loss", std::string("dlr_targeted")}, {"steps", std::int64_t{10}}},
         target,
         problem.x,
         problem.y,
         1e-4);

  // Nine targets are asked for, there are four other classes.
  EXPECT_EQ(target.backwards(), 4 * 11);
  EXPECT_EQ(target.forwards(), 1);
}

struct ApgdCase {
  Norm norm;
  const char* loss;
};

class ApgdBoundary : public testing::TestWithParam<ApgdCase> {
 protected:
  static Values values() {
    return {{"norm", std::string(name_of(GetParam().norm))},
            {"loss", std::string(GetParam().loss)}};
  }
};

// Towards each class in turn: away from the label, the search can settle at a class that is close
// and out of reach. In l2 and l1 the optimum is approached, in linf reached: 100 steps leave less
// than a hundredth.
TEST_P(ApgdBoundary, FallsAboveTheMinimalDistance) {
  const ManyClasses problem;
  const Tensor minimal = problem.minimal(GetParam().norm);
  for (std::int64_t i = 0; i < problem.x.size(0); ++i) {
    LinearTarget target = problem.target();
    const Tensor x = problem.x.narrow(0, i, 1);
    const Tensor y = problem.y.narrow(0, i, 1);

    const Tensor point = attack("apgd", values(), target, x, y, minimal[i].item<double>() * 1.01);

    EXPECT_NE(target.answer(point).argmax(1).item<std::int64_t>(), 0);
  }
}

TEST_P(ApgdBoundary, HoldsBelowTheMinimalDistance) {
  const ManyClasses problem;
  LinearTarget target = problem.target();
  const double epsilon = problem.minimal(GetParam().norm).min().item<double>() * (1 - 1e-3);

  const Tensor points = attack("apgd", values(), target, problem.x, problem.y, epsilon);

  EXPECT_TRUE(target.answer(points).argmax(1).eq(0).all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Settings,
                         ApgdBoundary,
                         testing::Values(ApgdCase{Norm::kLinf, "margin_targeted"},
                                         ApgdCase{Norm::kL2, "margin_targeted"},
                                         ApgdCase{Norm::kL2, "dlr_targeted"},
                                         ApgdCase{Norm::kL1, "margin_targeted"}));

// loss = -|x - peak| in the only pixel, never positive: a constant step of 2 epsilon would jump
// from end to end for ever.
class Ridge final : public Target {
 public:
  std::int64_t num_classes() const override { return 2; }
  bool is_batch_independent() const override { return true; }
  double last() const { return last_; }

 private:
  static Tensor answer(const Tensor& x) {
    const Tensor value = -0.01 - (x.flatten(1).select(1, 0) - 0.517).abs();
    return at::stack({at::zeros_like(value), value}, 1);
  }
  Tensor do_logits(const Tensor& x, const Tensor&) override { return answer(x); }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    last_ = x.item<double>();
    return differentiate(x, answer, loss);
  }
  double last_ = 0;
};

TEST(Apgd, HalvesItsStepsUntilItStandsOnTheRidge) {
  Ridge target;
  const Tensor x = at::full({1, 1, 1, 1}, 0.5, kDouble);

  attack("apgd", {{"loss", std::string("margin")}}, target, x, at::zeros({1}, at::kLong), 0.1);

  // Eight checkpoints, each of which can halve 2 epsilon: at best 0.2 / 256; an oscillation is as
  // wide as a step, and the momentum adds as much again.
  EXPECT_NEAR(target.last(), 0.517, 2 * 0.2 / 64);
}

// Two classes of which one is within reach, and two far below that the ratio needs.
TEST(Apgd, NeedsTheRatioWhereCrossEntropySaturates) {
  const Binary two(0.5 * 0.05 * Binary(1.0).l1, 16, at::kFloat);
  const Tensor weight = at::cat({two.weight, at::zeros({2, 16})});
  LinearTarget target(weight, at::cat({two.bias, at::tensor({-50.0F, -60.0F})}));
  target.scaled(1e4);  // the softmax is exact in float32 once a margin exceeds 104
  for (const char* loss : {"ce", "margin", "dlr", "dlr_targeted"}) {
    const Values values = {{"loss", std::string(loss)}, {"norm", std::string("l2")}};

    const Tensor point = attack("apgd", values, target, two.x, two.y, 0.6 * 0.05 * two.l1 / two.l2);

    EXPECT_EQ(two.is_fooled(point), std::string(loss) != "ce") << loss;
  }
}

TEST(ApgdL1, StartsWithFewPixels) {
  // The nearest point of a ball of radius 2 to a step of 400 normal numbers: what is subtracted
  // from their sizes leaves a sum of 2, so about the largest ten.
  const ManyClasses problem(5, 4, 400);
  LinearTarget target = problem.target();
  target.recording();

  attack("apgd", {{"norm", std::string("l1")}}, target, problem.x, problem.y, 2.0);

  const Tensor differing = target.calls()[0].x.ne(problem.x).flatten(1).sum(1);
  EXPECT_LT(differing.max().item<std::int64_t>(), 40);
}

// The pixels that one step moves, by its size: of the k steepest each goes epsilon / k.
TEST(ApgdL1, MovesAFifthOfThePixelsFirst) {
  const Binary problem(6.0, 40);
  LinearTarget target = problem.target();
  target.recording();
  const Values values = {{"norm", std::string("l1")}, {"loss", std::string("margin")}};

  attack("apgd", values, target, problem.x, problem.y, 0.2);

  // From the start the eight steepest pixels gain 0.2 / 8 each, those of the start are lowered by
  // the projection: all of the eight differ now.
  const Tensor steepest =
      std::get<1>(problem.u.abs().sort(/*stable=*/true, 0, /*descending=*/true)).narrow(0, 0, 8);
  const Tensor moved = (target.calls()[1].x - problem.x).flatten();
  EXPECT_TRUE(moved.index_select(0, steepest).ne(0).all().item<bool>());
}

TEST(ApgdL1, SpendsThirtyThirtyAndFortyPercentInTheThreeBalls) {
  EXPECT_EQ(kit::apgd_early_steps(100), 30);
  EXPECT_EQ(kit::apgd_early_steps(11), 4);  // 3.3 rounded up
  EXPECT_EQ(kit::apgd_early_steps(1), 0);
  EXPECT_EQ(kit::apgd_early_steps(4), 1);  // 2 would leave none
}

TEST(ApgdL1, ShrinksTheBallOnItsWay) {
  const Binary problem(60.0);
  LinearTarget target = problem.target();
  target.recording();
  const Values values = {
      {"norm", std::string("l1")}, {"loss", std::string("margin")}, {"from_large_balls", true}};

  attack("apgd", values, target, problem.x, problem.y, 0.2);

  const auto farthest = [&](std::size_t first, std::size_t count) {
    double result = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      const Tensor& x = target.calls().at(i).x;
      result = std::max(result, distance(x, problem.x, Norm::kL1).item<double>());
    }
    return result;
  };
  // A part of n steps has n + 1 gradients; a linear loss pulls to the surface of every ball.
  EXPECT_NEAR(farthest(0, 31), 0.6, 1e-6);
  EXPECT_NEAR(farthest(31, 31), 0.4, 1e-6);
  EXPECT_NEAR(farthest(62, 41), 0.2, 1e-6);
}

TEST(Apgd, FromLargeBallsEndsInTheBallThatWasAskedFor) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  const Values values = {{"norm", std::string("l1")}, {"from_large_balls", true}};

  const Tensor point = attack("apgd", values, target, problem.x, problem.y, 0.2);

  EXPECT_LE(distance(point, problem.x, Norm::kL1).item<double>(), 0.2 * (1 + 1e-6));
  // 30 + 30 + 40 steps, and the start of each part.
  EXPECT_EQ(target.backwards(), 103);
}

}  // namespace
}  // namespace unmask::test::apgd_test
