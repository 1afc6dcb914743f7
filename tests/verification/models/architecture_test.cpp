// What the built-in models promise beside the reference's numbers: sizes, solves, normalisation of
// pixels, and an OdeBlock that is as short to use as the documentation says.

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plugins/models/odenet/time_convolution.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/kit/model/ode_block.hpp"
#include "unmask/kit/model/residual_stages.hpp"
#include "unmask/model.hpp"
#include "verification/models/recording_context.hpp"

namespace unmask::test::architecture_test {
namespace {

using Given = std::map<std::string, ParamValue>;
using Integers = std::vector<std::int64_t>;
using Reals = std::vector<double>;

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

// --- normalisation of pixels, the same in every network

class EveryModel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Models,
                         EveryModel,
                         testing::Values("linear",
                                         "mlp",
                                         "odenet",
                                         "resnet",
                                         "small_cnn",
                                         "so_resnet",
                                         "so_wide_resnet",
                                         "sonet",
                                         "wide_resnet"),
                         [](const auto& test_info) { return std::string(test_info.param); });

Tensor logits_of(Model& model, const Tensor& x) {
  RecordingContext ode;
  model.set_training(false);
  return model.forward(x, ode);
}

Tensor per_channel(const Reals& values, at::ScalarType dtype) {
  return torch::tensor(values, dtype).view({3, 1, 1});
}

const Reals kMean = {0.1, 0.4, 0.7};
const Reals kStd = {0.5, 0.25, 2};

TEST_P(EveryModel, NormalisesPixelsBeforeItsFirstLayer) {
  const auto plain = seeded_model(GetParam(), {}, kRgb32);
  const auto normalised = seeded_model(GetParam(), {{"mean", kMean}, {"std", kStd}}, kRgb32);
  plain->to("cpu", at::kDouble);
  normalised->to("cpu", at::kDouble);
  const Tensor x = torch::rand({2, 3, 32, 32}, at::kDouble);

  const Tensor ours = logits_of(*normalised, x);
  const Tensor expected =
      logits_of(*plain, (x - per_channel(kMean, at::kDouble)) / per_channel(kStd, at::kDouble));

  // The same operations on the same numbers.
  EXPECT_TRUE(torch::equal(ours, expected));
}

TEST_P(EveryModel, TakesOneOfTheTwoListsAlone) {
  const auto plain = seeded_model(GetParam(), {}, kRgb32);
  const auto shifted = seeded_model(GetParam(), {{"mean", kMean}}, kRgb32);
  const auto divided = seeded_model(GetParam(), {{"std", kStd}}, kRgb32);
  const Tensor x = torch::rand({2, 3, 32, 32});

  const Tensor after_shift = logits_of(*shifted, x);
  const Tensor after_division = logits_of(*divided, x);

  EXPECT_TRUE(torch::equal(after_shift, logits_of(*plain, x - per_channel(kMean, at::kFloat))));
  EXPECT_TRUE(torch::equal(after_division, logits_of(*plain, x / per_channel(kStd, at::kFloat))));
}

TEST_P(EveryModel, KeepsTheNumbersOfTheNormalisationOutOfItsCheckpoint) {
  const auto model = seeded_model(GetParam(), {{"mean", kMean}}, kRgb32);
  const auto plain = seeded_model(GetParam(), {}, kRgb32);

  EXPECT_EQ(model->parameters().size(), plain->parameters().size());
  EXPECT_EQ(model->buffers().size(), plain->buffers().size());
}

TEST_P(EveryModel, RefusesANormalisationForAnotherNumberOfChannels) {
  EXPECT_THROW(make_model(GetParam(), {{"mean", Reals{0.5}}}, kRgb32), ParamError);
  EXPECT_THROW(make_model(GetParam(), {{"std", Reals{0.5, 0.5}}}, kRgb32), ParamError);
}

// --- networks in stages

class StagedModel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Models,
                         StagedModel,
                         testing::Values("resnet", "so_resnet", "sonet"),
                         [](const auto& test_info) { return std::string(test_info.param); });

TEST_P(StagedModel, TakesImagesOfOddSize) {
  // 9 -> 9 -> 4 -> 2 -> 1 pixels in the ODE blocks of stride 2, 9 -> 9 -> 5 -> 3 -> 2 in the
  // others.
  const ModelContext context = {.channels = 1, .height = 9, .width = 11, .num_classes = 10};
  const auto model = seeded_model(GetParam(), narrow(), context);
  RecordingContext ode;

  const Tensor logits = model->forward(torch::rand({2, 1, 9, 11}), ode);

  EXPECT_TRUE(torch::isfinite(logits).all().item<bool>());
}

TEST_P(StagedModel, RefusesBlocksAndStridesOfDifferentLength) {
  const Given given = {{"blocks", Integers{1, 1}}, {"strides", Integers{1, 2, 2}}};

  EXPECT_THROW(make_model(GetParam(), given, kRgb32), ParamError);
}

