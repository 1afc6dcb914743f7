// What PGD can do besides the classic attack: l1, the difference of logits ratio, targets, momentum
// and averaged gradients, on linear classifiers.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/kit/attack/classes.hpp"
#include "unmask/kit/attack/draws.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::pgd_options_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

Values from_the_image(std::int64_t steps, double step_size, const char* norm = "linf") {
  return {{"steps", steps},
          {"step_size", step_size},
          {"norm", std::string(norm)},
          {"random_start", false},
          {"keep", std::string("last")}};
}

TEST(PgdL1, MovesTheSteepestPixelAlone) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  Values values = from_the_image(3, 0.1, "l1");
  values["l1_share"] = 1.0 / 16;

  const Tensor point = attack("pgd", values, target, problem.x, problem.y, 0.3);

  // u[15] = -1 is the largest entry: its pixel goes up by 0.3, all others stay.
  Tensor optimum = problem.x.clone();
  optimum.view({16})[15] += 0.3;
  EXPECT_LE(max_difference(point, optimum), 0.3 * 1.1e-7 + 1e-14);
}

TEST(PgdL1, GoesOnWithOtherPixelsWhenTheFirstMeetTheBox) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  Values values = from_the_image(20, 0.1, "l1");
  values["l1_share"] = 1.0 / 16;

  const Tensor point = attack("pgd", values, target, problem.x, problem.y, 1.2);

  // The three steepest pixels have room for 0.5, 0.5 and then what is left of 1.2.
  const Tensor moved = (point - problem.x).abs().flatten();
  EXPECT_NEAR(moved[15].item<double>(), 0.5, 1e-6);
  EXPECT_NEAR(moved[14].item<double>(), 0.5, 1e-6);
  EXPECT_NEAR(moved[13].item<double>(), 0.2, 1e-6);
}

TEST(PgdDlr, ReachesTheCornerOfTwoCompetingClasses) {
  // The third class lies far below: the ratio's denominator hardly moves.
  const Binary two(1.0);
  const Tensor weight = at::cat({two.weight, at::zeros({1, 16}, kDouble)});
  const Tensor bias = at::cat({two.bias, at::full({1}, -50.0, kDouble)});
  LinearTarget target(weight, bias);
  Values values = from_the_image(11, 0.003);
  values["loss"] = std::string("dlr");

  const Tensor point = attack("pgd", values, target, two.x, two.y, 0.031);

  EXPECT_LE(max_difference(point, two.corner(0.031)), 0.031 * 1.1e-7 + 1e-14);
}

// Probabilities of two classes rise and fall with their logits: the corner is the same.
TEST(PgdPm, ReachesTheCorner) {
  const Binary problem(6.0);
  for (const char* id : {"pgd", "apgd"}) {
    LinearTarget target = problem.target();
    Values values = {{"loss", std::string("pm")}};
    if (std::string(id) == "pgd") values = from_the_image(11, 0.003);
    values["loss"] = std::string("pm");

    const Tensor point = attack(id, values, target, problem.x, problem.y, 0.031);

    // The projection leaves one part in 10^7.
    EXPECT_NEAR(problem.margin_at(point), 6.0 - 0.031 * problem.l1, 1e-6) << id;
  }
}

TEST(PgdDlr, IsRefusedWithTwoClasses) {
  const Binary problem(1.0);
  LinearTarget target = problem.target();

  EXPECT_THROW(attack("pgd", {{"loss", std::string("dlr")}}, target, problem.x, problem.y, 0.1),
               ParamError);
}

class PgdTargeted : public testing::TestWithParam<const char*> {};

TEST_P(PgdTargeted, GoesToTheCornerOfItsClass) {
  const ManyClasses problem;
  LinearTarget target = problem.target();
  Values values = from_the_image(4, 0.01);
  values["loss"] = std::string("margin");
  values["target"] = std::string(GetParam());

  const Tensor points = attack("pgd", values, target, problem.x, problem.y, 0.03);

  const Tensor order = kit::other_classes(target.answer(problem.x), problem.y);
  const bool is_second = std::string(GetParam()) == "second";
  const Tensor classes = order.select(1, is_second ? 0 : order.size(1) - 1);
  const Tensor u = problem.weight[0].unsqueeze(0) - problem.weight.index_select(0, classes);
  const Tensor corner = problem.x - 0.03 * u.sign().view_as(problem.x);
  EXPECT_LE(max_difference(points, corner), 0.03 * 1.1e-7 + 1e-14);
}

INSTANTIATE_TEST_SUITE_P(Targets, PgdTargeted, testing::Values("second", "least_likely"));

