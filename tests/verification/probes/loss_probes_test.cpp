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

namespace unmask::test::loss_probes_test {
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

// ---- noise_stability ----

// One pixel of 0.5 and the loss x: the mean of |u| / 0.5 with u uniform in (-r/2, r/2) is r / 2. |u| has
// a deviation of 0.58 of its mean: 0.0073 for the mean of 16 x 400 draws.
TEST(NoiseStability, IsTheRelativeChangeOfALinearLoss) {
  const Tensor x = at::full({16, 1, 1, 1}, 0.5, at::kDouble);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });

  const Measured values = measure_probe(
      "noise_stability", {{"radius", 0.1}, {"draws", std::int64_t{400}}}, target, x, zeros_for(x));

  EXPECT_NEAR(values.at("i2").mean().item<double>() / 0.05, 1, 5 * 0.0073);
  EXPECT_EQ(target.forwards(), 16 * 401);
  EXPECT_EQ(target.backwards(), 0);
}

TEST(NoiseStability, DividesByOneWhereTheLossIsZeroAndEndsAtOne) {
  const Tensor x = at::full({4, 1, 1, 1}, 0.5, at::kDouble);
  FunctionTarget zero([](const Tensor& p) { return (p - 0.5).sum(1); });
  FunctionTarget constant([](const Tensor& p) { return 0 * p.sum(1) + 3; });
  FunctionTarget shattered([](const Tensor& p) { return (p * 1e6).sin().sum(1) + 1e-3; });
  const auto i2 = [&](Target& target) {
    return measure_probe("noise_stability", {{"radius", 0.1}}, target, x, zeros_for(x)).at("i2");
  };

  EXPECT_NEAR(i2(zero).mean().item<double>() / 0.025, 1, 5 * 0.58 / 20);
  EXPECT_EQ(i2(constant).abs().max().item<double>(), 0);
  EXPECT_GT(i2(shattered).min().item<double>(), 0.3);
  EXPECT_LE(i2(shattered).max().item<double>(), 1);
}

// ---- linearity ----

Measured linearity(Target& target,
                   const Tensor& x,
                   const char* norm,
                   std::vector<RecordedSeries>* series = nullptr) {
  return measure_probe("linearity",
                       {{"epsilon", 0.1},
                        {"norm", std::string(norm)},
                        {"loss", std::string("margin")},
                        {"grid", std::int64_t{5}}},
                       target,
                       x,
                       zeros_for(x),
                       series);
}

TEST(Linearity, IsZeroForALinearLoss) {
  const Tensor x = uniform_images(3, 3, 0, 1);
  const Tensor w = at::linspace(-1, 1.5, 9, at::kDouble);
  FunctionTarget target([&](const Tensor& p) { return (p * w).sum(1); });

  for (const char* norm : {"linf", "l2"}) {
    EXPECT_LT(linearity(target, x, norm).at("llr_gamma").max().item<double>(), kRounding);
  }
}

// a |d|^2 / 2 lies between the tangent and a quadratic loss of curvature a: a D epsilon^2 / 2 at a
// corner, a epsilon^2 / 2 on the sphere. The projection leaves one part in 10^7 of epsilon.
TEST(Linearity, IsTheCurvatureOfAQuadraticLoss) {
  const Tensor x = uniform_images(3, 3, 0.2, 0.8);
  const double a = 3;
  FunctionTarget target([&](const Tensor& p) { return a / 2 * (p - 0.4).square().sum(1); });

  const Measured linf = linearity(target, x, "linf");
  const Measured l2 = linearity(target, x, "l2");

  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(number(linf, "llr_gamma", i) / (a / 2 * 9 * 0.01), 1, 3e-7);
    EXPECT_NEAR(number(l2, "llr_gamma", i) / (a / 2 * 0.01), 1, 3e-7);
  }
}

// A loss that rises while its gradient is zero: all of the rise is missing from the tangent.
TEST(Linearity, CountsEverythingThatAMissingGradientLeavesOut) {
  const Tensor x = uniform_images(2, 3, 0.2, 0.8);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });
  target.gradient_scaled(0);

  const Measured values = linearity(target, x, "linf");

  // Nothing leads from the random start, whose pixels move by at most epsilon.
  EXPECT_GT(values.at("llr_gamma").max().item<double>(), 1e-3);
  EXPECT_LE(values.at("llr_gamma").max().item<double>(), 9 * 0.1);
}

