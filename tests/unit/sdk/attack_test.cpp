// Losses, distances and projections that all attacks share.

#include "unmask/attack.hpp"

#include <cmath>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"
#include "unmask/random.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::attack_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);
const auto kFloat = at::TensorOptions().dtype(at::kFloat);

TEST(PerSampleLoss, MarginIsBestOtherMinusOwn) {
  const Tensor logits = at::tensor({1.0, 5.0, 3.0, -2.0, -7.0, -4.0}, kDouble).view({2, 3});
  const Tensor labels = at::tensor({1, 2}, at::kLong);

  const Tensor margin = per_sample_loss(logits, labels, Loss::kMargin);

  EXPECT_EQ(margin[0].item<double>(), 3.0 - 5.0);
  EXPECT_EQ(margin[1].item<double>(), -2.0 - -4.0);  // all logits negative
}

TEST(PerSampleLoss, MarginOfATieIsNotPositive) {
  const Tensor logits = at::tensor({2.0, 2.0}, kDouble).view({1, 2});

  const Tensor margin = per_sample_loss(logits, at::tensor({1}, at::kLong), Loss::kMargin);

  EXPECT_EQ(margin.item<double>(), 0.0);
}

TEST(PerSampleLoss, MarginGradientTouchesTwoLogits) {
  const Tensor logits = at::tensor({1.0, 5.0, 3.0}, kDouble).view({1, 3}).requires_grad_(true);

  per_sample_loss(logits, at::tensor({1}, at::kLong), Loss::kMargin).sum().backward();

  EXPECT_TRUE(at::equal(logits.grad(), at::tensor({0.0, -1.0, 1.0}, kDouble).view({1, 3})));
}

TEST(PerSampleLoss, CrossEntropyIsMinusLogProbability) {
  const Tensor logits = at::tensor({1.0, 2.0}, kDouble).view({1, 2});

  const Tensor loss = per_sample_loss(logits, at::tensor({0}, at::kLong), Loss::kCrossEntropy);

  EXPECT_NEAR(loss.item<double>(), std::log(1 + std::exp(1.0)), 1e-15);
}

Tensor five_logits() {
  return at::tensor({1.0, 5.0, 3.0, 2.0, -4.0}, kDouble).view({1, 5});
}

Tensor classes(std::int64_t number) {
  return at::full({1}, number, at::kLong);
}

TEST(PerSampleLoss, DlrIsTheMarginOverTheSpreadOfTheFirstThree) {
  EXPECT_NEAR(per_sample_loss(five_logits(), classes(1), Loss::kDlr).item<double>(),
              (3.0 - 5.0) / (5.0 - 2.0),
              1e-11);
  EXPECT_NEAR(per_sample_loss(five_logits(), classes(4), Loss::kDlr).item<double>(),
              (5.0 + 4.0) / (5.0 - 2.0),
              1e-11);
}

TEST(PerSampleLoss, TargetedDlrUsesTheThirdAndTheFourth) {
  const Tensor loss = per_sample_loss(five_logits(), classes(1), classes(3), Loss::kTargetedDlr);

  EXPECT_NEAR(loss.item<double>(), (2.0 - 5.0) / (5.0 - (2.0 + 1.0) / 2), 1e-11);
}

TEST(PerSampleLoss, DlrDoesNotSeeScaleAndOffset) {
  SampleRandom random(4, {0, 1, 2, 3, 4, 5});
  const Tensor logits = random.normal(at::empty({6, 10}, kDouble));
  const Tensor labels = at::arange(6, at::kLong);
  const Tensor targets = labels + 1;
  for (const Loss loss : {Loss::kDlr, Loss::kTargetedDlr}) {
    const Tensor plain = per_sample_loss(logits, labels, targets, loss);
    const Tensor other = per_sample_loss(37 * logits - 5, labels, targets, loss);
    EXPECT_TRUE(at::allclose(plain, other, 1e-5, 0));
  }
}

