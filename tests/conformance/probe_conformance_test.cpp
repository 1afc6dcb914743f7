// What every probe must keep: one named value per sample, the same every time, and the whole batch
// in order for a target whose samples influence each other.

#include <regex>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/plugin_list.hpp"
#include "support/attack_run.hpp"
#include "support/linear_target.hpp"
#include "unmask/probe.hpp"

namespace unmask::test {
namespace {

const auto kFloat = at::TensorOptions().dtype(at::kFloat);

struct Batch {
  Tensor x = SampleRandom(3, {0, 1, 2, 3}).uniform(at::empty({4, 1, 4, 4}, kFloat), 0, 1);
  Tensor y = at::tensor({0, 2, 1, 1}, at::kLong);
  Tensor weight = SampleRandom(4, {0, 1, 2}).normal(at::empty({3, 16}, kFloat));
  LinearTarget target() const { return {weight, at::zeros({3}, kFloat)}; }
};

class ProbeConformance : public testing::TestWithParam<std::string> {
 protected:
  static std::vector<ProbeValue> run(Target& target, const Batch& batch) {
    ProbeContext context = probe_context_for(batch.x);
    return make_plugin<Probe>("probe", GetParam())->measure(target, batch.x, batch.y, context);
  }
};

TEST_P(ProbeConformance, DeclaresASoundTable) {
  EXPECT_EQ(table_violation(plugin_descriptor("probe", GetParam()).info().params), std::nullopt);
}

TEST_P(ProbeConformance, ReadsEveryDeclaredParameter) {
  const PluginDescriptor descriptor = plugin_descriptor("probe", GetParam());
  const Params params(descriptor.info().params, {});
  const std::unique_ptr<Probe> instance(static_cast<Probe*>(descriptor.create(params, nullptr)));
  const Batch batch;
  LinearTarget target = batch.target();
  ProbeContext context = probe_context_for(batch.x);

  instance->measure(target, batch.x, batch.y, context);

  EXPECT_TRUE(params.unread().empty()) << params.unread().front();
}

TEST_P(ProbeConformance, GivesOneNumberPerSample) {
  const Batch batch;
  LinearTarget target = batch.target();

  for (const ProbeValue& value : run(target, batch)) {
    EXPECT_EQ(value.values.sizes(), at::IntArrayRef({4})) << value.name;
    EXPECT_TRUE(value.values.is_floating_point()) << value.name;
  }
}

TEST_P(ProbeConformance, GivesNamesInLowerSnakeCaseOnceEach) {
  const Batch batch;
  LinearTarget target = batch.target();
  std::set<std::string> names;

  const auto values = run(target, batch);

  ASSERT_FALSE(values.empty());
  for (const ProbeValue& value : values) {
    EXPECT_TRUE(std::regex_match(value.name, std::regex("[a-z][a-z0-9_]*"))) << value.name;
    EXPECT_TRUE(names.insert(value.name).second) << value.name;
  }
}

TEST_P(ProbeConformance, RepeatsItself) {
  const Batch batch;
  LinearTarget target = batch.target();

  const auto first = run(target, batch);
  const auto second = run(target, batch);

  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_TRUE(at::equal(first[i].values, second[i].values)) << first[i].name;
  }
}

TEST_P(ProbeConformance, LeavesItsInputAlone) {
  const Batch batch;
  const Tensor x = batch.x.clone();
  LinearTarget target = batch.target();

  run(target, batch);

  EXPECT_TRUE(at::equal(batch.x, x));
}

INSTANTIATE_TEST_SUITE_P(All, ProbeConformance, testing::ValuesIn(plugin_ids("probe")), id_of);

TEST(ProbeList, HoldsTheShippedProbe) {
  EXPECT_GE(plugin_ids("probe").size(), 1U);
}

}  // namespace
}  // namespace unmask::test
