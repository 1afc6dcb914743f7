// What every data set must keep: the description is what loading gives, labels are in range, and
// the content hash is stable. Data sets that read files get small ones.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/plugin_list.hpp"
#include "support/tiny_datasets.hpp"
#include "unmask/dataset.hpp"

namespace unmask::test {
namespace {

class DatasetConformance : public testing::TestWithParam<std::string> {
 protected:
  // Values under which the data set is small. Skips the test for one that nothing is known of.
  void SetUp() override {
    if (GetParam() == "cifar10") write_cifar10(folder_.path());
    if (GetParam() == "cifar100") write_cifar100(folder_.path());
    if (GetParam() == "mnist") write_mnist(folder_.path());
    for (const ParamSpec& spec : descriptor().info().params) {
      if (spec.name == "train_count") values_["train_count"] = std::int64_t{30};
      if (spec.name == "test_count") values_["test_count"] = std::int64_t{20};
      if (!spec.is_required()) continue;
      if (spec.name == "folder" && !std::filesystem::is_empty(folder_.path())) {
        values_["folder"] = folder_.path().string();
      } else {
        GTEST_SKIP() << "no example files for data set " << GetParam();
      }
    }
  }

  static const PluginDescriptor& descriptor() { return plugin_descriptor("dataset", GetParam()); }
  std::unique_ptr<Dataset> make() const {
    return make_plugin<Dataset>("dataset", GetParam(), values_);
  }

  TempFolder folder_;
  std::map<std::string, ParamValue> values_;
};

TEST_P(DatasetConformance, DeclaresASoundTable) {
  EXPECT_EQ(table_violation(descriptor().info().params), std::nullopt);
}

TEST_P(DatasetConformance, ReadsEveryDeclaredParameter) {
  const Params params(descriptor().info().params, values_);
  const std::unique_ptr<Dataset> set(static_cast<Dataset*>(descriptor().create(params, nullptr)));

  EXPECT_TRUE(params.unread().empty()) << params.unread().front();
}

TEST_P(DatasetConformance, LoadsWhatItDescribes) {
  const auto set = make();
  const DatasetInfo info = set->describe();

  for (const Split split : {Split::kTrain, Split::kTest}) {
    const Samples samples = set->load(split);
    const std::int64_t count = split == Split::kTrain ? info.train_count : info.test_count;
    EXPECT_EQ(samples.images.sizes(),
              at::IntArrayRef({count, info.channels, info.height, info.width}));
    EXPECT_EQ(samples.labels.sizes(), at::IntArrayRef({count}));
    EXPECT_EQ(samples.labels.scalar_type(), at::kLong);
    EXPECT_GE(samples.labels.min().item<std::int64_t>(), 0);
    EXPECT_LT(samples.labels.max().item<std::int64_t>(), info.num_classes);
  }
}

TEST_P(DatasetConformance, GivesBytesOrNumbersBetweenZeroAndOne) {
  const Samples samples = make()->load(Split::kTest);

  if (samples.images.scalar_type() == at::kByte) return;
  EXPECT_EQ(samples.images.scalar_type(), at::kFloat);
  EXPECT_GE(samples.images.min().item<double>(), 0.0);
  EXPECT_LE(samples.images.max().item<double>(), 1.0);
}

TEST_P(DatasetConformance, NamesEveryClass) {
  const DatasetInfo info = make()->describe();

  EXPECT_EQ(static_cast<std::int64_t>(info.class_names.size()), info.num_classes);
  EXPECT_EQ(std::set<std::string>(info.class_names.begin(), info.class_names.end()).size(),
            info.class_names.size());
}

TEST_P(DatasetConformance, HashesItsContentAlikeEveryTime) {
  const std::string hash = make()->content_hash();

  EXPECT_EQ(hash.size(), 64U);
  EXPECT_EQ(make()->content_hash(), hash);
}

TEST_P(DatasetConformance, LoadsTheSameEveryTime) {
  const Samples first = make()->load(Split::kTrain);
  const Samples second = make()->load(Split::kTrain);

  EXPECT_TRUE(at::equal(first.images, second.images));
  EXPECT_TRUE(at::equal(first.labels, second.labels));
}

INSTANTIATE_TEST_SUITE_P(All, DatasetConformance, testing::ValuesIn(plugin_ids("dataset")), id_of);

TEST(DatasetList, HoldsTheShippedDataSets) {
  EXPECT_GE(plugin_ids("dataset").size(), 4U);
}

}  // namespace
}  // namespace unmask::test
