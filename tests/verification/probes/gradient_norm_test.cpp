// The probe on linear classifiers, whose margin gradient is w_k - w_y everywhere.

#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "unmask/probe.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::gradient_norm_test {
namespace {

std::map<std::string, Tensor> measure(LinearTarget& target, const Tensor& x, const char* loss) {
  ProbeContext context = probe_context_for(x);
  std::map<std::string, Tensor> result;
  for (const ProbeValue& value :
       make_plugin<Probe>("probe", "gradient_norm", {{"loss", std::string(loss)}})
           ->measure(target, x, at::zeros({x.size(0)}, at::kLong), context)) {
    result[value.name] = value.values;
  }
  return result;
}

// w_0 - w_1 = (3, -4, 0, 0).
LinearTarget small_target(at::ScalarType type = at::kDouble) {
  const Tensor weight = at::tensor({3.0, -4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}).view({2, 4});
  return {weight.to(type), at::zeros({2}, type)};
}

Tensor images(at::ScalarType type = at::kDouble) {
  return at::full({2, 1, 2, 2}, 0.5, at::TensorOptions().dtype(type));
}

TEST(GradientNorm, GivesTheNormsOfTheWeights) {
  LinearTarget target = small_target();

  const auto values = measure(target, images(), "margin");

  for (std::int64_t i = 0; i < 2; ++i) {
    EXPECT_DOUBLE_EQ(values.at("gradient_l1")[i].item<double>(), 7.0);
    EXPECT_DOUBLE_EQ(values.at("gradient_l2")[i].item<double>(), 5.0);
    EXPECT_DOUBLE_EQ(values.at("gradient_linf")[i].item<double>(), 4.0);
  }
}

TEST(GradientNorm, CountsExactZeros) {
  LinearTarget target = small_target();

  EXPECT_EQ(measure(target, images(), "margin").at("zero_share")[0].item<double>(), 0.5);
}

TEST(GradientNorm, SeesAGradientThatIsMissingAltogether) {
  LinearTarget target = small_target();
  target.without_gradient();

  EXPECT_EQ(measure(target, images(), "ce").at("zero_share")[0].item<double>(), 1.0);
}

TEST(GradientNorm, DoesNotDependOnTheSizeOfTheBatch) {
  LinearTarget target = small_target();

  const Tensor together = measure(target, images(), "ce").at("gradient_l2");
  const Tensor alone = measure(target, images().narrow(0, 0, 1), "ce").at("gradient_l2");

  EXPECT_DOUBLE_EQ(together[0].item<double>(), alone[0].item<double>());
}

TEST(GradientNorm, SurvivesNumbersWhoseSquareUnderflows) {
  LinearTarget target = small_target(at::kFloat);
  target.scaled(1e-30);

  const auto values = measure(target, images(at::kFloat), "margin");

  // 1e-30 is rounded to float32: 6e-8 relative.
  EXPECT_NEAR(values.at("gradient_l2")[0].item<double>() / 5e-30, 1.0, 2e-7);
}

TEST(GradientNorm, FlagsWhatIsNotFinite) {
  LinearTarget healthy = small_target();
  LinearTarget broken(at::full({2, 4}, std::nan(""), at::kDouble), at::zeros({2}, at::kDouble));

  EXPECT_EQ(measure(healthy, images(), "margin").at("non_finite")[0].item<double>(), 0.0);
  EXPECT_EQ(measure(broken, images(), "margin").at("non_finite")[0].item<double>(), 1.0);
}

}  // namespace
}  // namespace unmask::test::gradient_norm_test