TEST(Linearity, DrawsTheLandscapeRowByRow) {
  const Tensor x = uniform_images(3, 2, 0.3, 0.7);
  const Tensor w = at::tensor({3.0, -4.0, 1.0, 2.0}, at::kDouble);
  FunctionTarget target([&](const Tensor& p) { return (p * w).sum(1); });
  std::vector<RecordedSeries> series;

  linearity(target, x, "linf", &series);

  ASSERT_EQ(series.size(), 2u);
  EXPECT_EQ(series[1].row, 1);
  const Tensor grid = series[0].values.view({5, 5});
  const double middle = (x[0].flatten() * w).sum().item<double>();
  EXPECT_NEAR(grid[2][2].item<double>(), middle, kRounding);
  // Along the rows the gradient's step: the l1 norm of w, 10, times epsilon.
  EXPECT_NEAR(grid[4][2].item<double>() - middle, 1.0, kRounding);
  EXPECT_NEAR(grid[1][2].item<double>() - middle, -0.5, kRounding);
  // Along the columns random signs: 0.1 (+-3 +-4 +-1 +-2), up and down alike.
  const double across = grid[2][4].item<double>() - middle;
  EXPECT_NEAR(grid[2][0].item<double>() - middle, -across, kRounding);
  EXPECT_NEAR(std::remainder(10 * across, 2.0), 0, 10 * kRounding);
  EXPECT_LE(std::abs(across), 1.0 + kRounding);
  EXPECT_EQ(target.forwards(), 3 * (10 + 1) + 2 * 25);
  EXPECT_EQ(target.backwards(), 3 * 10);
}

// ---- path_discontinuity ----

Measured path(Target& target, const Tensor& x, std::vector<RecordedSeries>* series = nullptr) {
  return measure_probe("path_discontinuity", {{"epsilon", 0.1}}, target, x, zeros_for(x), series);
}

TEST(PathDiscontinuity, ExplainsSlopesCurvesAndKinks) {
  const Tensor x = uniform_images(3, 3, 0.2, 0.8);
  const Tensor w = at::linspace(-1, 1.5, 9, at::kDouble);
  FunctionTarget linear([&](const Tensor& p) { return (p * w).sum(1); });
  FunctionTarget quadratic([&](const Tensor& p) { return (w * (p - 0.5).square()).sum(1); });
  FunctionTarget kink([&](const Tensor& p) { return (p - 0.5).abs().sum(1) + 2 * p.sum(1); });

  for (FunctionTarget* target : {&linear, &quadratic, &kink}) {
    const Measured values = path(*target, x);

    EXPECT_EQ(values.at("path_jumps").sum().item<double>(), 0);
    EXPECT_EQ(values.at("random_line_jumps").sum().item<double>(), 0);
  }
}

// A pixel of 0.503 goes to 0.603 in 20 steps of 0.005, past the levels 0.52, 0.54, ..., 0.60 of a
// staircase that is added to its slope: five jumps of 0.02, each larger than 1.5 steps.
TEST(PathDiscontinuity, CountsThePlantedJumps) {
  const Tensor x = at::full({2, 1, 1, 1}, 0.503, at::kDouble);
  FunctionTarget target(
      [](const Tensor& p) { return (p + ((p.detach() * 50).floor() / 50)).sum(1); });
  std::vector<RecordedSeries> series;

  const Measured values = path(target, x, &series);

  EXPECT_EQ(number(values, "path_jumps", 0), 5);
  EXPECT_EQ(number(values, "path_jumps", 1), 5);
  // The random line is the same one, or goes down past 0.50, 0.48, ..., 0.42.
  EXPECT_EQ(number(values, "random_line_jumps", 0), 5);
  ASSERT_EQ(series.size(), 2u);
  ASSERT_EQ(series[0].values.size(0), 21);
  EXPECT_NEAR(series[0].values[0].item<double>(), 0.503 + 0.50, kRounding);
  EXPECT_NEAR(series[0].values[20].item<double>(), 0.603 + 0.60, kRounding);
  EXPECT_EQ(target.forwards(), 2 * 41);
  EXPECT_EQ(target.backwards(), 2 * 41);
}

TEST(PathDiscontinuity, CountsEverySegmentThatAWrongGradientLeavesUnexplained) {
  const Tensor x = uniform_images(2, 3, 0.2, 0.8);
  FunctionTarget target([](const Tensor& p) { return p.sum(1); });
  target.gradient_scaled(-1);

  // Nine signs never cancel, so the random line changes in every segment, too.
  EXPECT_EQ(path(target, x).at("path_jumps").min().item<double>(), 20);
  EXPECT_EQ(path(target, x).at("random_line_jumps").min().item<double>(), 20);
}

// Solves something: as many accepted steps as tenths in the first pixel, summed over the batch.
class SteppingTarget final : public Target, public SolverSteps {
 public:
  explicit SteppingTarget(bool is_coupled) : is_coupled_(is_coupled) {}

  std::int64_t num_classes() const override { return 2; }
  bool is_batch_independent() const override { return !is_coupled_; }
  std::int64_t accepted_steps() const override { return steps_; }

 private:
  Tensor do_logits(const Tensor& x, const Tensor&) override {
    count(x);
    return sum_.logits(x);
  }
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    count(x);
    return sum_.loss_and_gradient(x, loss);
  }
  void count(const Tensor& x) {
    steps_ = (x.flatten(1).select(1, 0) * 10).floor().sum().item<std::int64_t>();
  }

  bool is_coupled_;
  FunctionTarget sum_{[](const Tensor& p) { return p.sum(1); }};
  std::int64_t steps_ = 0;
};

