// The probes of gradients on losses whose gradients, leaks and differences are known in closed form.

#include <algorithm>
#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "verification/probes/known_targets.hpp"

namespace unmask::test {
namespace {

// Closed forms in float64, of numbers around 1, with a few hundred operations.
constexpr double kRounding = 1e-12;

// ---- batch_gradient ----

// Two classes, u = w_1 - w_0. Four images, labels 0 1 1 1, each logit plus c times the mean of all:
// the margin of label 0 is u x_0 + c/4 u sum_j x_j, that of label 1 its negative.
struct Coupled {
  explicit Coupled(double share) { target.coupled(share); }

  Tensor weight =
      at::tensor({0.5, -1.0, 2.0, 0.25, -0.5, 1.0, 0.75, -1.5}, at::kDouble).view({2, 4});
  LinearTarget target{weight, at::zeros({2}, at::kDouble)};
  Tensor x = uniform_images(4, 2, 0.2, 0.8);
  Tensor y = at::tensor({0, 1, 1, 1}, at::kLong);
};

TEST(BatchGradient, MeasuresAPlantedLeak) {
  Coupled weak(1);

  const auto values = measure_probe("batch_gradient", {}, weak.target, weak.x, weak.y);

  // Row 0: own (1 + 1/4) u, the others -3/4 u. Rows 1 to 3: own -(1 + 1/4) u, the others
  // (1 - 2) / 4 u.
  EXPECT_NEAR(number(values, "leak_ratio_margin", 0), 0.75 / 1.25, kRounding);
  for (int i = 1; i < 4; ++i) {
    EXPECT_NEAR(number(values, "leak_ratio_margin", i), 0.25 / 1.25, kRounding);
  }
  EXPECT_NEAR(number(values, "batch_cosine_margin", 0), 1, kRounding);
}

TEST(BatchGradient, SeesAGradientThatTheOthersTurnRound) {
  Coupled strong(4);

  const auto values = measure_probe("batch_gradient", {}, strong.target, strong.x, strong.y);

  // Row 0: own 2 u, the others -3 u.
  EXPECT_NEAR(number(values, "leak_ratio_margin", 0), 1.5, kRounding);
  EXPECT_NEAR(number(values, "batch_cosine_margin", 0), -1, kRounding);
  EXPECT_EQ(number(values, "batch_sign_agreement_margin", 0), 0);
  EXPECT_EQ(number(values, "batch_sign_agreement_margin", 1), 1);
}

TEST(BatchGradient, IsPerfectWhereSamplesDoNotInfluenceEachOther) {
  Coupled honest(0);

  const auto values = measure_probe("batch_gradient", {}, honest.target, honest.x, honest.y);

  for (const char* suffix : {"", "_margin"}) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_NEAR(number(values, std::string("batch_cosine") + suffix, i), 1, kRounding);
      EXPECT_EQ(number(values, std::string("batch_sign_agreement") + suffix, i), 1);
      EXPECT_NEAR(number(values, std::string("leak_ratio") + suffix, i), 0, kRounding);
    }
  }
}

// Cross-entropy of a confident image is moved by its neighbours alone, its margin is not.
TEST(BatchGradient, FindsConfidentImagesWhoseCrossEntropyIsTheOthers) {
  const Tensor weight =
      at::tensor({10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}, at::kDouble).view({2, 4});
  LinearTarget target(weight, at::zeros({2}, at::kDouble));
  target.coupled(1);
  // Logits of class 0 within the batch: 15 of the first image, with its label; 5 of the second, against
  // its label. Own part: e^-15 times 15; what the second adds: about 5.
  const Tensor x =
      at::tensor({1.0, 0.5, 0.5, 0.5, 0.0, 0.5, 0.5, 0.5}, at::kDouble).view({2, 1, 2, 2});

  const auto values = measure_probe("batch_gradient", {}, target, x, at::tensor({0, 1}, at::kLong));

  EXPECT_GT(number(values, "leak_ratio", 0), 1e5);
  EXPECT_NEAR(number(values, "leak_ratio_margin", 0), 5.0 / 15.0, kRounding);
  EXPECT_NEAR(number(values, "batch_cosine", 0), -1, kRounding);
}

TEST(BatchGradient, LeavesUndefinedWhatHasNoGradient) {
  Coupled dead(0);
  dead.target.without_gradient();

  const auto values = measure_probe("batch_gradient", {}, dead.target, dead.x, dead.y);

  for (const auto& [name, numbers] : values) {
    EXPECT_TRUE(numbers.isnan().all().item<bool>()) << name;
  }
}

TEST(BatchGradient, MeasuresTheLeakOfAsManySamplesAsAskedFor) {
  Coupled some(1);

  const auto values = measure_probe(
      "batch_gradient", {{"leak_samples", std::int64_t{2}}}, some.target, some.x, some.y);

  EXPECT_EQ(values.at("leak_ratio").isfinite().sum().item<std::int64_t>(), 2);
  EXPECT_EQ(values.at("batch_cosine").isfinite().sum().item<std::int64_t>(), 4);
}

TEST(BatchGradient, CostsWhatItSays) {
  for (const std::int64_t asked : {0, 1, 4, 10}) {
    Coupled batch(1);
    measure_probe("batch_gradient", {{"leak_samples", asked}}, batch.target, batch.x, batch.y);

    const std::int64_t k = std::min<std::int64_t>(asked, 4);
    EXPECT_EQ(batch.target.forward_passes(), 4 * (2 + (k + 3) / 4)) << asked;
    EXPECT_EQ(batch.target.backwards(), 4 * (4 + 2 * k)) << asked;
  }
}

}  // namespace
}  // namespace unmask::test
