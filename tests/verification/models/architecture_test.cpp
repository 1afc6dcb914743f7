// What the built-in models promise beside the reference's numbers: sizes, initial weights, solves.

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/model.hpp"
#include "verification/models/recording_context.hpp"

namespace unmask::test {
namespace {

using Given = std::map<std::string, ParamValue>;
using Integers = std::vector<std::int64_t>;

constexpr ModelContext kRgb32 = {.channels = 3, .height = 32, .width = 32, .num_classes = 10};
constexpr ModelContext kGray20 = {.channels = 1, .height = 20, .width = 20, .num_classes = 10};

Given narrow() {
  return {{"channels", std::int64_t{8}}};
}

Given three_stages(const Integers& blocks = {1, 1, 1}) {
  return {{"channels", std::int64_t{8}}, {"blocks", blocks}, {"strides", Integers{1, 2, 2}}};
}

std::unique_ptr<Model> seeded_model(const std::string& id,
                                    const Given& given,
                                    const ModelContext& context,
                                    std::uint64_t seed = 1) {
  torch::manual_seed(seed);
  return make_model(id, given, context);
}

std::int64_t weight_count(Model& model) {
  std::int64_t count = 0;
  for (const NamedTensor& item : model.parameters()) count += item.tensor.numel();
  return count;
}

Tensor parameter(Model& model, const std::string& name) {
  for (const NamedTensor& item : model.parameters()) {
    if (item.name == name) return item.tensor;
  }
  throw std::runtime_error("no parameter " + name);
}

// Uniform in [-bound, bound): all values inside, and some of n values in the outer tenth of it,
// which n values miss with probability 0.9^n (1e-9 for the smallest n here, 216).
void expect_uniform(const Tensor& values, double bound) {
  const double largest = values.abs().max().item<double>();
  EXPECT_LE(largest, bound * (1 + 1e-6));  // float32 rounding of the bound
  EXPECT_GT(largest, bound * 0.9);
  // The mean has standard deviation bound / sqrt(3 n); six of them are a chance of 2e-9.
  const double deviation = bound / std::sqrt(3.0 * static_cast<double>(values.numel()));
  EXPECT_LE(std::abs(values.mean().item<double>()), 6 * deviation);
}

class EveryModel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Models,
                         EveryModel,
                         testing::Values("resnet", "so_resnet", "sonet"),
                         [](const auto& test_info) { return std::string(test_info.param); });

TEST_P(EveryModel, GivesOneLogitPerClass) {
  const ModelContext context = {.channels = 3, .height = 20, .width = 28, .num_classes = 7};
  const auto model = seeded_model(GetParam(), narrow(), context);
  RecordingContext ode;

  const Tensor logits = model->forward(torch::rand({5, 3, 20, 28}), ode);

  EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{5, 7}));
}

TEST_P(EveryModel, TakesImagesOfOddSize) {
  // 9 -> 9 -> 4 -> 2 -> 1 pixels in the ODE blocks of stride 2, 9 -> 9 -> 5 -> 3 -> 2 in the
  // others.
  const ModelContext context = {.channels = 1, .height = 9, .width = 11, .num_classes = 10};
  const auto model = seeded_model(GetParam(), narrow(), context);
  RecordingContext ode;

  const Tensor logits = model->forward(torch::rand({2, 1, 9, 11}), ode);

  EXPECT_TRUE(torch::isfinite(logits).all().item<bool>());
}

TEST_P(EveryModel, SameSeedGivesSameWeights) {
  const auto a = seeded_model(GetParam(), narrow(), kRgb32, 7);
  const auto b = seeded_model(GetParam(), narrow(), kRgb32, 7);

  const auto left = a->parameters();
  const auto right = b->parameters();

  ASSERT_EQ(left.size(), right.size());
  for (std::size_t i = 0; i < left.size(); ++i) {
    EXPECT_TRUE(torch::equal(left[i].tensor, right[i].tensor)) << left[i].name;
  }
}

