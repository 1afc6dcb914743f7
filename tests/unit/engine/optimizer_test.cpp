#include "engine/optimizer.hpp"

#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unit/engine/training_case.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::optimizer_test {
namespace {

using Values = std::map<std::string, ParamValue>;

// A parameter of one number with a given gradient.
struct Number {
  explicit Number(double value)
      : tensor(torch::tensor(value, torch::kDouble).requires_grad_(true)) {}
  double value() const { return tensor.item<double>(); }
  void set_gradient(double g) const { tensor.mutable_grad() = torch::tensor(g, torch::kDouble); }
  Tensor tensor;
};

// The value of one parameter that starts at 2, after steps with these gradients.
double after(const Values& values, const std::vector<double>& gradients) {
  const Number w(2);
  Optimizer optimizer(training_options(values), {{"w", w.tensor}});
  for (const double g : gradients) {
    w.set_gradient(g);
    optimizer.step();
  }
  return w.value();
}

// Every formula below is a dozen double operations on numbers near 1: 1e-14 is 50 roundings.
constexpr double kRounding = 1e-14;

TEST(Optimizer, SgdStepsDownTheGradient) {
  EXPECT_NEAR(after({{"learning_rate", 0.1}, {"momentum", 0.0}}, {3}), 2 - 0.1 * 3, kRounding);
}

TEST(Optimizer, SgdAddsTheWeightDecayToTheGradient) {
  EXPECT_NEAR(after({{"learning_rate", 0.1}, {"momentum", 0.0}, {"weight_decay", 0.5}}, {3}),
              2 - 0.1 * (3 + 0.5 * 2),
              kRounding);
}

TEST(Optimizer, SgdKeepsTheMomentumOfEarlierSteps) {
  const double b1 = 3;
  const double b2 = 0.9 * b1 + 1;
  EXPECT_NEAR(after({{"learning_rate", 0.1}, {"momentum", 0.9}}, {3, 1}),
              2 - 0.1 * b1 - 0.1 * b2,
              kRounding);
}

TEST(Optimizer, NesterovLooksAheadAlongTheMomentum) {
  const double b1 = 3;
  const double b2 = 0.9 * b1 + 1;
  EXPECT_NEAR(after({{"learning_rate", 0.1}, {"momentum", 0.9}, {"nesterov", true}}, {3, 1}),
              2 - 0.1 * (3 + 0.9 * b1) - 0.1 * (1 + 0.9 * b2),
              kRounding);
}

const std::vector<double> kBetas = {0.8, 0.9};

// One step of Adam from moments m, v, number t.
double adam_step(double& m, double& v, double g, int t) {
  m = 0.8 * m + 0.2 * g;
  v = 0.9 * v + 0.1 * g * g;
  return m / (1 - std::pow(0.8, t)) / (std::sqrt(v / (1 - std::pow(0.9, t))) + 1e-3);
}

TEST(Optimizer, AdamDividesTheFirstMomentByTheRootOfTheSecond) {
  double m = 0;
  double v = 0;
  double w = 2;
  w -= 0.1 * adam_step(m, v, 3 + 0.5 * w, 1);
  w -= 0.1 * adam_step(m, v, 1 + 0.5 * w, 2);

  EXPECT_NEAR(after({{"optimizer", std::string("adam")},
                     {"learning_rate", 0.1},
                     {"betas", kBetas},
                     {"adam_epsilon", 1e-3},
                     {"weight_decay", 0.5}},
                    {3, 1}),
              w,
              kRounding);
}

TEST(Optimizer, AdamWTakesTheWeightDecayOffTheWeights) {
  double m = 0;
  double v = 0;
  double w = 2;
  w = w * (1 - 0.1 * 0.5) - 0.1 * adam_step(m, v, 3, 1);
  w = w * (1 - 0.1 * 0.5) - 0.1 * adam_step(m, v, 1, 2);

  EXPECT_NEAR(after({{"optimizer", std::string("adamw")},
                     {"learning_rate", 0.1},
                     {"betas", kBetas},
                     {"adam_epsilon", 1e-3},
                     {"weight_decay", 0.5}},
                    {3, 1}),
              w,
              kRounding);
}

TEST(Optimizer, FollowsTheLearningRate) {
  const Number w(2);
  Optimizer optimizer(training_options({{"momentum", 0.0}}), {{"w", w.tensor}});
  optimizer.set_learning_rate(0.25);
  w.set_gradient(4);
  optimizer.step();

  EXPECT_EQ(w.value(), 1);
}

TEST(Optimizer, ClipsTheNormOfAllGradientsTogether) {
  const Number a(0);
  const Number b(0);
  Optimizer optimizer(training_options(), {{"a", a.tensor}, {"b", b.tensor}});
  a.set_gradient(3);
  b.set_gradient(-4);

  optimizer.clip_gradients(1);

  EXPECT_NEAR(a.tensor.grad().item<double>(), 3 / (5 + 1e-6), kRounding);
  EXPECT_NEAR(b.tensor.grad().item<double>(), -4 / (5 + 1e-6), kRounding);
}

TEST(Optimizer, LeavesShortGradientsAlone) {
  const Number a(0);
  Optimizer optimizer(training_options(), {{"a", a.tensor}});
  a.set_gradient(0.5);

  optimizer.clip_gradients(1);

  EXPECT_EQ(a.tensor.grad().item<double>(), 0.5);
}

TEST(Optimizer, LeavesAParameterWithoutGradientAlone) {
  const Number a(1);
  Optimizer optimizer(training_options(), {{"a", a.tensor}});
  a.set_gradient(1);
  optimizer.step();
  const double before = a.value();

  optimizer.clear_gradients();
  optimizer.step();

  EXPECT_EQ(a.value(), before);
}

class OptimizerState : public ::testing::TestWithParam<const char*> {};

TEST_P(OptimizerState, RestoredContinuesBitByBit) {
  const auto options =
      training_options({{"optimizer", std::string(GetParam())}, {"learning_rate", 0.1}});
  const Number a(1);
  Optimizer first(options, {{"a", a.tensor}});
  const std::vector<double> gradients = {0.3, -0.7, 0.2};
  for (int i = 0; i < 2; ++i) {
    a.set_gradient(gradients[static_cast<std::size_t>(i)]);
    first.step();
  }
  const Number b(a.value());
  Optimizer second(options, {{"a", b.tensor}});

  second.restore(first.state());
  for (const Number* w : {&a, &b}) w->set_gradient(gradients[2]);
  first.step();
  second.step();

  EXPECT_EQ(a.value(), b.value());
  ASSERT_EQ(first.state().size(), second.state().size());
  for (std::size_t i = 0; i < first.state().size(); ++i) {
    EXPECT_TRUE(torch::equal(first.state()[i].tensor, second.state()[i].tensor))
        << first.state()[i].name;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, OptimizerState, ::testing::Values("sgd", "adam", "adamw"));

TEST(Optimizer, RefusesAStateThatDoesNotFit) {
  const Number a(1);
  Optimizer optimizer(training_options(), {{"a", a.tensor}});

  EXPECT_THROW(optimizer.restore({{"a/momentum", torch::zeros({2}, torch::kDouble)}}), DataError);
  EXPECT_THROW(optimizer.restore({{"b/momentum", torch::zeros({}, torch::kDouble)}}), DataError);
}

}  // namespace
}  // namespace unmask::engine::optimizer_test
