// The probes of gradients on losses whose gradients, leaks and differences are known in closed form.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "verification/probes/known_targets.hpp"

namespace unmask::test::gradient_probes_test {
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

// ---- finite_differences ----

// Pixels move by 1e-4, 1e-3 and 1e-2.
Measured differences(Target& target, const Tensor& x, const char* loss = "margin") {
  return measure_probe("finite_differences",
                       {{"epsilon", 0.1}, {"loss", std::string(loss)}},
                       target,
                       x,
                       zeros_for(x));
}

constexpr const char* kCosines[] = {"fd_cosine_tiny", "fd_cosine_small", "fd_cosine_large"};

// The difference of two logits of size 1 is right to 1e-16; it is 1e-4 at the tiny step.
constexpr double kDifference = 1e-9;

TEST(FiniteDifferences, AgreeOnLinearAndQuadraticLosses) {
  const Tensor x = uniform_images(3, 3, 0, 1);
  const Tensor w = at::linspace(-1, 1.5, 9, at::kDouble);
  FunctionTarget linear([&](const Tensor& p) { return (p * w).sum(1); });
  FunctionTarget quadratic([&](const Tensor& p) { return (w * (p - 0.3).square()).sum(1); });

  for (FunctionTarget* target : {&linear, &quadratic}) {
    const Measured values = differences(*target, x);

    for (int i = 0; i < 3; ++i) {
      for (const char* name : kCosines) EXPECT_NEAR(number(values, name, i), 1, kDifference);
      EXPECT_NEAR(number(values, "fd_ratio_small", i), 1, kDifference);
      EXPECT_EQ(number(values, "gradient_zero", i), 0);
    }
  }
}

// The central difference of sin(w x) is sin(w p) / (w p) of its slope for every pixel, so the sign
// and the size of what is measured are known: w p = 1.5 pi at the large step.
TEST(FiniteDifferences, TellHowFarAShatteredGradientReaches) {
  const double w = 150 * M_PI;
  FunctionTarget target([w](const Tensor& p) { return (w * p).sin().sum(1); });

  const Measured values = differences(target, uniform_images(3, 3, 0.2, 0.8));

  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(number(values, "fd_cosine_tiny", i), 1, kDifference);
    EXPECT_NEAR(number(values, "fd_cosine_large", i), -1, kDifference);
    EXPECT_NEAR(
        number(values, "fd_ratio_small", i), std::sin(0.15 * M_PI) / (0.15 * M_PI), kDifference);
  }
}

TEST(FiniteDifferences, SeeAWrongSignAndAWrongSize) {
  const Tensor x = uniform_images(2, 3, 0, 1);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });
  target.gradient_scaled(-4);

  const Measured values = differences(target, x);

  for (const char* name : kCosines) EXPECT_NEAR(number(values, name), -1, kDifference);
  EXPECT_NEAR(number(values, "fd_ratio_small"), -0.25, kDifference);
}

TEST(FiniteDifferences, SeeAGradientThatIsMissing) {
  const Tensor x = uniform_images(2, 3, 0, 1);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });
  target.gradient_scaled(0);

  const Measured values = differences(target, x);

  for (const char* name : kCosines) EXPECT_EQ(number(values, name), 0);
  EXPECT_TRUE(std::isnan(number(values, "fd_ratio_small")));
  EXPECT_EQ(number(values, "gradient_zero"), 1);
}

// A quantiser: flat between its levels, so small steps see nothing, and no gradient anywhere.
TEST(FiniteDifferences, SeeAQuantiserAtStepsThatCrossItsLevels) {
  const Tensor x = at::full({2, 1, 3, 3}, 0.503, at::kDouble);
  FunctionTarget target(
      [](const Tensor& p) { return ((p.detach() * 100).floor() / 100 + 0 * p).sum(1); });

  const Measured values = differences(target, x);

  EXPECT_TRUE(std::isnan(number(values, "fd_cosine_tiny")));   // 0.5029 and 0.5031
  EXPECT_TRUE(std::isnan(number(values, "fd_cosine_small")));  // 0.502 and 0.504
  EXPECT_EQ(number(values, "fd_cosine_large"), 0);             // 0.493 and 0.513
}

