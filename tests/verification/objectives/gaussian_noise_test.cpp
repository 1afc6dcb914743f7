// Training on noisy images: the noise's moments, and nothing else than the noise.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "verification/objectives/closed_form.hpp"

namespace unmask::test::gaussian_noise_test {
namespace {

std::unique_ptr<Objective> gaussian_noise(double sigma) {
  return make_plugin<Objective>("objective", "gaussian_noise", {{"sigma", sigma}});
}

// The noise of a batch of n numbers.
Tensor noise(double sigma, std::int64_t rows, std::int64_t pixels) {
  std::vector<std::int64_t> ids;
  for (std::int64_t i = 0; i < rows; ++i) ids.push_back(i);
  const Tensor x = at::full({rows, 1, 1, pixels}, 0.5, at::kDouble);
  LinearStep step(at::zeros({2, pixels}, at::kDouble), ids);
  gaussian_noise(sigma)->loss(step, x, at::zeros({rows}, at::kLong));
  return step.points()[0] - x;
}

constexpr std::int64_t kRows = 50;
constexpr std::int64_t kPixels = 2000;
constexpr double kCount = 1e5;

// Mean and variance of n normal numbers deviate by sigma / sqrt(n) and sigma^2 sqrt(2 / n), the
// fourth moment by sigma^4 sqrt(96 / n); five of them are a chance of 6e-7.
TEST(GaussianNoiseObjective, HasMeanZero) {
  EXPECT_NEAR(noise(0.3, kRows, kPixels).mean().item<double>(), 0, 5 * 0.3 / std::sqrt(kCount));
}

TEST(GaussianNoiseObjective, HasTheGivenDeviation) {
  const double variance = noise(0.3, kRows, kPixels).square().mean().item<double>();
  EXPECT_NEAR(variance, 0.09, 5 * 0.09 * std::sqrt(2 / kCount));
}

TEST(GaussianNoiseObjective, HasTheTailsOfANormalDistribution) {
  const double fourth = noise(1.0, kRows, kPixels).pow(4).mean().item<double>();
  EXPECT_NEAR(fourth, 3, 5 * std::sqrt(96 / kCount));
}

TEST(GaussianNoiseObjective, IsIndependentBetweenSamples) {
  const Tensor drawn = noise(1.0, 2, kPixels);
  const double correlation = (drawn[0] * drawn[1]).mean().item<double>();
  EXPECT_NEAR(correlation, 0, 5 / std::sqrt(static_cast<double>(kPixels)));
}

TEST(GaussianNoiseObjective, IsNotCutToTheBox) {
  const Tensor point = noise(1.0, kRows, kPixels) + 0.5;
  EXPECT_LT(point.min().item<double>(), 0);
  EXPECT_GT(point.max().item<double>(), 1);
}

TEST(GaussianNoiseObjective, HasTheLossOfTheNoisyImages) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  const double loss = gaussian_noise(0.3)->loss(step, problem.x, problem.y).item<double>();

  EXPECT_NEAR(loss, mean_cross_entropy(problem.weight, step.points()[0], problem.y), 1e-14);
}

// The noise is a constant to the weights: dL/dW = mean (p - onehot(y)) x_noisy^T.
TEST(GaussianNoiseObjective, HasTheGradientOfTheNoisyImages) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  gaussian_noise(0.3)->loss(step, problem.x, problem.y).backward();

  const Tensor point = step.points()[0];
  const Tensor error =
      log_answers(problem.weight, point).exp() - at::one_hot(problem.y, 2).to(at::kDouble);
  const Tensor expected = at::matmul(error.t(), point.flatten(1)) / 4;
  EXPECT_LE((step.weight().grad() - expected).abs().max().item<double>(), 1e-14);
}

TEST(GaussianNoiseObjective, WithoutNoiseIsCrossEntropy) {
  const TwoClasses problem;
  LinearStep step = problem.step();
  LinearStep plain = problem.step();

  const Tensor loss = gaussian_noise(0)->loss(step, problem.x, problem.y);

  const Tensor expected =
      make_plugin<Objective>("objective", "cross_entropy")->loss(plain, problem.x, problem.y);
  EXPECT_TRUE(at::equal(loss, expected));
}

TEST(GaussianNoiseObjective, AttacksNothing) {
  const TwoClasses problem;
  LinearStep step = problem.step();

  gaussian_noise(0.3)->loss(step, problem.x, problem.y);

  EXPECT_FALSE(step.was_attacked());
}

}  // namespace
}  // namespace unmask::test::gaussian_noise_test
