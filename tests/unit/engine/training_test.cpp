#include "engine/training.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include <torch/nn/functional/batchnorm.h>
#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/engine/tiny_model.hpp"
#include "unit/engine/training_case.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::training_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Values = std::map<std::string, ParamValue>;

constexpr std::int64_t kOne = 1;

class CrossEntropy final : public Objective {
 public:
  explicit CrossEntropy(double factor = 1) : factor_(factor) {}
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    return per_sample_loss(step.logits(x), y, Loss::kCrossEntropy).mean() * factor_;
  }

 private:
  double factor_;
};

// One signed step up the gradient of the loss, then the loss there: the shape of adversarial
// training.
class OneStepAdversary final : public Objective {
 public:
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    const Tensor natural = per_sample_loss(step.logits(x), y, Loss::kCrossEntropy).mean();
    const Tensor g = step.target().loss_and_gradient(x, y, Loss::kCrossEntropy).gradient;
    const Tensor moved = (x + 0.01 * g.sign()).clamp(0, 1);
    return natural + per_sample_loss(step.logits(moved), y, Loss::kCrossEntropy).mean();
  }
};

const wire::Series* find(const wire::CellResult& result, const std::string& name) {
  const auto found = std::find_if(result.series.begin(),
                                  result.series.end(),
                                  [&](const wire::Series& s) { return s.name == name; });
  return found == result.series.end() ? nullptr : &*found;
}

double metric(const wire::CellResult& result, const std::string& name) {
  for (const wire::Metric& m : result.metrics) {
    if (m.name == name) return m.value;
  }
  throw std::runtime_error("no metric " + name);
}

wire::CellResult train_model(Model& model,
                             Objective& objective,
                             const LoadedSplit& data,
                             const TrainingOptions& options,
                             bool is_adaptive = false) {
  const SolverSetup solver = make_setup(is_adaptive);
  wire::CellResult result;
  train({.model = model,
         .objective = objective,
         .solver = solver,
         .data = data,
         .num_classes = 2,
         .device = "cpu",
         .seed = 11},
        options,
        result,
        [](auto, auto, const auto&) {});
  return result;
}

Tensor train_weights(const TrainingOptions& options,
                     wire::CellResult* result = nullptr,
                     double factor = 1) {
  LinearModel model(torch::zeros({2, 2}));
  CrossEntropy objective(factor);
  const wire::CellResult got = train_model(model, objective, four_samples(), options);
  if (result != nullptr) *result = got;
  return model.parameters()[0].tensor.clone();
}

