// What every objective must keep: a finite scalar whose gradient reaches the parameters, the same
// one for the same step, whatever the order of the batch.

#include <torch/types.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "conformance/plugin_list.hpp"
#include "support/linear_step.hpp"

namespace unmask::test {
namespace {

const auto kFloat = at::TensorOptions().dtype(at::kFloat);

struct Batch {
  Tensor x = SampleRandom(3, {0, 1, 2, 3}).uniform(at::empty({4, 1, 4, 4}, kFloat), 0, 1);
  Tensor y = at::tensor({0, 2, 1, 1}, at::kLong);
  Tensor weight = SampleRandom(4, {0, 1, 2}).normal(at::empty({3, 16}, kFloat));
  std::vector<std::int64_t> ids = {0, 1, 2, 3};
};

class ObjectiveConformance : public testing::TestWithParam<std::string> {};

TEST_P(ObjectiveConformance, DeclaresASoundTable) {
  EXPECT_EQ(table_violation(plugin_descriptor("objective", GetParam()).info().params),
            std::nullopt);
}

TEST_P(ObjectiveConformance, ReadsEveryDeclaredParameter) {
  const PluginDescriptor descriptor = plugin_descriptor("objective", GetParam());
  const Params params(descriptor.info().params, {});
  const std::unique_ptr<Objective> instance(
      static_cast<Objective*>(descriptor.create(params, nullptr)));

  EXPECT_TRUE(params.unread().empty()) << params.unread().front();
}

TEST_P(ObjectiveConformance, GivesAFiniteScalar) {
  const Batch batch;
  LinearStep step(batch.weight, batch.ids);

  const Tensor loss = make_plugin<Objective>("objective", GetParam())->loss(step, batch.x, batch.y);

  EXPECT_EQ(loss.dim(), 0);
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
}

TEST_P(ObjectiveConformance, LetsTheGradientReachTheParameters) {
  const Batch batch;
  LinearStep step(batch.weight, batch.ids);

  make_plugin<Objective>("objective", GetParam())->loss(step, batch.x, batch.y).backward();

  ASSERT_TRUE(step.weight().grad().defined());
  EXPECT_GT(step.weight().grad().abs().max().item<double>(), 0.0);
}

TEST_P(ObjectiveConformance, KeepsTheTypeOfTheNetwork) {
  Batch batch;
  batch.x = batch.x.to(at::kDouble);
  LinearStep step(batch.weight.to(at::kDouble), batch.ids);

  const Tensor loss = make_plugin<Objective>("objective", GetParam())->loss(step, batch.x, batch.y);

  EXPECT_EQ(loss.scalar_type(), at::kDouble);
}

TEST_P(ObjectiveConformance, LeavesItsInputAlone) {
  const Batch batch;
  const Tensor x = batch.x.clone();
  LinearStep step(batch.weight, batch.ids);

  make_plugin<Objective>("objective", GetParam())->loss(step, batch.x, batch.y);

  EXPECT_TRUE(at::equal(batch.x, x));
  EXPECT_FALSE(batch.x.requires_grad());
}

TEST_P(ObjectiveConformance, RepeatsItselfForTheSameStep) {
  const Batch batch;
  LinearStep first(batch.weight, batch.ids);
  LinearStep second(batch.weight, batch.ids);
  const auto instance = make_plugin<Objective>("objective", GetParam());

  const Tensor a = instance->loss(first, batch.x, batch.y);
  const Tensor b = instance->loss(second, batch.x, batch.y);

  EXPECT_TRUE(at::equal(a, b));
}

TEST_P(ObjectiveConformance, GivesTheSameGradientForTheSameStep) {
  const Batch batch;
  LinearStep first(batch.weight, batch.ids);
  LinearStep second(batch.weight, batch.ids);
  const auto instance = make_plugin<Objective>("objective", GetParam());

  instance->loss(first, batch.x, batch.y).backward();
  instance->loss(second, batch.x, batch.y).backward();

  EXPECT_TRUE(at::equal(first.weight().grad(), second.weight().grad()));
}

TEST_P(ObjectiveConformance, DrawsNothingFromTheGlobalGenerator) {
  const Batch batch;
  LinearStep first(batch.weight, batch.ids);
  LinearStep second(batch.weight, batch.ids);
  const auto instance = make_plugin<Objective>("objective", GetParam());

  torch::manual_seed(1);
  const Tensor a = instance->loss(first, batch.x, batch.y);
  torch::manual_seed(2);
  const Tensor b = instance->loss(second, batch.x, batch.y);

  EXPECT_TRUE(at::equal(a, b));
}

// The mean over the batch, and draws that belong to samples: another order changes the order of a
// sum of four numbers alone, a few units of float64 rounding (1e-16 of losses below 10).
TEST_P(ObjectiveConformance, DoesNotDependOnTheOrderOfTheBatch) {
  Batch batch;
  batch.x = batch.x.to(at::kDouble);
  batch.weight = batch.weight.to(at::kDouble);
  const Tensor order = at::tensor({2, 0, 3, 1}, at::kLong);
  LinearStep straight(batch.weight, {0, 1, 2, 3});
  LinearStep shuffled(batch.weight, {2, 0, 3, 1});
  const auto instance = make_plugin<Objective>("objective", GetParam());

  const Tensor a = instance->loss(straight, batch.x, batch.y);
  const Tensor b =
      instance->loss(shuffled, batch.x.index_select(0, order), batch.y.index_select(0, order));

  EXPECT_NEAR(a.item<double>(), b.item<double>(), 1e-13);
}

TEST_P(ObjectiveConformance, AsksTheTargetAboutWholeBatches) {
  const Batch batch;
  LinearStep step(batch.weight, batch.ids);
  step.linear_target().coupled(0.1).recording();

  make_plugin<Objective>("objective", GetParam())->loss(step, batch.x, batch.y);

  for (const Call& call : step.linear_target().calls()) {
    ASSERT_EQ(call.x.size(0), batch.x.size(0));
    if (call.rows.defined()) {
      EXPECT_TRUE(at::equal(call.rows, at::arange(batch.x.size(0))));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All,
                         ObjectiveConformance,
                         testing::ValuesIn(plugin_ids("objective")),
                         id_of);

TEST(ObjectiveList, HoldsTheShippedObjectives) {
  EXPECT_GE(plugin_ids("objective").size(), 4U);
}

}  // namespace
}  // namespace unmask::test