TEST(PerSampleLoss, DlrLiesBetweenMinusOneAndZeroWhereTheLabelIsOnTop) {
  SampleRandom random(5, {0, 1, 2, 3, 4, 5, 6, 7});
  const Tensor logits = random.normal(at::empty({8, 10}, kDouble));

  const Tensor loss = per_sample_loss(logits, logits.argmax(1), Loss::kDlr);

  EXPECT_GE(loss.min().item<double>(), -1.0);
  EXPECT_LE(loss.max().item<double>(), 0.0);
}

TEST(PerSampleLoss, DlrOfEqualLogitsIsZero) {
  const Tensor logits = at::full({1, 5}, 2.0, kFloat);

  EXPECT_EQ(per_sample_loss(logits, classes(1), Loss::kDlr).item<double>(), 0.0);
}

TEST(PerSampleLoss, DlrIsRefusedWhereItHasTooFewClasses) {
  const Tensor three = at::zeros({1, 3}, kDouble);

  EXPECT_NO_THROW(per_sample_loss(three, classes(0), Loss::kDlr));
  EXPECT_THROW(per_sample_loss(three.narrow(1, 0, 2), classes(0), Loss::kDlr), ParamError);
  EXPECT_THROW(per_sample_loss(three, classes(0), classes(1), Loss::kTargetedDlr), ParamError);
}

TEST(PerSampleLoss, TargetedCrossEntropyIsTheLogProbabilityOfTheTarget) {
  const Tensor logits = at::tensor({1.0, 2.0}, kDouble).view({1, 2});

  const Tensor loss = per_sample_loss(logits, classes(1), classes(0), Loss::kTargetedCrossEntropy);

  EXPECT_NEAR(loss.item<double>(), -std::log(1 + std::exp(1.0)), 1e-15);
}

TEST(PerSampleLoss, TargetedMarginIsTheLeadOfTheTarget) {
  const Tensor loss = per_sample_loss(five_logits(), classes(1), classes(4), Loss::kTargetedMargin);

  EXPECT_EQ(loss.item<double>(), -4.0 - 5.0);
}

TEST(PerSampleLoss, ProbabilityMarginIsTheMarginOfTheSoftmax) {
  const Tensor logits = at::tensor({0.0, std::log(2.0), std::log(5.0)}, kDouble).view({1, 3});

  // Probabilities 1/8, 2/8, 5/8.
  const auto loss = [&](std::int64_t label) {
    return per_sample_loss(logits, classes(label), Loss::kProbabilityMargin).item<double>();
  };
  EXPECT_NEAR(loss(2), -3.0 / 8, 1e-15);
  EXPECT_NEAR(loss(0), 4.0 / 8, 1e-15);
  EXPECT_NEAR(per_sample_loss(logits, classes(2), classes(0), Loss::kTargetedProbabilityMargin)
                  .item<double>(),
              -4.0 / 8,
              1e-15);
  EXPECT_TRUE(is_targeted(Loss::kTargetedProbabilityMargin));
  EXPECT_FALSE(is_targeted(Loss::kProbabilityMargin));
}

TEST(PerSampleLoss, TargetedLossesNeedTargets) {
  EXPECT_THROW(per_sample_loss(five_logits(), classes(1), Loss::kTargetedMargin), ParamError);
}

TEST(Distance, IsTheNormPerSample) {
  const Tensor x = at::zeros({2, 1, 1, 2}, kFloat);
  const Tensor moved = at::tensor({3.0F, -4.0F, 0.0F, 1.0F}).view({2, 1, 1, 2});

  EXPECT_TRUE(at::equal(distance(moved, x, Norm::kL2), at::tensor({5.0, 1.0}, kDouble)));
  EXPECT_TRUE(at::equal(distance(moved, x, Norm::kLinf), at::tensor({4.0, 1.0}, kDouble)));
  EXPECT_TRUE(at::equal(distance(moved, x, Norm::kL1), at::tensor({7.0, 1.0}, kDouble)));
}