// Full-batch softmax regression from zero weights: the gradient of the mean loss with respect to W
// is mean((p - onehot) x^T) with p = 1/2, so one step gives W = lr mean((onehot - 1/2) x^T).
TEST(Train, MakesTheStepOfGradientDescent) {
  const Tensor w = train_weights(training_options({{"epochs", kOne},
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

// The same step scaled to the length of the clip.
TEST(Train, ClipsTheGradient) {
  const Tensor w = train_weights(training_options({{"epochs", kOne},
                                                   {"batch_size", std::int64_t{4}},
                                                   {"learning_rate", 1.0},
                                                   {"momentum", 0.0},
                                                   {"clip_norm", 1e-3}}));

  // 1e-6 in the denominator takes off 1e-6 / |g|, and |g| is near 0.1.
  EXPECT_NEAR(w.norm().item<double>(), 1e-3, 1e-3 * 1e-4);
}

TEST(Train, IsBitIdenticalWhenRepeated) {
  const auto o = training_options({{"epochs", std::int64_t{3}}, {"batch_size", std::int64_t{3}}});

  EXPECT_TRUE(torch::equal(train_weights(o), train_weights(o)));
}

TEST(Train, RecordsOneValuePerEpoch) {
  wire::CellResult result;

  train_weights(training_options({{"epochs", std::int64_t{3}}, {"learning_rate", 0.5}}), &result);

  std::vector<std::string> names;
  for (const wire::Series& s : result.series) {
    names.push_back(s.name);
    EXPECT_EQ(s.values.size(), 3u) << s.name;
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"train_loss",
                                      "train_accuracy",
                                      "learning_rate",
                                      "nfe_forward",
                                      "nfe_backward",
                                      "rejected_steps",
                                      "images_per_s"}));
  EXPECT_LT(result.series[0].values[2], result.series[0].values[0]) << "the loss should fall";
  EXPECT_EQ(result.counters.forwards, 12);
  EXPECT_EQ(result.counters.backwards, 12);
  EXPECT_EQ(metric(result, "epochs"), 3);
}

TEST(Train, RecordsTheEvaluationsOfEveryEpoch) {
  LinearModel model(torch::zeros({2, 2}), /*has_ode=*/true);
  CrossEntropy objective;

  const wire::CellResult result =
      train_model(model,
                  objective,
                  four_samples(),
                  training_options({{"epochs", std::int64_t{2}}, {"batch_size", std::int64_t{2}}}));

  // Euler in one step: one evaluation per solve, two steps per epoch.
  EXPECT_EQ(find(result, "nfe_forward")->values, (std::vector<double>{2, 2}));
  EXPECT_EQ(find(result, "nfe_backward")->values, (std::vector<double>{0, 0}));
  EXPECT_EQ(result.counters.nfe, 4);
}

TEST(Train, CountsWhatInnerAttacksDo) {
  LinearModel model(torch::zeros({2, 2}), /*has_ode=*/true);
  OneStepAdversary objective;

  const wire::CellResult result =
      train_model(model, objective, four_samples(), training_options({{"epochs", kOne}}));

  // One step on four samples: two passes of training and one of the attack, each there and back.
  EXPECT_EQ(result.counters.forwards, 12);
  EXPECT_EQ(result.counters.backwards, 12);
  EXPECT_EQ(result.counters.nfe, 3);
  std::vector<std::string> phases;
  for (const wire::SolveStats& s : result.solve_stats) phases.push_back(s.phase);
  EXPECT_THAT(phases, ::testing::ElementsAre("train", "inner_attack"));
}

// Only the weights' own gradient may reach them: the loss is attached, the attack freezes.
class TargetLast final : public Objective {
 public:
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    const Tensor loss = per_sample_loss(step.logits(x), y, Loss::kCrossEntropy).mean();
    step.target().logits(x);
    return loss;
  }
};

TEST(Train, IsNotDisturbedByATargetAfterTheLogits) {
  const auto o = training_options({{"epochs", kOne}});
  LinearModel model(torch::zeros({2, 2}));
  TargetLast objective;

  train_model(model, objective, four_samples(), o);

  EXPECT_TRUE(torch::equal(model.parameters()[0].tensor, train_weights(o)));
}

TEST(Train, NamesTheStepWhereTheLossIsNotFinite) {
  try {
    train_weights(training_options({{"epochs", std::int64_t{2}}}), nullptr, std::nan(""));
    FAIL();
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("epoch 1, step 1 of 1"));
  }
}

TEST(Train, LeavesTheModelFrozenAndInEvaluationMode) {
  LinearModel model(torch::zeros({2, 2}));
  CrossEntropy objective;

  train_model(model, objective, four_samples(), training_options({{"epochs", kOne}}));

  EXPECT_FALSE(model.is_training);
  EXPECT_FALSE(model.parameters()[0].tensor.requires_grad());
}

TEST(Train, OfNoEpochsNeedsNoData) {
  LinearModel model(torch::ones({2, 2}));
  CrossEntropy objective;
  const LoadedSplit nothing{torch::zeros({0, 1, 1, 2}), torch::zeros({0}, torch::kLong)};

  train_model(model, objective, nothing, training_options({{"epochs", std::int64_t{0}}}));

  EXPECT_TRUE(torch::equal(model.parameters()[0].tensor, torch::ones({2, 2})));
}

TEST(Train, RefusesAValidationThatLeavesNothingToTrainOn) {
  const auto o = training_options({{"epochs", kOne}, {"validation", std::int64_t{4}}});

  EXPECT_THROW(train_weights(o), ParamError);
}

TEST(Train, RefusesMixedPrecisionOnTheCpu) {
  try {
    train_weights(training_options({{"epochs", kOne}, {"precision", std::string("mixed")}}));
    FAIL();
  } catch (const ParamError& error) {
    EXPECT_THAT(error.what(), HasSubstr("needs a CUDA device"));
  }
}