TEST(PgdTargeted, DrawsClassesOtherThanTheLabel) {
  // Cross-entropy towards a class moves along its weights; here every class has a pixel of its own.
  const Tensor weight = at::eye(4, kDouble);
  LinearTarget target(weight, at::tensor({0.0, 30.0, 0.0, 0.0}, kDouble));
  const Tensor x = at::full({40, 1, 1, 4}, 0.5, kDouble);
  const Tensor y = at::ones({40}, at::kLong);
  Values values = from_the_image(1, 0.1);
  values["loss"] = std::string("margin");
  values["target"] = std::string("random");

  const Tensor moved = (attack("pgd", values, target, x, y, 0.1) - x).flatten(1);

  // The label's pixel falls everywhere; one of the others rises, each of them somewhere.
  EXPECT_LT(moved.select(1, 1).max().item<double>(), 0);
  const Tensor rises = moved.gt(0);
  EXPECT_TRUE(rises.sum(1).eq(1).all().item<bool>());
  EXPECT_EQ(rises.any(0).sum().item<std::int64_t>(), 3);
}

TEST(PgdMomentum, KeepsTheCornerOfALinearModel) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  Values values = from_the_image(11, 0.003);
  values["momentum"] = 1.0;

  const Tensor point = attack("pgd", values, target, problem.x, problem.y, 0.031);

  EXPECT_LE(max_difference(point, problem.corner(0.031)), 0.031 * 1.1e-7 + 1e-14);
}

// Gradients +1, -0.4, -0.4, ...: alone they turn, summed up they go on.
class Turning final : public Target {
 public:
  std::int64_t num_classes() const override { return 2; }
  bool is_batch_independent() const override { return true; }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override {
    return at::tensor({1.0, 0.0}, kDouble).expand({x.size(0), 2});
  }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    const Tensor logits = do_logits(x, {});
    Tensor gradient = at::zeros_like(x);
    gradient.select(3, 0).fill_(calls_++ == 0 ? 1.0 : -0.4);
    gradient.select(3, 1).fill_(1.0);
    return {logits, loss(logits), gradient};
  }
  int calls_ = 0;
};

TEST(PgdMomentum, OutlivesOneContraryGradient) {
  const Tensor x = at::full({1, 1, 1, 2}, 0.5, kDouble);
  const Tensor y = at::zeros({1}, at::kLong);
  for (const double momentum : {0.0, 1.0}) {
    Turning target;
    Values values = from_the_image(2, 0.01);
    values["momentum"] = momentum;

    const Tensor point = attack("pgd", values, target, x, y, 0.1);

    // Shares of the l1 norm: 1/2 first, then -0.4/1.4. Their sum is positive.
    EXPECT_NEAR(point.flatten()[0].item<double>(), momentum > 0 ? 0.52 : 0.50, 1e-12);
  }
}

TEST(PgdEot, AsksForEveryDraw) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  Values values = from_the_image(5, 0.003);
  values["eot"] = std::int64_t{4};

  attack("pgd", values, target, problem.x, problem.y, 0.031);

  EXPECT_EQ(target.backwards(), 20);
}

TEST(PgdEot, CutsTheVarianceByTheNumberOfDraws) {
  SampleRandom random(3, {0});
  const Tensor like = at::empty({1, 4000}, kDouble);
  const auto noisy = [&] {
    return LossGradient{at::zeros({1, 2}, kDouble), at::zeros({1}, kDouble), random.normal(like)};
  };

  const double variance = kit::averaged(20, noisy).gradient.var().item<double>();

  // The variance of 4000 normal numbers deviates by sqrt(2 / 4000); five times that.
  EXPECT_NEAR(variance * 20, 1.0, 5 * std::sqrt(2.0 / 4000));
}

TEST(MultiTargeted, FindsTheClassThatTheRunnerUpHides) {
  // Class 1 is second at a margin of 0.1, but hardly moves; class 2 is further away and steep.
  Tensor weight = at::zeros({3, 4}, kDouble);
  weight[1][0] = 0.1;
  weight[2].slice(0, 1, 4).fill_(10.0);
  const Tensor bias = at::tensor({0.0, -0.15, -15.0 - 1.0}, kDouble);
  const Tensor x = at::full({1, 1, 1, 4}, 0.5, kDouble);
  const Tensor y = at::zeros({1}, at::kLong);

  // Within 0.1 class 1 can gain 0.01 of 0.1, class 2 gains 3 of 1.
  LinearTarget target(weight, bias);
  Values second = from_the_image(10, 0.02);
  second["target"] = std::string("second");
  second["loss"] = std::string("margin");
  const Tensor missed = attack("pgd", second, target, x, y, 0.1);
  const Tensor found = attack("multi_targeted", {}, target, x, y, 0.1);

  EXPECT_EQ(target.answer(missed).argmax(1).item<std::int64_t>(), 0);
  EXPECT_EQ(target.answer(found).argmax(1).item<std::int64_t>(), 2);
}

TEST(MultiTargeted, SpendsOneRunForEveryClass) {
  const Binary two(6.0);
  const Tensor weight = at::cat({two.weight, at::zeros({1, 16}, kDouble)});
  LinearTarget target(weight, at::cat({two.bias, at::zeros({1}, kDouble)}));

  attack("multi_targeted", {{"steps", std::int64_t{7}}}, target, two.x, two.y, 0.01);

  EXPECT_EQ(target.backwards(), 2 * 7);
  EXPECT_EQ(target.forwards(), 1 + 2);  // the clean image, and the last point of each run
}

}  // namespace
}  // namespace unmask::test::pgd_options_test
