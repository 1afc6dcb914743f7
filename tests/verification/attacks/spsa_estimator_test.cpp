// The gradient estimate of SPSA against its closed form on linear and quadratic functions. All
// random numbers have fixed seeds; bounds are five standard errors.

#include "unmask/kit/attack/spsa_estimator.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unmask/random.hpp"

namespace unmask::test::spsa_estimator_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);

std::vector<std::int64_t> ids(std::int64_t count) {
  std::vector<std::int64_t> result;
  for (std::int64_t i = 0; i < count; ++i) result.push_back(i);
  return result;
}

// Every row of x is one independent estimate.
template <class LossFunction>
Tensor estimates(
    LossFunction&& loss, const Tensor& x, double delta, std::int64_t pairs, std::uint64_t seed) {
  SampleRandom random(seed, ids(x.size(0)));
  return kit::spsa_gradient(
      loss, [&](std::int64_t) { return random.signs(x); }, x, delta, pairs, 0.0, 1.0);
}

Tensor some_weights(std::int64_t size) {
  return SampleRandom(77, {0}).normal(at::empty({1, size}, kDouble)).squeeze(0);
}

TEST(SpsaEstimator, IsUnbiasedOnALinearFunction) {
  const std::int64_t size = 16;
  const std::int64_t rows = 4000;
  const std::int64_t pairs = 4;
  const Tensor w = some_weights(size);
  const Tensor x = at::full({rows, size}, 0.5, kDouble);

  const Tensor mean =
      estimates([&](const Tensor& p) { return at::mv(p, w); }, x, 0.01, pairs, 3).mean(0);

  // Variance of coordinate j of one estimate: (||w||^2 - w_j^2) / pairs.
  const Tensor error = ((w.square().sum() - w.square()) / static_cast<double>(pairs * rows)).sqrt();
  EXPECT_LE(((mean - w).abs() / error).max().item<double>(), 5.0);
}

TEST(SpsaEstimator, StaysUnbiasedWhereTheBoxShortensTheSteps) {
  const std::int64_t size = 16;
  const std::int64_t rows = 4000;
  const double delta = 0.01;
  const Tensor w = some_weights(size);
  Tensor x = at::full({rows, size}, 0.5, kDouble);
  x.select(1, 0).fill_(1.0);    // moves delta instead of 2 delta
  x.select(1, 1).fill_(0.005);  // moves 1.5 delta

  const Tensor mean =
      estimates([&](const Tensor& p) { return at::mv(p, w); }, x, delta, 1, 4).mean(0);

  // Coordinate j estimates w_j + sum_k w_k s_k / s_j with the lengths s: the variance is the sum of
  // the squares of the terms with k != j.
  Tensor length = at::full({size}, 2.0, kDouble);
  length[0] = 1.0;
  length[1] = 1.5;
  const Tensor total = (w * length).square().sum();
  const Tensor variance = (total - (w * length).square()) / length.square();
  const Tensor error = (variance / static_cast<double>(rows)).sqrt();
  EXPECT_LE(((mean - w).abs() / error).max().item<double>(), 5.0);
}

TEST(SpsaEstimator, HasTheKnownMeanSquare) {
  const std::int64_t size = 16;
  const std::int64_t rows = 4000;
  const std::int64_t pairs = 4;
  const Tensor w = some_weights(size);
  const Tensor x = at::full({rows, size}, 0.5, kDouble);

  const double mean_square =
      estimates([&](const Tensor& p) { return at::mv(p, w); }, x, 0.01, pairs, 5)
          .square()
          .sum(1)
          .mean()
          .item<double>();

  // E ||g||^2 = ||w||^2 (D + m - 1) / m. One squared norm deviates by at most sqrt(2) times its
  // mean.
  const double expected = w.square().sum().item<double>() * static_cast<double>(size + pairs - 1) /
                          static_cast<double>(pairs);
  EXPECT_NEAR(mean_square / expected, 1.0, 5 * std::sqrt(2.0 / static_cast<double>(rows)));
}

TEST(SpsaEstimator, HasTheKnownCosineInManyDimensions) {
  const std::int64_t size = 3072;
  const Tensor w = some_weights(size);

  for (const std::int64_t pairs : {16, 64, 128, 1024, 4096, 8192}) {
    const std::int64_t rows = pairs < 1000 ? 20 : 2;
    const Tensor x = at::full({rows, size}, 0.5, kDouble);
    const Tensor g = estimates([&](const Tensor& p) { return at::mv(p, w); }, x, 0.01, pairs, 6);
    const double cosine = (at::mv(g, w) / (g.norm(2, 1) * w.norm())).mean().item<double>();
    // 0.072, 0.143, 0.200, 0.500, 0.756, 0.853. w.g is a mean of `pairs` squares of nearly normal
    // numbers, whose relative deviation is sqrt(2 / pairs).
    const auto m = static_cast<double>(pairs);
    const double expected = std::sqrt(m / (m + static_cast<double>(size) - 1));
    EXPECT_NEAR(cosine / expected, 1.0, 5 * std::sqrt(2.0 / (m * static_cast<double>(rows))));
  }
}

TEST(SpsaEstimator, DependsOnTheCurrentIterate) {
  // On ||x||^2 the central difference is exact: 2 x.v. With equal signs the estimate is linear in
  // x.
  const Tensor x = at::linspace(0.1, 0.4, 8, kDouble).unsqueeze(0);
  const auto square = [](const Tensor& p) { return p.square().sum(1); };

  const Tensor here = estimates(square, x, 0.01, 3, 7);
  const Tensor twice = estimates(square, 2 * x, 0.01, 3, 7);

  // Differences of numbers near 1 divided by 0.02: rounding 1e-16 grows to 1e-14.
  EXPECT_TRUE(at::allclose(twice, 2 * here, 1e-10, 1e-12));
}

TEST(SpsaEstimator, IsUnbiasedOnAQuadraticFunction) {
  const std::int64_t rows = 4000;
  const Tensor point = at::linspace(0.1, 0.8, 8, kDouble);
  const Tensor x = point.expand({rows, 8}).contiguous();

  const Tensor mean =
      estimates([](const Tensor& p) { return p.square().sum(1); }, x, 0.01, 1, 8).mean(0);

  const Tensor gradient = 2 * point;
  const Tensor error = ((gradient.square().sum() - gradient.square()) / 4000.0).sqrt();
  EXPECT_LE(((mean - gradient).abs() / error).max().item<double>(), 5.0);
}

}  // namespace
}  // namespace unmask::test::spsa_estimator_test