// Logits around 1000 have a unit in the last place of 6e-5 in float32: differences of at most 1.4e-4
// drown. In float64 they do not.
TEST(FiniteDifferences, SayNothingBelowTheRoundingOfTheLoss) {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const Tensor weight = at::tensor({1.0, -1.0, 0.5, 1.0, -1.0, 1.0, -0.5, -1.0}, at::kDouble);
    LinearTarget target((1e-3 * weight).view({2, 4}).to(type), at::full({2}, 1000.0, type));

    const Measured values = differences(target, uniform_images(2, 2, 0.2, 0.8).to(type));

    for (const char* name : kCosines) {
      if (type == at::kFloat) {
        EXPECT_TRUE(std::isnan(number(values, name))) << name;
      } else {
        EXPECT_NEAR(number(values, name), 1, kDifference) << name;
      }
    }
  }
}

TEST(FiniteDifferences, AskForImagesAloneWhereTheyInfluenceEachOther) {
  Coupled coupled(4);
  coupled.target.recording();

  const Measured values =
      measure_probe("finite_differences", {}, coupled.target, coupled.x, coupled.y);

  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(number(values, "fd_cosine_small", i), 1, kDifference);
    EXPECT_NEAR(number(values, "fd_ratio_small", i), 1, kDifference);
  }
  for (const Call& call : coupled.target.calls()) EXPECT_EQ(call.x.size(0), 1);
}

TEST(FiniteDifferences, StayInTheBoxAndRecordTheirCurves) {
  const Tensor weight = at::tensor({1.0, -1.0, 0.5, 1.0, -1.0, 1.0, -0.5, -1.0}, at::kDouble);
  LinearTarget target(weight.view({2, 4}), at::zeros({2}, at::kDouble));
  target.recording();
  const Tensor x = uniform_images(5, 2, 0, 1).round();  // every pixel is 0 or 1
  std::vector<RecordedSeries> series;

  const Measured values =
      measure_probe("finite_differences", {{"epsilon", 1.0}}, target, x, zeros_for(x), &series);

  for (const Call& call : target.calls()) {
    EXPECT_GE(call.x.min().item<double>(), 0);
    EXPECT_LE(call.x.max().item<double>(), 1);
  }
  EXPECT_NEAR(number(values, "fd_cosine_large"), 1, kDifference);
  ASSERT_EQ(series.size(), 4u);
  EXPECT_EQ(series[3].name, "fd_agreement");
  EXPECT_EQ(series[3].row, 3);
  EXPECT_EQ(series[3].values.size(0), 3);
}

TEST(FiniteDifferences, RefuseAStepThatTheBoxCannotHold) {
  const Tensor x = uniform_images(1, 2, 0, 1);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });

  // A tenth of the radius in l2 moves each of four pixels by half of that.
  const auto measure = [&](double epsilon) {
    measure_probe("finite_differences",
                  {{"epsilon", epsilon}, {"norm", std::string("l2")}},
                  target,
                  x,
                  zeros_for(x));
  };
  EXPECT_THROW(measure(10.0), ParamError);
  EXPECT_NO_THROW(measure(9.0));
}

// 8 is meant as 8/255; in l2 it may be meant as it is.
TEST(ProbesOfABall, RefuseARadiusBeyondTheRangeOfPixels) {
  for (const std::string id :
       {"binarisation", "finite_differences", "gradient_norm", "linearity", "path_discontinuity"}) {
    try {
      make_plugin<Probe>("probe", id, {{"epsilon", 8.0}});
      ADD_FAILURE() << id;
    } catch (const ParamError& error) {
      EXPECT_NE(std::string(error.what()).find("\"8/255\""), std::string::npos) << error.what();
    }
    EXPECT_NO_THROW(make_plugin<Probe>("probe", id, {{"epsilon", 1.0}})) << id;
  }
  EXPECT_NO_THROW(make_plugin<Probe>(
      "probe", "gradient_norm", {{"epsilon", 8.0}, {"norm", std::string("l2")}}));
}

