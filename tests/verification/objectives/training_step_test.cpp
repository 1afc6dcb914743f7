// A step of every objective on whole networks: its derivative against finite differences, and which
// passes move the running statistics of normalisation layers.

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "support/model_step.hpp"

namespace unmask::test::training_step_test {
namespace {

using Given = std::map<std::string, ParamValue>;

constexpr ModelContext kContext = {.channels = 1, .height = 8, .width = 8, .num_classes = 4};
const std::vector<std::int64_t> kIds = {0, 1, 2, 3, 4, 5};

Tensor images() {
  return SampleRandom(2, kIds).uniform(at::empty({6, 1, 8, 8}, at::kDouble), 0, 1);
}

Tensor labels() {
  return at::tensor({0, 1, 2, 3, 0, 1}, at::kLong);
}

// The same weights every time, float64.
std::unique_ptr<Model> network(const std::string& id) {
  torch::manual_seed(5);
  std::unique_ptr<Model> model = make_model(id,
                                            {{"channels", std::int64_t{4}},
                                             {"blocks", std::vector<std::int64_t>{1, 1}},
                                             {"strides", std::vector<std::int64_t>{1, 2}}},
                                            kContext);
  model->to("cpu", at::kDouble);
  return model;
}

// Large enough to change answers, in few steps.
std::unique_ptr<Objective> objective(const std::string& id) {
  if (id == "madry" || id == "trades") {
    return make_plugin<Objective>(
        "objective", id, {{"epsilon", 0.1}, {"step_size", 0.05}, {"steps", std::int64_t{3}}});
  }
  if (id == "cross_entropy") {
    return make_plugin<Objective>("objective", id, {{"label_smoothing", 0.1}});
  }
  return make_plugin<Objective>("objective", id);
}

class EveryStep : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  std::unique_ptr<Objective> objective_ = objective(std::get<0>(GetParam()));
  std::string model_ = std::get<1>(GetParam());
};

INSTANTIATE_TEST_SUITE_P(
    Objectives,
    EveryStep,
    testing::Combine(testing::Values("cross_entropy", "gaussian_noise", "madry", "trades"),
                     testing::Values("resnet", "sonet")),
    [](const auto& test_info) {
      return std::get<0>(test_info.param) + "_" + std::get<1>(test_info.param);
    });

// Along one random direction in the space of all weights. Attacked points move by signs alone, so
// they stay where they are; all else is smooth but for the kinks of the activations, and of the
// sixty thousand activations of these networks, whose inputs move by about 10 h, less than one in a
// hundred crosses zero within h = 1e-8. Rounding of the loss, 1e-15, becomes 1e-7.
TEST_P(EveryStep, HasTheDerivativeOfItsLoss) {
  constexpr double kH = 1e-8;
  const auto model = network(model_);
  ModelStep step(*model, make_solver("rk4"), kContext.num_classes, kIds);
  step.backward(objective_->loss(step, images(), labels()));
  std::vector<Tensor> direction;
  double analytic = 0;
  torch::manual_seed(6);
  for (const NamedTensor& item : model->parameters()) {
    direction.push_back(at::randn_like(item.tensor).detach());
    analytic += (item.tensor.grad() * direction.back()).sum().item<double>();
  }

  const auto moved = [&](double by) {
    const auto other = network(model_);  // running statistics start anew
    const std::vector<NamedTensor> parameters = other->parameters();
    {
      const at::NoGradGuard no_grad;
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        parameters[i].tensor.add_(direction[i], by);
      }
    }
    ModelStep again(*other, make_solver("rk4"), kContext.num_classes, kIds);
    return objective_->loss(again, images(), labels()).item<double>();
  };

  const double numeric = (moved(kH) - moved(-kH)) / (2 * kH);
  EXPECT_NEAR(numeric, analytic, 1e-5 * std::max(1.0, std::abs(analytic)));
}

// Only the passes of the loss itself move the running statistics, so the buffers are those of a
// network that saw nothing but the points on which it was trained.
TEST_P(EveryStep, MovesRunningStatisticsByItsOwnPassesAlone) {
  const auto model = network(model_);
  ModelStep step(*model, make_solver("rk4"), kContext.num_classes, kIds);

  objective_->loss(step, images(), labels());

  const auto expected = network(model_);
  expected->set_training(true);
  const engine::SolverSetup solver = make_solver("rk4");
  ode::Session session(solver.method, solver.options);
  for (const Tensor& point : step.points()) expected->forward(point, session);
  const auto buffers = model->buffers();
  if (model_ == "resnet") {
    EXPECT_FALSE(buffers.empty());
  }
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_TRUE(at::equal(buffers[i].tensor, expected->buffers()[i].tensor)) << buffers[i].name;
  }
}

// How often each objective feeds the statistics of its batch.
TEST(TrainingStep, FeedsRunningStatisticsAsOftenAsTheReference) {
  const std::map<std::string, std::size_t> passes = {
      {"cross_entropy", 1}, {"gaussian_noise", 1}, {"madry", 1}, {"trades", 3}};
  for (const auto& [id, expected] : passes) {
    const auto model = network("resnet");
    ModelStep step(*model, make_solver("rk4"), kContext.num_classes, kIds);

    objective(id)->loss(step, images(), labels());

    EXPECT_EQ(step.points().size(), expected) << id;
  }
}

// Samples that go through the network in a step, as docs/objectives.md has them: three steps of the
// inner attack, six samples.
TEST(TrainingStep, CostsWhatTheDocumentSays) {
  const std::map<std::string, std::pair<int, int>> passes = {{"cross_entropy", {1, 1}},
                                                             {"gaussian_noise", {1, 1}},
                                                             {"madry", {3 + 1, 3 + 1}},
                                                             {"trades", {3 + 4, 3 + 2}}};
  for (const auto& [id, expected] : passes) {
    const auto model = network("resnet");
    ModelStep step(*model, make_solver("rk4"), kContext.num_classes, kIds);

    step.backward(objective(id)->loss(step, images(), labels()));

    EXPECT_EQ(step.counters().forwards, 6 * expected.first) << id;
    EXPECT_EQ(step.counters().backwards, 6 * expected.second) << id;
  }
}

// Under an adaptive step size for the whole batch samples influence each other; a step works there
// too, and moves its points.
TEST(TrainingStep, WorksUnderABatchCoupledSolver) {
  for (const std::string id : {"madry", "trades"}) {
    const auto model = network("sonet");
    ModelStep step(*model, make_solver("bosh3"), kContext.num_classes, kIds);

    const Tensor loss = objective(id)->loss(step, images(), labels());
    step.backward(loss);

    EXPECT_TRUE(std::isfinite(loss.item<double>())) << id;
    const Tensor& point = step.points()[id == "trades" ? 1 : 0];
    EXPECT_GT(distance(point, images(), Norm::kLinf).min().item<double>(), 0.05) << id;
  }
}

}  // namespace
}  // namespace unmask::test::training_step_test