// One weight that grows by the learning rate, 1, at every step: the loss is minus the weight. In
// evaluation mode it gives the right class, 0, to as many samples of the batch as a list says for
// the weight.
class ScriptedModel final : public Model {
 public:
  explicit ScriptedModel(std::vector<std::int64_t> right) : right_(std::move(right)) {}

  Tensor forward(const Tensor& x, OdeContext&) override {
    if (is_training_) return weight_.expand({x.size(0), 2});
    const Tensor logits = torch::zeros({x.size(0), 2});
    const auto index = static_cast<std::size_t>(weight_.item<float>());
    for (std::int64_t i = 0; i < x.size(0); ++i) logits[i][i < right_.at(index) ? 0 : 1] = 1;
    return logits;
  }
  std::vector<NamedTensor> parameters() override { return {{"weight", weight_}}; }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { is_training_ = training; }
  void to(const std::string&, at::ScalarType) override {}

  double weight() const { return weight_.item<double>(); }

 private:
  std::vector<std::int64_t> right_;
  Tensor weight_ = torch::zeros({1});
  bool is_training_ = false;
};

class Grow final : public Objective {
 public:
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor&) override {
    return -step.logits(x).mean();
  }
};

// Five samples of class 0, the last four held out: one step per epoch.
wire::CellResult train_script(ScriptedModel& model, Values values) {
  values.insert({{"learning_rate", 1.0},
                 {"momentum", 0.0},
                 {"validation", std::int64_t{4}},
                 {"batch_size", std::int64_t{4}}});
  Grow objective;
  const LoadedSplit data{torch::zeros({5, 1, 1, 2}), torch::zeros({5}, torch::kLong)};
  return train_model(model, objective, data, training_options(std::move(values)));
}

TEST(Validation, RecordsTheAccuracyOfTheSamplesHeldOut) {
  ScriptedModel model({0, 1, 3, 2});

  const wire::CellResult result = train_script(model, {{"epochs", std::int64_t{3}}});

  EXPECT_EQ(find(result, "validation_accuracy")->values, (std::vector<double>{0.25, 0.75, 0.5}));
  // Cross-entropy of logits (1, 0): log(1 + 1/e) where the answer is right, log(1 + e) where not.
  const double right = std::log(1 + std::exp(-1.0));
  const double wrong = std::log(1 + std::exp(1.0));
  // float32: logits near 1.
  EXPECT_NEAR(find(result, "validation_loss")->values[0], (right + 3 * wrong) / 4, 1e-6);
  EXPECT_EQ(metric(result, "validation_accuracy"), 0.5);
  EXPECT_EQ(metric(result, "best_epoch"), 2);
  EXPECT_EQ(model.weight(), 3) << "keep: last";
}

TEST(Validation, KeepsTheEarliestOfTheBestNetworks) {
  ScriptedModel model({0, 1, 3, 3, 2});

  const wire::CellResult result =
      train_script(model, {{"epochs", std::int64_t{4}}, {"keep", std::string("best")}});

  EXPECT_EQ(model.weight(), 2);
  EXPECT_EQ(metric(result, "validation_accuracy"), 0.75);
}

TEST(Validation, StopsWhenPatienceRunsOut) {
  ScriptedModel model({0, 1, 3, 3, 2, 4});

  const wire::CellResult result =
      train_script(model, {{"epochs", std::int64_t{5}}, {"patience", std::int64_t{2}}});

  EXPECT_EQ(metric(result, "epochs"), 4);
  EXPECT_EQ(find(result, "train_loss")->values.size(), 4u);
}

TEST(Validation, GoesOnWhilePatienceLasts) {
  ScriptedModel model({0, 1, 3, 3, 4, 4});

  const wire::CellResult result =
      train_script(model, {{"epochs", std::int64_t{5}}, {"patience", std::int64_t{2}}});

  EXPECT_EQ(metric(result, "epochs"), 5);
}