// --- each network

TEST(ResNet, HasTheCountOfWeightsOfTheSmallNetForStrokes) {
  const auto model = make_model("resnet", three_stages(), kGray20);

  EXPECT_EQ(weight_count(*model), 19810);  // 88 + 1184 + 3680 + 14528 + 330
}

// At width 64 with ten classes. A basic block from D to C channels has 9 D C + 9 C^2 + 4 C weights,
// a bottleneck D C + 9 C^2 + 4 C^2 + 12 C, and a projection from D to E channels D E + 2 E.
TEST(ResNet, HasTheCountsOfWeightsOfItsUsualDepths) {
  const auto count = [](const Integers& blocks, const std::string& block) {
    const auto model = make_model(
        "resnet", {{"channels", std::int64_t{64}}, {"blocks", blocks}, {"block", block}}, kRgb32);
    return weight_count(*model);
  };
  const auto expected = [](const Integers& blocks, bool is_bottleneck) {
    std::int64_t sum = 27 * 64 + 128;
    std::int64_t in = 64;
    std::int64_t width = 64;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      for (std::int64_t j = 0; j < blocks[i]; ++j) {
        const std::int64_t out = is_bottleneck ? 4 * width : width;
        sum += is_bottleneck ? in * width + 13 * width * width + 12 * width
                             : 9 * in * width + 9 * width * width + 4 * width;
        if (in != out) sum += in * out + 2 * out;
        in = out;
      }
      width *= 2;
    }
    return sum + in * 10 + 10;
  };

  EXPECT_EQ(count({1, 1, 1, 1}, "basic"), expected({1, 1, 1, 1}, false));
  EXPECT_EQ(count({2, 2, 2, 2}, "basic"), 11173962);  // the known size of ResNet-18 for CIFAR-10
  EXPECT_EQ(count({3, 4, 6, 3}, "basic"), expected({3, 4, 6, 3}, false));
  EXPECT_EQ(count({3, 4, 6, 3}, "bottleneck"), expected({3, 4, 6, 3}, true));
}

TEST(ResNet, NamesTheLayersOfABottleneckAsTheReference) {
  const auto model = make_model(
      "resnet", {{"channels", std::int64_t{4}}, {"block", std::string("bottleneck")}}, kRgb32);

  EXPECT_EQ(parameter(*model, "layer2.0.conv1.weight").sizes(), (Integers{8, 16, 1, 1}));
  EXPECT_EQ(parameter(*model, "layer2.0.conv2.weight").sizes(), (Integers{8, 8, 3, 3}));
  EXPECT_EQ(parameter(*model, "layer2.0.conv3.weight").sizes(), (Integers{32, 8, 1, 1}));
  EXPECT_EQ(parameter(*model, "layer2.0.bn3.weight").sizes(), (Integers{32}));
  EXPECT_EQ(parameter(*model, "layer2.0.shortcut.0.weight").sizes(), (Integers{32, 16, 1, 1}));
  EXPECT_EQ(parameter(*model, "linear.weight").sizes(), (Integers{10, 128}));
}

// A bottleneck by hand, with the strides where the reference has them: no shipped file of the
// reference has such a block.
TEST(ResNet, ComputesTheBottleneckOfTheReference) {
  const Given given = {{"channels", std::int64_t{4}},
                       {"blocks", Integers{1}},
                       {"strides", Integers{2}},
                       {"block", std::string("bottleneck")}};
  const auto model = seeded_model("resnet", given, kRgb32);
  model->to("cpu", at::kDouble);
  const at::NoGradGuard no_grad;
  std::map<std::string, Tensor> p;
  for (const auto& list : {model->parameters(), model->buffers()}) {
    for (NamedTensor item : list) {
      // A normalisation that is the identity would hide where it stands.
      if (item.tensor.dim() == 1) item.tensor.uniform_(0.5, 1.5);
      p[item.name] = item.tensor;
    }
  }
  const Tensor x = torch::rand({2, 3, 32, 32}, at::kDouble);
  const auto conv = [&](const Tensor& y, const std::string& name, std::int64_t stride) {
    const Tensor& weight = p.at(name + ".weight");
    return at::conv2d(y, weight, {}, stride, weight.size(2) / 2);
  };
  const auto norm = [&](const Tensor& y, const std::string& name) {
    return at::batch_norm(y,
                          p.at(name + ".weight"),
                          p.at(name + ".bias"),
                          p.at(name + ".running_mean"),
                          p.at(name + ".running_var"),
                          /*training=*/false,
                          0.1,
                          1e-5,
                          /*cudnn_enabled=*/false);
  };
  const std::string b = "layer1.0.";

  const Tensor ours = logits_of(*model, x);
  const Tensor stem = norm(conv(x, "conv1", 1), "bn1").relu();
  Tensor y = norm(conv(stem, b + "conv1", 1), b + "bn1").relu();
  y = norm(conv(y, b + "conv2", 2), b + "bn2").relu();
  y = norm(conv(y, b + "conv3", 1), b + "bn3");
  y = (y + norm(conv(stem, b + "shortcut.0", 2), b + "shortcut.1")).relu();
  const Tensor expected = at::linear(y.mean({2, 3}), p.at("linear.weight"), p.at("linear.bias"));

  // Some hundred roundings of 1e-16 each.
  EXPECT_LE((ours - expected).abs().max().item<double>(),
            1e-12 * expected.abs().max().item<double>());
}