// First pixels of 0.45 and 0.42, along the gradient to 0.65 and 0.52: two changes, and one.
TEST(PathDiscontinuity, CountsTheSegmentsAtWhichStepsChange) {
  const Tensor x = at::tensor({0.45, 0.42}, at::kDouble).view({2, 1, 1, 1});
  const auto changes = [](Target& target, const Tensor& images, double epsilon) {
    return measure_probe(
               "path_discontinuity", {{"epsilon", epsilon}}, target, images, zeros_for(images))
        .at("step_changes");
  };
  SteppingTarget alone(/*is_coupled=*/true);
  SteppingTarget together(/*is_coupled=*/false);
  FunctionTarget silent([](const Tensor& p) { return p.sum(1); });

  EXPECT_EQ(changes(alone, x, 0.2)[0].item<double>(), 2);
  EXPECT_EQ(changes(alone, x, 0.1)[1].item<double>(), 1);
  // Of a batch with steps of its own only the sum is known.
  EXPECT_TRUE(changes(together, x, 0.2).isnan().all().item<bool>());
  EXPECT_EQ(changes(together, x, 0.04).abs().sum().item<double>(), 0);
  EXPECT_EQ(changes(together, x.narrow(0, 0, 1), 0.2)[0].item<double>(), 2);
  EXPECT_TRUE(changes(silent, x, 0.2).isnan().all().item<bool>());
}

// ---- binarisation ----

// Ten classes over 64 pixels: the corner that is chosen stands out by more than three deviations of a
// random corner, so few of 20 random corners reach it, and the steepest corner exceeds it.
struct TenClasses {
  Tensor weight =
      SampleRandom(7, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}).normal(at::empty({10, 64}, at::kDouble));
  Tensor x = uniform_images(8, 8, 0.3, 0.7);
  LinearTarget target() const { return {weight, at::zeros({10}, at::kDouble)}; }
  Measured measure(LinearTarget& target) const {
    return measure_probe("binarisation",
                         {{"random", std::int64_t{20}}, {"loss", std::string("margin")}},
                         target,
                         x,
                         zeros_for(x));
  }
};

TEST(Binarisation, FindsWhatExistsAlongASoundGradient) {
  const TenClasses problem;
  LinearTarget target = problem.target();

  const Measured values = problem.measure(target);

  EXPECT_EQ(values.at("binarised_separable").sum().item<double>(), 8);
  EXPECT_EQ(values.at("binarised_fooled").sum().item<double>(), 8);
  EXPECT_LE(values.at("binarised_random_fooled").sum().item<double>(), 4);
  EXPECT_EQ(target.forward_passes(), 8 * (2 + 200 + 10 + 20 + 20));
  EXPECT_EQ(target.backwards(), 8 * 20);
}

TEST(Binarisation, FailsWithoutAGradient) {
  const TenClasses problem;
  LinearTarget target = problem.target();
  target.without_gradient();

  const Measured values = problem.measure(target);

  EXPECT_EQ(values.at("binarised_separable").sum().item<double>(), 8);
  EXPECT_EQ(values.at("binarised_fooled").sum().item<double>(), 0);
}

TEST(Binarisation, LeavesUndefinedWhatNothingSeparates) {
  const TenClasses problem;
  LinearTarget target(at::zeros({10, 64}, at::kDouble), at::arange(10, at::kDouble));

  const Measured values = problem.measure(target);

  EXPECT_EQ(values.at("binarised_separable").sum().item<double>(), 0);
  EXPECT_TRUE(values.at("binarised_fooled").isnan().all().item<bool>());
  EXPECT_TRUE(values.at("binarised_random_fooled").isnan().all().item<bool>());
}

// Where samples influence each other the line of an image is its own.
TEST(LossProbes, AskForImagesAloneWhereTheyInfluenceEachOther) {
  const Tensor weight = at::tensor({0.5, -1.0, 2.0, 0.25, -0.5, 1.0, 0.75, -1.5}, at::kDouble);
  const Tensor x = uniform_images(4, 2, 0.2, 0.8);
  for (const char* id : {"noise_stability", "linearity", "path_discontinuity"}) {
    LinearTarget target(weight.view({2, 4}), at::zeros({2}, at::kDouble));
    target.coupled(2).recording();

    const Measured values = measure_probe(id, {}, target, x, at::tensor({0, 1, 1, 1}, at::kLong));

    EXPECT_FALSE(target.calls().empty()) << id;
    for (const Call& call : target.calls()) EXPECT_EQ(call.x.size(0), 1) << id;
    for (const auto& [name, numbers] : values) {
      if (name == "step_changes") continue;  // this target does not tell
      EXPECT_TRUE(numbers.isfinite().all().item<bool>()) << name;
    }
  }
}

}  // namespace
}  // namespace unmask::test::loss_probes_test