TEST_P(EveryModel, AnotherSeedGivesOtherWeights) {
  const auto a = seeded_model(GetParam(), narrow(), kRgb32, 7);
  const auto b = seeded_model(GetParam(), narrow(), kRgb32, 8);

  EXPECT_FALSE(torch::equal(a->parameters().front().tensor, b->parameters().front().tensor));
}

TEST_P(EveryModel, RefusesBlocksAndStridesOfDifferentLength) {
  const Given given = {{"blocks", Integers{1, 1}}, {"strides", Integers{1, 2, 2}}};

  EXPECT_THROW(make_model(GetParam(), given, kRgb32), ParamError);
}

TEST_P(EveryModel, ReadsEveryParameterThatItDeclares) {
  const PluginDescriptor descriptor = plugin_descriptor("model", GetParam());
  const Params params(descriptor.info().params, {});

  const std::unique_ptr<Model> model(static_cast<Model*>(descriptor.create(params, &kRgb32)));

  EXPECT_THAT(params.unread(), testing::IsEmpty());
}

TEST_P(EveryModel, DeclaresASoundTableOfParameters) {
  EXPECT_EQ(table_violation(plugin_descriptor("model", GetParam()).info().params), std::nullopt);
}

TEST_P(EveryModel, EveryParameterHasAnInfluence) {
  const auto model = seeded_model(GetParam(), narrow(), kRgb32);
  RecordingContext ode;

  // The sum of squares: a plain sum of logits would cancel in places.
  model->forward(torch::rand({3, 3, 32, 32}), ode).square().sum().backward();

  for (const NamedTensor& item : model->parameters()) {
    ASSERT_TRUE(item.tensor.grad().defined()) << item.name;
    EXPECT_GT(item.tensor.grad().abs().max().item<double>(), 0) << item.name;
  }
}

TEST(ResNet, HasTheCountOfWeightsOfTheSmallNetForStrokes) {
  const auto model = make_model("resnet", three_stages(), kGray20);

  EXPECT_EQ(weight_count(*model), 19810);  // 88 + 1184 + 3680 + 14528 + 330
}

TEST(ResNet, NeverCallsTheSolver) {
  const auto model = seeded_model("resnet", narrow(), kRgb32);
  RecordingContext ode;

  model->forward(torch::rand({2, 3, 32, 32}), ode);

  EXPECT_THAT(ode.names, testing::IsEmpty());
}

TEST(ResNet, InitialisesConvolutionsUniformly) {
  const auto model = seeded_model("resnet", narrow(), kRgb32);

  expect_uniform(parameter(*model, "conv1.weight"), 1 / std::sqrt(3.0 * 9));
  expect_uniform(parameter(*model, "layer3.0.conv1.weight"), 1 / std::sqrt(16.0 * 9));
  expect_uniform(parameter(*model, "linear.weight"), 1 / std::sqrt(64.0));
}

TEST(SoResNet, HasTheCountOfWeightsOfTheSmallNetForStrokes) {
  const auto model = make_model("so_resnet", three_stages(), kGray20);

  EXPECT_EQ(weight_count(*model), 19830);  // the ResNet's, with 108 instead of 88 in the stem
}

TEST(SoResNet, SolvesExactlyItsFirstLayer) {
  const auto model = seeded_model("so_resnet", narrow(), kRgb32);
  RecordingContext ode;

  model->forward(torch::rand({2, 3, 32, 32}), ode);

  EXPECT_THAT(ode.names, testing::ElementsAre("conv1"));
}

TEST(SoResNet, InitialisesItsKernelUniformly) {
  const auto model = seeded_model("so_resnet", narrow(), kRgb32);

  expect_uniform(parameter(*model, "conv1.odefunc.kernel"), 1 / std::sqrt(3.0 * 9));
}

TEST(SoResNet, RefusesWidthsThatEightGroupsDoNotDivide) {
  EXPECT_THROW(make_model("so_resnet", {{"channels", std::int64_t{12}}}, kRgb32), ParamError);
}