TEST(Project, CutsEveryCoordinateInLinf) {
  const Tensor x = at::full({1, 4}, 0.5, kDouble);
  const Tensor far = at::tensor({0.9, 0.1, 0.52, 0.5}, kDouble).view({1, 4});

  const Tensor near = project(far, x, {Norm::kLinf, 0.1, 0, 1});

  // The ball is one part in 10^7 smaller.
  EXPECT_TRUE(at::allclose(near, at::tensor({0.6, 0.4, 0.52, 0.5}, kDouble).view({1, 4}), 0, 1e-8));
}

TEST(Project, KeepsTheDirectionInL2) {
  const Tensor x = at::full({1, 2}, 0.5, kDouble);
  const Tensor far = x + at::tensor({0.3, 0.4}, kDouble);

  const Tensor near = project(far, x, {Norm::kL2, 0.25, 0, 1});

  EXPECT_TRUE(at::allclose(near - x, at::tensor({0.15, 0.2}, kDouble).view({1, 2}), 0, 1e-7));
}

TEST(Project, LowersAllCoordinatesAlikeInL1) {
  const Tensor x = at::full({1, 4}, 0.5, kDouble);
  const Tensor far = x + at::tensor({0.4, -0.3, 0.05, 0.0}, kDouble);

  const Tensor near = project(far, x, {Norm::kL1, 0.5, 0, 1});

  // 0.4 - a + 0.3 - a = 0.5: a = 0.1, above the third entry. The ball is 1e-7 smaller.
  EXPECT_TRUE(
      at::allclose(near - x, at::tensor({0.3, -0.2, 0.0, 0.0}, kDouble).view({1, 4}), 0, 1e-7));
}

TEST(Project, GivesToOtherCoordinatesInL1WhatTheBoxTakes) {
  const Tensor x = at::tensor({0.9, 0.5, 0.5}, kDouble).view({1, 3});
  const Tensor far = x + at::tensor({0.5, 0.3, 0.2}, kDouble);

  const Tensor near = project(far, x, {Norm::kL1, 0.4, 0, 1});

  // The first has room for 0.1; the others are lowered by 0.1 to fill the rest of 0.4.
  EXPECT_TRUE(at::allclose(near - x, at::tensor({0.1, 0.2, 0.1}, kDouble).view({1, 3}), 0, 1e-7));
}

// Bisection on the Lagrange multiplier as the oracle: min(max(|t| - a, 0), room), sum = epsilon.
TEST(Project, IsTheNearestPointOfTheL1BallAndTheBox) {
  std::vector<std::int64_t> ids(100);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
  SampleRandom random(9, ids);
  const Tensor x = random.uniform(at::empty({100, 20}, kDouble), -0.3, 1.3).clamp(0, 1);
  const Tensor t = 0.5 * random.normal(x);
  for (const double epsilon : {0.1, 1.0, 3.0, 50.0}) {
    const Tensor room = at::where(t > 0, 1 - x, x);
    Tensor low = at::zeros({100, 1}, kDouble);
    Tensor high = at::full({100, 1}, 10.0, kDouble);
    const auto lowered = [&](const Tensor& a) {
      return at::minimum((t.abs() - a).clamp_min(0), room);
    };
    for (int i = 0; i < 100; ++i) {
      const Tensor middle = (low + high) / 2;
      const Tensor fits = lowered(middle).sum(1, true) <= epsilon * (1 - 1e-7);
      high = at::where(fits, middle, high);
      low = at::where(fits, low, middle);
    }

    const Tensor near = project(x + t, x, {Norm::kL1, epsilon, 0, 1});

    EXPECT_LE((near - x - lowered(high) * t.sign()).abs().max().item<double>(), 1e-12);
  }
}