// Weights 1, 2, 3 after the steps: 1; 1.5; 2.25.
TEST(Validation, JudgesAndKeepsTheAverage) {
  ScriptedModel model({0, 1, 2, 3});

  const wire::CellResult result = train_script(
      model,
      {{"epochs", std::int64_t{3}}, {"averaging", std::string("ema")}, {"averaging_decay", 0.5}});

  EXPECT_EQ(model.weight(), 2.25);
  EXPECT_EQ(find(result, "validation_accuracy")->values, (std::vector<double>{0.25, 0.25, 0.5}))
      << "weights 1, 1.5 and 2.25 look up entries 1, 1 and 2";
  EXPECT_EQ(find(result, "train_loss")->values, (std::vector<double>{0, -1, -2}))
      << "training goes on from its own weights";
}

TEST(Averaging, OfEpochsBecomesTheCheckpoint) {
  ScriptedModel model({0, 1, 2, 3, 4});

  train_script(
      model,
      {{"epochs", std::int64_t{4}}, {"averaging", std::string("swa")}, {"averaging_start", kOne}});

  EXPECT_EQ(model.weight(), 3) << "the mean of 2, 3 and 4";
}

// Keeps a running mean of its input, as normalisation does.
class StatisticsModel final : public Model {
 public:
  Tensor forward(const Tensor& x, OdeContext&) override {
    if (is_training_) {
      const at::NoGradGuard no_grad;
      mean_.mul_(0.5).add_(0.5 * weight_ * x.mean());
    }
    return (weight_ * x).flatten(1);
  }
  std::vector<NamedTensor> parameters() override { return {{"weight", weight_}}; }
  std::vector<NamedTensor> buffers() override { return {{"mean", mean_}}; }
  void set_training(bool training) override { is_training_ = training; }
  void to(const std::string&, at::ScalarType) override {}

  double weight() const { return weight_.item<double>(); }
  double mean() const { return mean_.item<double>(); }

 private:
  Tensor weight_ = torch::zeros({1});
  Tensor mean_ = torch::zeros({1});
  bool is_training_ = false;
};

// All pixels 1, the loss minus the weight, learning rate 1, one batch per epoch. The running mean
// sees weights 0 and 1 in training: 0, then 0.5. Weights after the epochs are 1 and 2.
wire::CellResult train_statistics(StatisticsModel& model, const std::string& averaging) {
  Grow objective;
  const LoadedSplit data{torch::ones({2, 1, 1, 2}), torch::zeros({2}, torch::kLong)};
  return train_model(model,
                     objective,
                     data,
                     training_options({{"epochs", std::int64_t{2}},
                                       {"learning_rate", 1.0},
                                       {"momentum", 0.0},
                                       {"averaging", averaging},
                                       {"averaging_decay", 0.5}}));
}

TEST(Averaging, OfStepsAveragesRunningStatistics) {
  StatisticsModel model;

  train_statistics(model, "ema");

  EXPECT_EQ(model.weight(), 1.5);
  EXPECT_EQ(model.mean(), 0.25);
}

TEST(Averaging, OfEpochsEstimatesRunningStatisticsAnew) {
  StatisticsModel model;

  const wire::CellResult result = train_statistics(model, "swa");

  EXPECT_EQ(model.weight(), 1.5);
  EXPECT_EQ(model.mean(), 0.5 * 0.25 + 0.5 * 1.5) << "from the average, one batch of mean 1.5";
  EXPECT_EQ(result.counters.forwards, 6) << "two samples, twice in training and once more";
}

// Batch normalisation over the logits, in training.
class Normalised final : public Model {
 public:
  Tensor forward(const Tensor& x, OdeContext& ode) override {
    namespace F = torch::nn::functional;
    return F::batch_norm(linear_.forward(x, ode),
                         mean_,
                         variance_,
                         F::BatchNormFuncOptions().training(linear_.is_training));
  }
  std::vector<NamedTensor> parameters() override { return linear_.parameters(); }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { linear_.set_training(training); }
  void to(const std::string&, at::ScalarType) override {}

 private:
  LinearModel linear_{torch::zeros({2, 2})};
  Tensor mean_ = torch::zeros({2});
  Tensor variance_ = torch::ones({2});
};

