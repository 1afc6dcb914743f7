// The probes of losses around an image - gains, lines, landscapes, noise - on functions whose values
// there are known.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"
#include "verification/probes/known_targets.hpp"

namespace unmask::test {
namespace {

// Closed forms in float64, of numbers around 1, with a few hundred operations.
constexpr double kRounding = 1e-12;

// ---- gains of gradient_norm ----

// The projected point is at epsilon but for one part in 10^7.
constexpr double kProjected = 1.1e-7;

Measured gains(Target& target, const Tensor& x, const char* norm) {
  return measure_probe(
      "gradient_norm",
      {{"epsilon", 0.1}, {"norm", std::string(norm)}, {"loss", std::string("margin")}},
      target,
      x,
      zeros_for(x));
}

TEST(Gain, IsRealisedOnALinearLoss) {
  const Tensor x = uniform_images(3, 2, 0.3, 0.7);
  const Tensor w = at::tensor({3.0, -4.0, 0.0, 0.0}, at::kDouble);
  FunctionTarget target([&](const Tensor& p) { return (p * w).sum(1); });

  const Measured linf = gains(target, x, "linf");
  const Measured l2 = gains(target, x, "l2");

  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(number(linf, "predicted_gain", i), 0.7, kRounding);
    EXPECT_NEAR(number(linf, "realised_gain", i), 0.7, 0.7 * kProjected);
    EXPECT_NEAR(number(l2, "predicted_gain", i), 0.5, kRounding);
    EXPECT_NEAR(number(l2, "realised_gain", i), 0.5, 0.5 * kProjected);
  }
  EXPECT_EQ(target.forwards(), 2 * 3 * (5 + 1));
  EXPECT_EQ(target.backwards(), 2 * 3 * 5);
}

// A gradient ten times too large promises ten times what there is; one of the wrong sign gains nothing.
TEST(Gain, FallsShortOfWhatAWrongGradientPromises) {
  const Tensor x = uniform_images(3, 2, 0.3, 0.7);
  FunctionTarget large([](const Tensor& p) { return p.sum(1); });
  large.gradient_scaled(10);
  FunctionTarget wrong([](const Tensor& p) { return p.sum(1); });
  wrong.gradient_scaled(-1);

  const Measured promised = gains(large, x, "linf");

  EXPECT_NEAR(number(promised, "predicted_gain"), 4, kRounding);
  EXPECT_NEAR(number(promised, "realised_gain"), 0.4, 0.4 * kProjected);
  EXPECT_EQ(number(gains(wrong, x, "linf"), "realised_gain"), 0);
}

// x^2 at zero: no slope, so nothing is predicted and nothing found; beside it the steps find the rest.
TEST(Gain, SeesTheCurvatureThatThePredictionLeavesOut) {
  const Tensor x = at::full({1, 1, 1, 1}, 0.5, at::kDouble);
  FunctionTarget flat([](const Tensor& p) { return (p - 0.5).square().sum(1); });
  FunctionTarget bent([](const Tensor& p) { return (p - 0.4).square().sum(1); });

  EXPECT_EQ(number(gains(flat, x, "linf"), "realised_gain"), 0);
  const Measured values = gains(bent, x, "linf");
  EXPECT_NEAR(number(values, "predicted_gain"), 0.02, kRounding);
  EXPECT_NEAR(number(values, "realised_gain"), 0.03, 0.04 * kProjected);
}

TEST(Gain, IsNotMeasuredWithoutABall) {
  const Tensor x = uniform_images(3, 2, 0, 1);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });

  const Measured values = measure_probe("gradient_norm", {}, target, x, zeros_for(x));

  EXPECT_EQ(values.count("predicted_gain"), 0u);
  EXPECT_EQ(target.forwards(), 3);
  EXPECT_EQ(target.backwards(), 3);
}

}  // namespace
}  // namespace unmask::test
