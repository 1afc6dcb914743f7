// Losses, distances and projections that all attacks share.

#include "unmask/attack.hpp"

#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/linear_target.hpp"

namespace unmask::test {
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

TEST(Distance, IsTheNormPerSample) {
  const Tensor x = at::zeros({2, 1, 1, 2}, kFloat);
  const Tensor moved = at::tensor({3.0F, -4.0F, 0.0F, 1.0F}).view({2, 1, 1, 2});

  EXPECT_TRUE(at::equal(distance(moved, x, Norm::kL2), at::tensor({5.0, 1.0}, kDouble)));
  EXPECT_TRUE(at::equal(distance(moved, x, Norm::kLinf), at::tensor({4.0, 1.0}, kDouble)));
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

TEST(Project, LeavesPointsInsideWhereTheyAre) {
  const Tensor x = at::full({1, 2}, 0.5, kDouble);
  const Tensor inside = x + at::tensor({0.03, -0.04}, kDouble);

  for (const Norm norm : {Norm::kLinf, Norm::kL2}) {
    // x + (inside - x) can differ from inside by one rounding.
    EXPECT_TRUE(at::allclose(project(inside, x, {norm, 0.1, 0, 1}), inside, 0, 2.3e-16));
  }
}

TEST(Project, KeepsTheBoxExactly) {
  const Tensor x = at::tensor({0.0, 1.0, 0.01, 0.99}, kFloat).view({1, 4});
  const Tensor far = at::tensor({-1.0, 2.0, -1.0, 2.0}, kFloat).view({1, 4});

  for (const Norm norm : {Norm::kLinf, Norm::kL2}) {
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
        for (const Norm norm : {Norm::kLinf, Norm::kL2}) {
          const Tensor near = project(x + sign, x, {norm, epsilon, 0, 1});
          EXPECT_LE(distance(near, x, norm).item<double>(), epsilon * (1 + 1e-6) + 1e-7);
        }
      }
    }
  }
}

TEST(Project, OfTheImageItselfIsTheImage) {
  const Tensor x = at::rand({2, 3, 4, 4}, kFloat);

  for (const Norm norm : {Norm::kLinf, Norm::kL2}) {
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
}  // namespace unmask::test
