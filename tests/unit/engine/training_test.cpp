#include "engine/training.hpp"

#include <cmath>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manifest/host_options.hpp"
#include "unit/engine/tiny_model.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

TrainingOptions options(std::map<std::string, ParamValue> values = {}) {
  return TrainingOptions::from(Params(manifest::host_options("objective", {}), std::move(values)));
}

class CrossEntropy final : public Objective {
 public:
  explicit CrossEntropy(double factor = 1) : factor_(factor) {}
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    return per_sample_loss(step.logits(x), y, Loss::kCrossEntropy).mean() * factor_;
  }

 private:
  double factor_;
};

Tensor train_weights(TrainingOptions with, plan::CellResult* result = nullptr, double factor = 1) {
  LinearModel model(torch::zeros({2, 2}));
  CrossEntropy objective(factor);
  const SolverSetup solver = make_setup(false);
  const LoadedSplit data = four_samples();
  const TrainingInput input{model, objective, solver, data, 2, "cpu", at::kFloat, 11};
  plan::CellResult ignored;
  train(input, with, result ? *result : ignored, [](auto, auto, const auto&) {});
  return model.parameters()[0].tensor.clone();
}

TEST(LearningRate, IsConstantByDefault) {
  EXPECT_EQ(learning_rate_at(options({{"learning_rate", 0.5}}), 1234, 10), 0.5);
}

TEST(LearningRate, FollowsHalfACosineToZero) {
  const auto o = options(
      {{"learning_rate", 0.2}, {"schedule", std::string("cosine")}, {"epochs", std::int64_t{4}}});

  EXPECT_DOUBLE_EQ(learning_rate_at(o, 0, 10), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 20, 10), 0.1);
  EXPECT_NEAR(learning_rate_at(o, 40, 10), 0.0, 1e-16);
}

TEST(LearningRate, StepsAtMilestonesByTheirOwnFactors) {
  const auto o = options({{"learning_rate", 1.0},
                          {"schedule", std::string("step")},
                          {"milestones", std::vector<std::int64_t>{2, 4}},
                          {"factors", std::vector<double>{0.1, 0.01}}});

  EXPECT_DOUBLE_EQ(learning_rate_at(o, 19, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 20, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 40, 10), 0.001);
}

TEST(TrainingOptions, RefusesFactorsThatDoNotFitTheMilestones) {
  EXPECT_THROW(options({{"milestones", std::vector<std::int64_t>{1, 2, 3}},
                        {"factors", std::vector<double>{0.1, 0.2}}}),
               ParamError);
}

// Full-batch softmax regression from zero weights: the gradient of the mean loss with respect to W
// is mean((p - onehot) x^T) with p = 1/2, so one step gives W = lr mean((onehot - 1/2) x^T).
TEST(Train, MakesTheStepOfGradientDescent) {
  const Tensor w = train_weights(options({{"epochs", std::int64_t{1}},
                                          {"batch_size", std::int64_t{4}},
                                          {"learning_rate", 1.0},
                                          {"momentum", 0.0}}));

  const Tensor x = four_samples().images.flatten(1);
  const Tensor sign = torch::tensor({1.0f, 1.0f, -1.0f, -1.0f}) * 0.5;
  const Tensor row = (sign.unsqueeze(1) * x).mean(0);
  const Tensor expected = torch::stack({row, -row});
  // A handful of float32 operations on numbers below 1.
  EXPECT_LT((w - expected).abs().max().item<float>(), 4 * std::numeric_limits<float>::epsilon());
}

TEST(Train, IsBitIdenticalWhenRepeated) {
  const auto o = options({{"epochs", std::int64_t{3}}, {"batch_size", std::int64_t{3}}});

  EXPECT_TRUE(torch::equal(train_weights(o), train_weights(o)));
}

TEST(Train, RecordsOneValuePerEpoch) {
  plan::CellResult result;

  train_weights(options({{"epochs", std::int64_t{3}}, {"learning_rate", 0.5}}), &result);

  ASSERT_EQ(result.series.size(), 3u);
  for (const plan::Series& s : result.series) EXPECT_EQ(s.values.size(), 3u) << s.name;
  EXPECT_LT(result.series[0].values[2], result.series[0].values[0]) << "the loss should fall";
  EXPECT_EQ(result.counters.forwards, 12);
}

TEST(Train, NamesTheStepWhereTheLossIsNotFinite) {
  try {
    train_weights(options({{"epochs", std::int64_t{2}}}), nullptr, std::nan(""));
    FAIL();
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("epoch 1, step 1 of 1"));
  }
}

TEST(Train, LeavesTheModelFrozenAndInEvaluationMode) {
  LinearModel model(torch::zeros({2, 2}));
  CrossEntropy objective;
  const SolverSetup solver = make_setup(false);
  const LoadedSplit data = four_samples();
  plan::CellResult result;

  train({model, objective, solver, data, 2, "cpu", at::kFloat, 11},
        options({{"epochs", std::int64_t{1}}}),
        result,
        [](auto, auto, const auto&) {});

  EXPECT_FALSE(model.is_training);
  EXPECT_FALSE(model.parameters()[0].tensor.requires_grad());
}

}  // namespace
}  // namespace unmask::engine