TEST(FiniteDifferences, CostWhatTheySay) {
  const Tensor x = uniform_images(3, 2, 0, 1);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });

  measure_probe("finite_differences", {{"directions", std::int64_t{7}}}, target, x, zeros_for(x));

  EXPECT_EQ(target.forwards(), 3 * (6 * 7 + 1));
  EXPECT_EQ(target.backwards(), 3);
}

// ---- confidence ----

// Logits (bias, 0.02) in float32, label 0.
Measured confidence(double bias, LinearTarget** used = nullptr) {
  static std::unique_ptr<LinearTarget> target;
  const Tensor weight = at::tensor({0.0, 0.0, 0.0, 0.0, 0.01, 0.01, 0.01, 0.01}, at::kFloat);
  target = std::make_unique<LinearTarget>(weight.view({2, 4}), at::tensor({bias, 0.0}, at::kFloat));
  const Tensor x = at::full({2, 1, 2, 2}, 0.5, at::kFloat);
  if (used != nullptr) *used = target.get();
  return measure_probe("confidence", {}, *target, x, at::tensor({0, 1}, at::kLong));
}

TEST(Confidence, ReadsMarginsAndScalesOffTheLogits) {
  LinearTarget* target = nullptr;
  const Measured values = confidence(20, &target);

  const double rounding = 20 * 6e-8 * 4;
  EXPECT_NEAR(number(values, "margin", 0), 19.98, rounding);
  EXPECT_NEAR(number(values, "margin", 1), -19.98, rounding);
  EXPECT_NEAR(number(values, "logit_scale", 0), 19.98, rounding);
  EXPECT_EQ(target->forward_passes(), 2);
  EXPECT_EQ(target->backwards(), 2);
}

// e^-2 counts in float32; e^-20 is lost beside 1 but not by itself; e^-200 is zero.
TEST(Confidence, TellsTheStagesOfASaturatedCrossEntropyApart) {
  const Measured healthy = confidence(2);
  const Measured saturated = confidence(20);
  const Measured dead = confidence(200);

  EXPECT_EQ(number(healthy, "cross_entropy_zero"), 0);
  EXPECT_EQ(number(healthy, "loss_gradient_zero"), 0);
  EXPECT_EQ(number(saturated, "cross_entropy_zero"), 1);
  EXPECT_EQ(number(saturated, "loss_gradient_zero"), 0);
  EXPECT_EQ(number(dead, "cross_entropy_zero"), 1);
  EXPECT_EQ(number(dead, "loss_gradient_zero"), 1);
  // The second image has the other label: wrong, and far from saturated.
  EXPECT_EQ(number(dead, "cross_entropy_zero", 1), 0);
}

// ---- batch_invariance ----

// Own logits (1, 0) and (0, 0.4), plus four times their mean (0.5, 0.2).
TEST(BatchInvariance, MeasuresAPlantedCoupling) {
  const Tensor weight = at::tensor({1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0}, at::kDouble);
  LinearTarget target(weight.view({2, 4}), at::zeros({2}, at::kDouble));
  target.coupled(4);
  const Tensor x = at::tensor({1.0, 0.0, 0.0, 0.0, 0.0, 0.4, 0.0, 0.0}, at::kDouble);

  const Measured values = measure_probe(
      "batch_invariance", {}, target, x.view({2, 1, 2, 2}), at::tensor({0, 1}, at::kLong));

  // (3, 0.8) against (5, 0); (2, 1.2) against (0, 2).
  EXPECT_NEAR(number(values, "logit_shift", 0), 2.0 / 5.0, kRounding);
  EXPECT_NEAR(number(values, "logit_shift", 1), 2.0 / 2.0, kRounding);
  EXPECT_EQ(number(values, "label_flip", 0), 0);
  EXPECT_EQ(number(values, "label_flip", 1), 1);
  EXPECT_EQ(target.forwards(), 4);
  EXPECT_EQ(target.backwards(), 0);
}

TEST(BatchInvariance, IsQuietWhereSamplesDoNotInfluenceEachOther) {
  Coupled honest(0);

  const Measured values = measure_probe("batch_invariance", {}, honest.target, honest.x, honest.y);

  EXPECT_EQ(values.at("logit_shift").abs().max().item<double>(), 0);
  EXPECT_EQ(values.at("label_flip").sum().item<double>(), 0);
}

// ---- gradient_rules ----