TEST(ResNet, NeverCallsTheSolver) {
  const auto model = seeded_model("resnet", narrow(), kRgb32);
  RecordingContext ode;

  model->forward(torch::rand({2, 3, 32, 32}), ode);

  EXPECT_THAT(ode.names, testing::IsEmpty());
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

TEST(WideResNet, HasTheCountOfWeightsOfItsUsualSize) {
  // A block from D to C channels has 9 D C + 9 C C weights, 2 C biases and 2 D + 2 C numbers in its
  // normalisations; a projection has D C + C.
  const auto block = [](std::int64_t in, std::int64_t out) {
    return 9 * in * out + 9 * out * out + 4 * out + 2 * in + (in == out ? 0 : in * out + out);
  };
  std::int64_t expected = 3 * 9 * 16 + 16 + 2 * 640 + 640 * 10 + 10;
  std::int64_t in = 16;
  for (const std::int64_t out : {160, 320, 640}) {
    expected += block(in, out) + 3 * block(out, out);
    in = out;
  }

  const auto model = make_model(
      "wide_resnet", {{"depth", std::int64_t{28}}, {"widen_factor", std::int64_t{10}}}, kRgb32);

  EXPECT_EQ(weight_count(*model), expected);
}

class WideModel : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Models,
                         WideModel,
                         testing::Values("so_wide_resnet", "wide_resnet"),
                         [](const auto& test_info) { return std::string(test_info.param); });

TEST_P(WideModel, RefusesDepthsThatAreNotSixNPlusFour) {
  for (const std::int64_t depth : {11, 12, 14, 18}) {
    EXPECT_THROW(make_model(GetParam(), {{"depth", depth}}, kRgb32), ParamError) << depth;
  }
}

// A normalisation that forgets with f has the mean m f after one pass of a batch whose mean is m,
// and m f (2 - f) after two of the same.
TEST_P(WideModel, ForgetsTheStatisticsOfItsLastNormalisationFaster) {
  const auto model = seeded_model(GetParam(), {}, kRgb32);
  RecordingContext ode;
  const auto running_mean = [&](const std::string& layer) {
    for (const NamedTensor& item : model->buffers()) {
      if (item.name == layer + ".running_mean") return item.tensor.clone();
    }
    throw std::runtime_error("no normalisation " + layer);
  };
  const auto growth = [&](const Tensor& once, const Tensor& twice) {
    return (twice.dot(once) / once.dot(once)).item<double>();
  };
  model->set_training(true);
  const Tensor x = torch::rand({4, 3, 32, 32});

  model->forward(x, ode);
  const Tensor last = running_mean("bn1");
  const Tensor first = running_mean("layer1.0.bn1");
  model->forward(x, ode);

  EXPECT_NEAR(growth(last, running_mean("bn1")), 1.1, 1e-4);  // float32
  EXPECT_NEAR(growth(first, running_mean("layer1.0.bn1")), 1.9, 1e-4);
}

TEST(SoWideResNet, SolvesExactlyItsFirstLayer) {
  const auto model = seeded_model("so_wide_resnet", {}, kRgb32);
  RecordingContext ode;

  model->forward(torch::rand({2, 3, 32, 32}), ode);

  EXPECT_THAT(ode.names, testing::ElementsAre("conv1"));
}

TEST(OdeNet, SolvesAsManyBlocksAsItIsTold) {
  for (const std::int64_t blocks : {1, 3}) {
    const auto model = seeded_model("odenet", {{"blocks", blocks}}, kGray20);
    RecordingContext ode;

    model->forward(torch::rand({2, 1, 20, 20}), ode);

    ASSERT_EQ(static_cast<std::int64_t>(ode.names.size()), blocks);
    EXPECT_EQ(ode.names.back(), "conv." + std::to_string(blocks - 1) + ".ode_conv");
  }
}

TEST(OdeNet, SeesTheTime) {
  const auto model = seeded_model("odenet", {}, kGray20);
  const Tensor x = torch::rand({2, 1, 20, 20});
  RecordingContext early;
  RecordingContext late;
  late.shift = 1;

  const Tensor difference = model->forward(x, early) - model->forward(x, late);

  EXPECT_GT(difference.abs().max().item<double>(), 1e-4);
}

