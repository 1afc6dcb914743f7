// Cross-entropy against its definition.

#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/linear_step.hpp"

namespace unmask::test::cross_entropy_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

// Two samples, three classes; identity weights, so the logits are the images.
Tensor images() {
  return at::tensor({1.0, 2.0, 0.5, -1.0, 0.0, 3.0}, kDouble).view({2, 3, 1, 1});
}

double loss_of(double smoothing) {
  LinearStep step(at::eye(3, kDouble), {0, 1});
  const Tensor y = at::tensor({1, 0}, at::kLong);
  return make_plugin<Objective>("objective", "cross_entropy", {{"label_smoothing", smoothing}})
      ->loss(step, images(), y)
      .item<double>();
}

// -sum_k target_k log softmax(z)_k, mean over the samples.
double definition(double smoothing) {
  const double z[2][3] = {{1.0, 2.0, 0.5}, {-1.0, 0.0, 3.0}};
  const int label[2] = {1, 0};
  double total = 0;
  for (int i = 0; i < 2; ++i) {
    const double norm = std::log(std::exp(z[i][0]) + std::exp(z[i][1]) + std::exp(z[i][2]));
    for (int k = 0; k < 3; ++k) {
      const double target = (k == label[i] ? 1 - smoothing : 0) + smoothing / 3;
      total -= target * (z[i][k] - norm);
    }
  }
  return total / 2;
}

TEST(CrossEntropy, IsTheMeanOverTheBatch) {
  EXPECT_NEAR(loss_of(0), definition(0), 1e-14);
}

TEST(CrossEntropy, SpreadsTheSmoothedShareEvenly) {
  EXPECT_NEAR(loss_of(0.1), definition(0.1), 1e-14);
}

// dL/dz = (softmax(z) - t) / n with the smoothed target t; the network is the identity, so the
// gradient by its weights is that times the images.
TEST(CrossEntropy, HasTheGradientOfTheSmoothedTarget) {
  LinearStep step(at::eye(3, kDouble), {0, 1});
  const Tensor y = at::tensor({1, 0}, at::kLong);

  make_plugin<Objective>("objective", "cross_entropy", {{"label_smoothing", 0.1}})
      ->loss(step, images(), y)
      .backward();

  const Tensor z = images().flatten(1);
  const Tensor target = 0.9 * at::one_hot(y, 3).to(at::kDouble) + 0.1 / 3;
  const Tensor expected = at::matmul((z.softmax(1) - target).t(), z) / 2;
  EXPECT_LE((step.weight().grad() - expected).abs().max().item<double>(), 1e-14);
}

TEST(CrossEntropy, RefusesASmoothingOfOne) {
  EXPECT_THROW(loss_of(1.0), ParamError);
}

TEST(CrossEntropy, MakesOneForwardPass) {
  LinearStep step(at::eye(3, kDouble), {0, 1});

  make_plugin<Objective>("objective", "cross_entropy")
      ->loss(step, images(), at::tensor({1, 0}, at::kLong));

  EXPECT_EQ(step.forwards(), 1);
}

}  // namespace
}  // namespace unmask::test::cross_entropy_test