TEST(GradientRules, CompareTheOwnGradientWithEveryNamedOne) {
  const Tensor x = uniform_images(3, 2, 0, 1);
  const Tensor w = at::tensor({3.0, -4.0, 0.0, 0.0}, at::kDouble);
  const auto linear = [&](const Tensor& p) { return (p * w).sum(1); };
  FunctionTarget own(linear);
  FunctionTarget half(linear);
  half.gradient_scaled(-0.5);
  FunctionTarget dead(linear);
  dead.gradient_scaled(0);
  // (3, 4, 0, 0): cosine (9 - 16) / 25, one sign of two.
  FunctionTarget turned([&](const Tensor& p) { return (p * w.abs()).sum(1); });

  const Measured values = measure_probe("gradient_rules",
                                        {{"loss", std::string("margin")}},
                                        own,
                                        x,
                                        zeros_for(x),
                                        nullptr,
                                        {{"dead", &dead}, {"half", &half}, {"turned", &turned}});

  EXPECT_EQ(values.size(), 10u);
  EXPECT_NEAR(number(values, "gradient_l2"), 5, kRounding);
  EXPECT_NEAR(number(values, "cosine_half"), -1, kRounding);
  EXPECT_EQ(number(values, "sign_agreement_half"), 0);
  EXPECT_NEAR(number(values, "norm_ratio_half"), 2, kRounding);
  EXPECT_EQ(number(values, "cosine_dead"), 0);
  EXPECT_TRUE(std::isinf(number(values, "norm_ratio_dead")));
  EXPECT_NEAR(number(values, "cosine_turned"), -7.0 / 25.0, kRounding);
  EXPECT_EQ(number(values, "sign_agreement_turned"), 0.5);
  for (const FunctionTarget* target : {&own, &half, &dead, &turned}) {
    EXPECT_EQ(target->forwards(), 3);
    EXPECT_EQ(target->backwards(), 3);
  }
}

// ---- spsa_agreement ----

// A right gradient has a cosine of about sqrt(n / (n + D - 1)) with n pairs: 0.9 with 64 pairs in
// 16 dimensions. That of one image deviates by less than 0.06, so the mean of 32 by 0.01.
TEST(SpsaAgreement, IsWhatARightGradientGives) {
  const Tensor x = uniform_images(32, 4, 0, 1);
  const Tensor w = at::linspace(-1, 1.5, 16, at::kDouble);
  const auto quadratic = [&](const Tensor& p) { return (w * (p + 0.5).square()).sum(1); };
  for (const double factor : {1.0, -1.0, 0.0}) {
    FunctionTarget target(quadratic);
    target.gradient_scaled(factor);

    const Measured values = measure_probe("spsa_agreement", {}, target, x, zeros_for(x));

    const double expected = std::sqrt(64.0 / (64 + 15));
    EXPECT_DOUBLE_EQ(number(values, "spsa_expected"), expected);
    const double mean = values.at("spsa_cosine").mean().item<double>();
    EXPECT_NEAR(mean, factor * expected, 0.05) << factor;
    // Of two classes: cross-entropy's gradient has the direction of the margin's.
    EXPECT_NEAR(values.at("spsa_cosine_cross_entropy").mean().item<double>(), mean, kDifference);
    EXPECT_EQ(target.forwards(), 32 * (2 * 64 + 1));
    EXPECT_EQ(target.backwards(), 32 * 2);
  }
}

// Gradients of the batch, answers of the image alone: the leak that turns row 0 round shows.
TEST(SpsaAgreement, SeesWhatTheOthersDoToAGradient) {
  Coupled strong(4);
  strong.target.recording();

  const Measured values = measure_probe("spsa_agreement", {}, strong.target, strong.x, strong.y);

  // 64 pairs in 4 dimensions: 0.98 for a right gradient.
  EXPECT_LT(number(values, "spsa_cosine", 0), -0.8);
  EXPECT_GT(number(values, "spsa_cosine", 1), 0.8);
  for (const Call& call : strong.target.calls()) {
    EXPECT_EQ(call.x.size(0), call.is_gradient ? 4 : 1);
  }
}

}  // namespace
}  // namespace unmask::test::gradient_probes_test