TEST(Project, LeavesPointsInsideWhereTheyAre) {
  const Tensor x = at::full({1, 2}, 0.5, kDouble);
  const Tensor inside = x + at::tensor({0.03, -0.04}, kDouble);

  for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
    // x + (inside - x) can differ from inside by one rounding.
    EXPECT_TRUE(at::allclose(project(inside, x, {norm, 0.1, 0, 1}), inside, 0, 2.3e-16));
  }
}

TEST(Project, KeepsTheBoxExactly) {
  const Tensor x = at::tensor({0.0, 1.0, 0.01, 0.99}, kFloat).view({1, 4});
  const Tensor far = at::tensor({-1.0, 2.0, -1.0, 2.0}, kFloat).view({1, 4});

  for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
    const Tensor near = project(far, x, {norm, 0.3, 0, 1});
    EXPECT_GE(near.min().item<double>(), 0.0);
    EXPECT_LE(near.max().item<double>(), 1.0);
  }
}

// Equal pixels round alike: without rounding inwards 3072 of them add up to 1.7e-6 at epsilon 0.5,
// three times of what the host allows.
TEST(Project, StaysInTheBallInFloat32WhateverThePixels) {
  for (const double pixel : {0.1, 0.3, 0.7, 0.9}) {
    for (const double epsilon : {1e-3, 0.04, 0.5, 2.0}) {
      for (const double sign : {-1.0, 1.0}) {
        const Tensor x = at::full({1, 3, 32, 32}, pixel, kFloat);
        for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
          const Tensor near = project(x + sign, x, {norm, epsilon, 0, 1});
          EXPECT_LE(distance(near, x, norm).item<double>(), epsilon * (1 + 1e-6) + 1e-7);
        }
      }
    }
  }
}

// Exactly, not up to an allowance: x + epsilon rounds up for about half of all pixels, by up to 3e-8.
TEST(Project, StaysInTheBallExactlyInFloat32) {
  const Tensor x = SampleRandom(3, {0}).uniform(at::empty({1, 20000}, kFloat), 0.0, 1.0);
  for (const double epsilon : {1e-6, 1e-3, 8.0 / 255, 0.1, 0.5}) {
    for (const double sign : {-2.0, 2.0}) {
      for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
        const Tensor near = project(x + sign, x, {norm, epsilon, 0, 1});

        EXPECT_LE(distance(near, x, norm).item<double>(), epsilon);
      }
      // And not further inside than two roundings of numbers up to 1.5.
      const Tensor moved =
          (project(x + sign, x, {Norm::kLinf, epsilon, -1, 2}).to(kDouble) - x.to(kDouble)).abs();
      EXPECT_GE(moved.min().item<double>(), epsilon * (1 - 1e-7) - 2.5e-7);
    }
  }
}

TEST(Project, OfTheImageItselfIsTheImage) {
  const Tensor x = at::rand({2, 3, 4, 4}, kFloat);

  for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
    EXPECT_TRUE(at::equal(project(x, x, {norm, 0.1, 0, 1}), x));
    EXPECT_TRUE(at::equal(project(x + 0.5, x, {norm, 0.0, 0, 1}), x));
  }
}

TEST(Target, RefusesRowsThatDoNotFitTheBatch) {
  LinearTarget target(at::ones({2, 4}, kDouble), at::zeros({2}, kDouble));

  EXPECT_THROW(target.logits(at::zeros({3, 4}, kDouble), at::zeros({2}, at::kLong)), c10::Error);
}

TEST(Target, RefusesLabelsThatDoNotFitTheBatch) {
  LinearTarget target(at::ones({2, 4}, kDouble), at::zeros({2}, kDouble));

  EXPECT_THROW(target.loss_and_gradient(
                   at::zeros({3, 4}, kDouble), at::zeros({2}, at::kLong), Loss::kMargin),
               c10::Error);
}

}  // namespace
}  // namespace unmask::test::attack_test
