// Networks that write into their own tensors when they are asked: every batch finds them as their
// checkpoint has them.

#include "engine/network_state.hpp"

#include <vector>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/engine/evaluation_case.hpp"
#include "unit/engine/tiny_model.hpp"

namespace unmask::engine::network_state_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

enum class Count { kInPlace, kInANewTensor };

// The linear model, right when it is asked for the first time and wrong ever after.
class Forgetful final : public Model {
 public:
  explicit Forgetful(Count how) : linear_(difference_weight()), how_(how) {}

  Tensor forward(const Tensor& x, OdeContext& ode) override {
    const bool is_first = asked_.item<float>() == 0;
    if (how_ == Count::kInPlace) {
      asked_.add_(1);
    } else {
      asked_ = asked_ + 1;
    }
    const Tensor logits = linear_.forward(x, ode);
    return is_first ? logits : logits.flip(1);
  }
  std::vector<NamedTensor> parameters() override { return linear_.parameters(); }
  std::vector<NamedTensor> buffers() override { return {{"asked", asked_}}; }
  void set_training(bool training) override { linear_.set_training(training); }
  void to(const std::string&, at::ScalarType) override {}

  void forget() { asked_.zero_(); }

 private:
  LinearModel linear_;
  Count how_;
  Tensor asked_ = at::zeros({});
};

class NetworkStates : public testing::TestWithParam<Count> {
 protected:
  // Of canonical batches of two, from a sample on.
  std::vector<wire::SampleOutcome> outcomes(std::int64_t first = 0) {
    EvaluationCase set;
    EvaluationInput input = set.input(model_);
    input.batch_size = input.method_batch = 2;
    input.state = &state_;
    FunctionAttack attack(
        [](Target&, const Tensor& x, const Tensor&, const Threat&) { return x.clone(); });
    AttackEvaluation evaluation(input, attack, first);
    while (!evaluation.is_done()) evaluation.step([](auto, auto, const auto&) {});
    metrics_ = evaluation.part().found.metrics;
    return evaluation.part().found.outcomes;
  }

  std::vector<std::int64_t> clean_predictions(std::int64_t first = 0) {
    std::vector<std::int64_t> result;
    for (const auto& outcome : outcomes(first)) result.push_back(outcome.clean_prediction);
    return result;
  }

  Forgetful model_{GetParam()};
  NetworkState state_{model_, [this] { model_.forget(); }};
  std::vector<wire::Metric> metrics_;
};

// Margins 0.4, -0.2, 0.6, 0.1 for labels 0 0 1 1: all but the second are right.
TEST_P(NetworkStates, EveryBatchFindsTheNetworkOfTheCheckpoint) {
  EXPECT_THAT(clean_predictions(), ElementsAre(0, 1, 1, 1));
  // Again, by the same network.
  EXPECT_THAT(clean_predictions(), ElementsAre(0, 1, 1, 1));
  // The second part alone.
  EXPECT_THAT(clean_predictions(2), ElementsAre(1, 1));
}

TEST_P(NetworkStates, WhatWritesIsSaid) {
  outcomes();
  EXPECT_THAT(state_.written(), ElementsAre("asked"));
  wire::CellResult result;
  result.metrics = metrics_;
  EXPECT_EQ(metric(result, "check.changes_itself"), 1);
}

TEST_P(NetworkStates, EachCellFindsItAnew) {
  outcomes();
  state_.begin_cell();
  EXPECT_THAT(state_.written(), IsEmpty());
  EXPECT_THAT(clean_predictions(), ElementsAre(0, 1, 1, 1));
  EXPECT_THAT(state_.written(), ElementsAre("asked"));
}

INSTANTIATE_TEST_SUITE_P(All,
                         NetworkStates,
                         testing::Values(Count::kInPlace, Count::kInANewTensor));

TEST(NetworkState, OfAnHonestNetworkIsNeverLoadedAgain) {
  LinearModel model(difference_weight());
  int reloads = 0;
  NetworkState state(model, [&] { ++reloads; });
  EvaluationCase set;
  EvaluationInput input = set.input(model);
  input.state = &state;
  const wire::CellResult result =
      run_attack(input, [](Target& target, const Tensor& x, const Tensor& y, const Threat&) {
        target.loss_and_gradient(x, y, Loss::kMargin);
        return x.clone();
      });

  EXPECT_EQ(reloads, 0);
  EXPECT_THAT(state.written(), IsEmpty());
  EXPECT_EQ(find_metric(result, "check.changes_itself"), nullptr);
}

}  // namespace
}  // namespace unmask::engine::network_state_test
