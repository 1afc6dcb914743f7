// Initial values: every parameter of every network has the distribution of the reference, which is
// LibTorch's rule for a layer of its kind, or the wide networks' normal one. Seeds are fixed, so a
// test either passes or not; allowances are six standard deviations of what is estimated, a chance
// of 2e-9 each for another seed.

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "unmask/model.hpp"

namespace unmask::test::initial_values_test {
namespace {

using Given = std::map<std::string, ParamValue>;

double mean_power(const Tensor& values, int power) {
  return values.to(at::kDouble).pow(power).mean().item<double>();
}

// n values uniform in [-b, b]: E x = 0, E x^2 = b^2 / 3, E x^4 = b^4 / 5.
void expect_uniform(const Tensor& values, double bound) {
  const double n = static_cast<double>(values.numel());
  const double largest = values.abs().max().item<double>();
  EXPECT_LE(largest, bound * (1 + 1e-6));  // float32 rounding of the bound
  // All n values miss the outer tenth with probability 0.9^n: 7e-10 for 200.
  if (n >= 200) {
    EXPECT_GT(largest, 0.9 * bound);
  }
  EXPECT_LE(std::abs(mean_power(values, 1)), 6 * bound / std::sqrt(3 * n));
  EXPECT_LE(std::abs(mean_power(values, 2) - bound * bound / 3),
            6 * bound * bound * std::sqrt((1.0 / 5 - 1.0 / 9) / n));
}

// n normal values of deviation s: E x^2 = s^2, E x^4 = 3 s^4, E x^8 = 105 s^8. The fourth moment
// tells a normal distribution from a uniform one of the same variance, whose is 1.8 s^4, where n is
// beyond 2400.
void expect_normal(const Tensor& values, double deviation) {
  const double n = static_cast<double>(values.numel());
  const double variance = deviation * deviation;
  EXPECT_LE(std::abs(mean_power(values, 1)), 6 * deviation / std::sqrt(n));
  EXPECT_LE(std::abs(mean_power(values, 2) - variance), 6 * variance * std::sqrt(2 / n));
  EXPECT_LE(std::abs(mean_power(values, 4) - 3 * variance * variance),
            6 * variance * variance * std::sqrt((105.0 - 9) / n));
}

void expect_all(const Tensor& values, double value) {
  EXPECT_EQ((values - value).abs().max().item<double>(), 0);
}

// Inputs of one output of a layer: all axes but the first.
double fan_in(const Tensor& weight) {
  return static_cast<double>(weight.numel() / weight.size(0));
}

struct Network {
  const char* name;
  const char* id;
  Given given;
  bool is_wide = false;  // convolutions are normal, the bias of the last layer is 0
};

const std::vector<Network>& networks() {
  static const std::vector<Network> all = {
      {"linear", "linear", {}},
      {"mlp", "mlp", {}},
      {"odenet", "odenet", {}},
      {"resnet", "resnet", {}},
      {"resnet50",
       "resnet",
       {{"block", std::string("bottleneck")}, {"blocks", std::vector<std::int64_t>{3, 4, 6, 3}}}},
      {"small_cnn", "small_cnn", {}},
      {"so_resnet", "so_resnet", {}},
      {"so_wide_resnet", "so_wide_resnet", {}, true},
      {"sonet", "sonet", {}},
      {"wide_resnet", "wide_resnet", {{"widen_factor", std::int64_t{2}}}, true}};
  return all;
}

void PrintTo(const Network& network, std::ostream* out) {
  *out << network.name;
}

class InitialValues : public testing::TestWithParam<Network> {};

INSTANTIATE_TEST_SUITE_P(Models,
                         InitialValues,
                         testing::ValuesIn(networks()),
                         [](const auto& test_info) { return std::string(test_info.param.name); });

TEST_P(InitialValues, HaveTheDistributionsOfTheReference) {
  torch::manual_seed(11);
  const auto model = make_model(GetParam().id,
                                GetParam().given,
                                {.channels = 3, .height = 32, .width = 32, .num_classes = 10});
  std::map<std::string, Tensor> all;
  for (const NamedTensor& item : model->parameters()) all[item.name] = item.tensor.detach();

  for (const auto& [name, values] : all) {
    SCOPED_TRACE(name);
    const auto dot = name.rfind('.');
    const std::string layer = name.substr(0, dot);
    const std::string kind = name.substr(dot + 1);
    const Tensor& weight = kind == "kernel" ? values : all.at(layer + ".weight");
    if (weight.dim() == 1) {  // a normalisation starts as the identity
      expect_all(values, kind == "weight" ? 1 : 0);
    } else if (GetParam().is_wide && name == "linear.bias") {
      expect_all(values, 0);
    } else if (GetParam().is_wide && kind == "weight" && weight.dim() == 4) {
      // Kaiming, normal, fan out, gain sqrt 2.
      const double outputs = static_cast<double>(weight.size(0) * weight.size(2) * weight.size(3));
      expect_normal(values, std::sqrt(2 / outputs));
    } else {
      // Kaiming, uniform, fan in, a = sqrt 5: sqrt(2 / (1 + 5)) sqrt(3 / fan in) = 1 / sqrt(fan
      // in), which is also the rule for biases. The matrix of SONet's classifier maps classes to
      // features, as the reference counts its fan.
      expect_uniform(values, 1 / std::sqrt(fan_in(weight)));
    }
  }
}

TEST_P(InitialValues, AreIndependentFromLayerToLayer) {
  // Two layers of one shape that were filled alike would have correlation 1; that of n independent
  // pairs has deviation 1 / sqrt n.
  torch::manual_seed(11);
  const auto model = make_model(GetParam().id,
                                GetParam().given,
                                {.channels = 3, .height = 32, .width = 32, .num_classes = 10});
  std::map<std::vector<std::int64_t>, Tensor> seen;
  for (const NamedTensor& item : model->parameters()) {
    const Tensor values = item.tensor.detach().to(at::kDouble).flatten();
    if (item.tensor.dim() == 1 || values.numel() < 100) continue;
    const auto [known, is_new] = seen.emplace(item.tensor.sizes().vec(), values);
    if (is_new) continue;
    const double correlation =
        (known->second.dot(values) / (known->second.norm() * values.norm())).item<double>();
    EXPECT_LE(std::abs(correlation), 6 / std::sqrt(static_cast<double>(values.numel())))
        << item.name;
  }
}

TEST_P(InitialValues, OfRunningStatisticsAreZeroAndOne) {
  const auto model = make_model(GetParam().id,
                                GetParam().given,
                                {.channels = 3, .height = 32, .width = 32, .num_classes = 10});
  for (const NamedTensor& item : model->buffers()) {
    SCOPED_TRACE(item.name);
    expect_all(item.tensor, item.name.ends_with("running_var") ? 1 : 0);
  }
}

}  // namespace
}  // namespace unmask::test::initial_values_test