// Four samples in batches of three leave one; in batches of four they do not.
TEST(Training, ABatchOfOneUnderBatchNormalisationIsNamedWithARemedy) {
  Normalised model;
  CrossEntropy objective;

  try {
    train_model(model,
                objective,
                four_samples(),
                training_options({{"epochs", kOne}, {"batch_size", std::int64_t{3}}}));
    FAIL() << "a batch of one was trained on";
  } catch (const ParamError& error) {
    EXPECT_STREQ(error.what(),
                 "epoch 1, step 2 of 2: its batch has one sample, of which batch normalisation has "
                 "no variance; use another batch_size than 3 for 4 training samples, for example "
                 "4");
  }
}

TEST(Training, BeforeAWeightHasChangedNoLearningRateIsToBlame) {
  LinearModel model(torch::full({2, 2}, std::numeric_limits<float>::quiet_NaN()));
  CrossEntropy objective;

  try {
    train_model(model, objective, four_samples(), training_options({{"epochs", kOne}}));
    FAIL() << "a loss that is no number was accepted";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("before any weight has changed"));
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("learning_rate")));
  }
}

// A loss from which nothing leads back to a weight is named, not left to LibTorch's words.
class Detached final : public Objective {
 public:
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    return per_sample_loss(step.logits(x), y, Loss::kCrossEntropy).mean().detach();
  }
};

TEST(Training, ALossWithoutADerivativeIsNamed) {
  LinearModel model(torch::zeros({2, 2}));
  Detached objective;

  try {
    train_model(model, objective, four_samples(), training_options({{"epochs", kOne}}));
    FAIL() << "a loss without a derivative was accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the training loss has no derivative"));
  }
}

// What another objective than cross-entropy makes of its logits.
class LossOfLogits final : public Objective {
 public:
  using Function = std::function<Tensor(const Tensor& logits)>;
  explicit LossOfLogits(Function function) : function_(std::move(function)) {}
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor&) override {
    return function_(step.logits(x));
  }

 private:
  Function function_;
};

std::string refusal_of_training(Model& model, Objective& objective) {
  try {
    train_model(model, objective, four_samples(), training_options({{"epochs", kOne}}));
  } catch (const std::exception& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(Training, ALossThatIsNotOneNumberIsNamed) {
  const std::vector<std::pair<LossOfLogits::Function, std::string>> losses = {
      {[](const Tensor& z) { return z.sum(1); }, "] Float"},
      {[](const Tensor&) { return Tensor(); }, "it gave nothing"},
      {[](const Tensor& z) { return z.argmax(); }, "[] Long"}};
  for (const auto& [function, said] : losses) {
    LinearModel model(torch::zeros({2, 2}));
    LossOfLogits objective(function);

    EXPECT_THAT(refusal_of_training(model, objective),
                AllOf(HasSubstr("the objective must give one real number"), HasSubstr(said)));
  }
}

TEST(Training, LogitsOfAnotherShapeAreNamed) {
  LinearModel model(torch::zeros({3, 2}));
  LossOfLogits objective([](const Tensor& z) { return z.sum(); });

  EXPECT_THAT(refusal_of_training(model, objective),
              AllOf(HasSubstr("the model must give logits ["),
                    HasSubstr(", 2], real numbers; it "
                              "gave ["),
                    HasSubstr(", 3] Float")));
}

// What a network writes into its input stays its own: the objective passes the same x twice.
class Twice final : public Objective {
 public:
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    const Tensor before = x.clone();
    const Tensor first = step.logits(x);
    EXPECT_TRUE(at::equal(x, before));
    ++calls;
    return per_sample_loss(step.logits(x) + 0 * first, y, Loss::kCrossEntropy).mean();
  }

  int calls = 0;
};

class InPlace final : public Model {
 public:
  Tensor forward(const Tensor& x, OdeContext& ode) override {
    Tensor input = x;
    return linear_.forward(input.sub_(0.1), ode);
  }
  std::vector<NamedTensor> parameters() override { return linear_.parameters(); }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool training) override { linear_.set_training(training); }
  void to(const std::string&, at::ScalarType) override {}

 private:
  LinearModel linear_{torch::zeros({2, 2})};
};

TEST(Training, ANetworkCannotWriteIntoTheBatch) {
  InPlace model;
  Twice objective;

  train_model(model, objective, four_samples(), training_options({{"epochs", kOne}}));

  EXPECT_GT(objective.calls, 0);  // which looked at the batch
}

}  // namespace
}  // namespace unmask::engine::training_test