TEST(OdeNet, RefusesWidthsThatEightGroupsDoNotDivide) {
  EXPECT_THROW(make_model("odenet", {{"channels", std::int64_t{54}}}, kRgb32), ParamError);
}

// The convolution that takes the time as a channel of its own, as the reference writes it.
TEST(TimeConvolution, IsTheConvolutionOfTimeAndStateTogether) {
  torch::manual_seed(1);
  kit::TimeConvolution layer(4);
  layer->to(at::kDouble);
  const Tensor y = torch::rand({3, 4, 5, 6}, at::kDouble);
  const kit::TimeConvolutionMap map(layer, y);
  const Tensor times = torch::tensor(Reals{0.0, 0.3, 0.9}, at::kDouble);

  const Tensor ours = map(Scalar{.value = std::nan(""), .tensor = times}, y);
  const Tensor channel = times.view({3, 1, 1, 1}).expand({3, 1, 5, 6});
  const Tensor expected =
      at::conv2d(at::cat({channel, y}, 1), layer->weight(), layer->bias(), 1, 1);

  EXPECT_LE((ours - expected).abs().max().item<double>(), 1e-14);  // 45 terms below 0.2
}

TEST(Linear, IsOneMatrixOnAllPixels) {
  const auto model = seeded_model("linear", {}, kGray20);
  const Tensor x = torch::rand({2, 1, 20, 20});

  const Tensor expected = at::linear(
      x.view({2, 400}), parameter(*model, "linear.weight"), parameter(*model, "linear.bias"));

  EXPECT_TRUE(torch::equal(logits_of(*model, x), expected));
}

TEST(Mlp, HasItsHiddenWidths) {
  const auto model = seeded_model("mlp", {{"widths", Integers{30, 20, 15}}}, kGray20);

  EXPECT_EQ(parameter(*model, "hidden.0.weight").sizes(), (Integers{30, 400}));
  EXPECT_EQ(parameter(*model, "hidden.1.weight").sizes(), (Integers{20, 30}));
  EXPECT_EQ(parameter(*model, "hidden.2.weight").sizes(), (Integers{15, 20}));
  EXPECT_EQ(parameter(*model, "linear.weight").sizes(), (Integers{10, 15}));
}

TEST(SmallCnn, HasTheWidthsOfTheLiteratureByDefault) {
  const ModelContext mnist = {.channels = 1, .height = 28, .width = 28, .num_classes = 10};
  const auto model = seeded_model("small_cnn", {}, mnist);

  EXPECT_EQ(parameter(*model, "conv2.weight").sizes(), (Integers{32, 32, 3, 3}));
  EXPECT_EQ(parameter(*model, "conv4.weight").sizes(), (Integers{64, 64, 3, 3}));
  EXPECT_EQ(parameter(*model, "fc1.weight").sizes(), (Integers{200, 64 * 7 * 7}));
  EXPECT_EQ(parameter(*model, "linear.weight").sizes(), (Integers{10, 200}));
}

TEST(SmallCnn, RefusesImagesThatPoolingReducesToNothing) {
  const ModelContext tiny = {.channels = 1, .height = 3, .width = 32, .num_classes = 10};

  EXPECT_THROW(make_model("small_cnn", {}, tiny), ParamError);
}

// The example of docs/models.md.
class Relaxation final : public kit::OdeFunction {
 public:
  explicit Relaxation(std::int64_t channels)
      : conv_(register_module("conv", kit::plain_conv(channels, channels, 3, 1))) {}

  std::shared_ptr<VectorField> field(const Tensor&) override {
    return kit::autonomous_field(
        [conv = conv_](const State& y) mutable { return State{conv(y[0]).tanh() - y[0]}; });
  }

 private:
  torch::nn::Conv2d conv_;
};

TEST(OdeBlock, NeedsNothingButAFunction) {
  const auto block = kit::ode_block<Relaxation>("block", 4);
  const Tensor x = torch::rand({2, 4, 5, 5});
  RecordingContext ode;

  const Tensor y = block->forward(x, ode);

  // Two Euler steps of 1/2.
  const Tensor kernel = block->parameters().front();
  Tensor expected = x;
  for (int i = 0; i < 2; ++i) {
    expected = expected + 0.5 * (at::conv2d(expected, kernel, {}, 1, 1).tanh() - expected);
  }
  EXPECT_LE((y - expected).abs().max().item<double>(), 1e-6);  // float32
  EXPECT_THAT(ode.names, testing::ElementsAre("block"));
  EXPECT_EQ(block->named_parameters().keys().front(), "odefunc.conv.weight");
}

}  // namespace
}  // namespace unmask::test::architecture_test