TEST(SoNet, SolvesEveryBlockOnceUnderItsOwnName) {
  const auto model = seeded_model("sonet", three_stages({1, 2, 1}), kGray20);
  RecordingContext ode;

  model->forward(torch::rand({2, 1, 20, 20}), ode);

  EXPECT_THAT(
      ode.names,
      testing::ElementsAre("conv1", "layer1.0", "layer2.0", "layer2.1", "layer3.0", "linear"));
}

TEST(SoNet, InitialisesKernelsAndClassifierUniformly) {
  const auto model = seeded_model("sonet", narrow(), kRgb32);

  expect_uniform(parameter(*model, "layer2.0.odefunc.kernel"), 1 / std::sqrt(8.0 * 16));
  expect_uniform(parameter(*model, "linear.odefunc.weight"), 1 / std::sqrt(10.0));
  // 74 values reach the outer tenth with probability 1 - 0.9^74 = 0.9996; the seed is fixed.
  expect_uniform(parameter(*model, "linear.odefunc.bias"), 1 / std::sqrt(10.0));
}

TEST(SoNet, RefusesImagesThatItsStridesReduceToNothing) {
  const ModelContext tiny = {.channels = 1, .height = 4, .width = 32, .num_classes = 10};

  EXPECT_THROW(make_model("sonet", narrow(), tiny), ParamError);
}

TEST(SoNet, DampingChangesTheField) {
  Given damped = narrow();
  damped["damping"] = 0.5;
  const auto plain = seeded_model("sonet", narrow(), kRgb32);
  const auto other = seeded_model("sonet", damped, kRgb32);
  const Tensor x = torch::rand({2, 3, 32, 32});
  RecordingContext ode;

  const Tensor difference = plain->forward(x, ode) - other->forward(x, ode);

  EXPECT_GT(difference.abs().max().item<double>(), 1e-3);
}

// Central differences of a smooth-enough scalar along a random direction, in float64. Leaky ReLU
// has kinks; slope 1 removes them, so the error is O(h^2) from curvature plus 1e-16 / h from
// rounding: h = 1e-5 leaves about 1e-10 of each. It covers damping and odd sizes, which the
// reference's files lack.
TEST(SoNet, GradientsAgreeWithFiniteDifferences) {
  Given given = three_stages();
  given["damping"] = 0.3;
  given["slope"] = 1.0;
  const ModelContext context = {.channels = 3, .height = 9, .width = 11, .num_classes = 4};
  const auto model = seeded_model("sonet", given, context);
  model->to("cpu", at::kDouble);
  const Tensor x = torch::rand({2, 3, 9, 11}, at::kDouble);
  const Tensor weights = torch::randn({2, 4}, at::kDouble);
  const Tensor direction = torch::randn_like(parameter(*model, "layer2.0.odefunc.kernel"));
  const Tensor image_direction = torch::randn_like(x);
  RecordingContext ode;
  const auto value = [&](const Tensor& input) {
    return (model->forward(input, ode) * weights).sum();
  };

  const Tensor input = x.clone().requires_grad_();
  value(input).backward();
  Tensor kernel = parameter(*model, "layer2.0.odefunc.kernel");
  const double by_kernel = (kernel.grad() * direction).sum().item<double>();
  const double by_image = (input.grad() * image_direction).sum().item<double>();

  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  const double image_difference =
      (value(x + kStep * image_direction) - value(x - kStep * image_direction)).item<double>() /
      (2 * kStep);
  kernel.add_(direction, kStep);
  const double above = value(x).item<double>();
  kernel.sub_(direction, 2 * kStep);
  const double below = value(x).item<double>();
  const double kernel_difference = (above - below) / (2 * kStep);

  EXPECT_NEAR(by_kernel, kernel_difference, 1e-6 * (1 + std::abs(by_kernel)));
  EXPECT_NEAR(by_image, image_difference, 1e-6 * (1 + std::abs(by_image)));
}

}  // namespace
}  // namespace unmask::test
