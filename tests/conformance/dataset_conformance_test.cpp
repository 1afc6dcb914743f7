// Every shipped data set keeps every claim of its kind, and its content hash follows the content and
// nothing else. Data sets that read files get small ones.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "conformance/claim.hpp"
#include "conformance/subjects.hpp"
#include "support/picture_files.hpp"
#include "support/tensor_files.hpp"
#include "support/tiny_datasets.hpp"
#include "unmask/dataset.hpp"

namespace unmask::test::dataset_conformance_test {
namespace {

namespace fs = std::filesystem;
using Values = std::map<std::string, ParamValue>;

/// A data set, and which of the ways to use it.
struct Case {
  std::string id;
  std::string variant;
};

// All data sets; those that know several ways come once for each.
std::vector<Case> cases() {
  static const std::map<std::string, std::vector<std::string>> kVariants = {
      {"image_folder", {"train_and_test", "fraction", "resized", "test_alone"}},
      {"strokes", {"easy", "standard", "hard", "extreme", "large"}},
      {"tensors", {"bytes", "numbers", "one_file", "test_alone"}}};
  std::vector<Case> all;
  for (const std::string& id : plugin_ids("dataset")) {
    const auto known = kVariants.find(id);
    if (known == kVariants.end()) {
      all.push_back({id, ""});
    } else {
      for (const std::string& variant : known->second) all.push_back({id, variant});
    }
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  return info.param.id + (info.param.variant.empty() ? "" : "_" + info.param.variant);
}

// Make the last byte of a file another one.
void change_last_byte(const fs::path& file) {
  std::string bytes = read_file(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_file(file, bytes);
}

// Files of a case in a folder; empty for a data set of which nothing is known.
// @param is_changed  one pixel or draw is another one than without
std::optional<Values> small_example(const Case& which, const fs::path& folder, bool is_changed) {
  const std::string& id = which.id;
  const Values in_folder = {{"folder", folder.string()}};
  if (id == "cifar10") {
    write_cifar10(folder);
    if (is_changed) change_last_byte(folder / "test_batch.bin");
    return in_folder;
  }
  if (id == "cifar100") {
    write_cifar100(folder);
    if (is_changed) change_last_byte(folder / "test.bin");
    return in_folder;
  }
  if (id == "mnist") {
    write_mnist(folder);
    if (is_changed) change_last_byte(folder / "t10k-images-idx3-ubyte");
    return in_folder;
  }
  if (id == "image_folder") {
    write_image_folder(folder);
    if (is_changed) write_grey_png(folder / "test/dog/1.png", 4, 6, 99);
    Values values = in_folder;
    if (which.variant == "fraction") {
      const fs::path classes = folder / "train";
      for (int i = 3; i < 20; ++i) {
        for (const auto& [name, value] : {std::pair{"cat", 100}, std::pair{"dog", 130}}) {
          write_grey_png(classes / name / (std::to_string(i) + ".png"), 4, 6, value + i);
        }
      }
      if (is_changed) write_grey_png(classes / "dog/1.png", 4, 6, 99);
      values["folder"] = classes.string();
      values["test_fraction"] = 0.5;
    }
    if (which.variant == "resized") values["size"] = std::int64_t{5};
    if (which.variant == "test_alone") fs::remove_all(folder / "train");
    return values;
  }
  if (id == "tensors") {
    const auto type = which.variant == "numbers" ? at::kFloat : at::kByte;
    Tensor images = torch::arange(6 * 3 * 4 * 5).remainder(256).to(torch::kByte).view({6, 3, 4, 5});
    if (is_changed) images[5][2][3][4] += 1;
    images = type == at::kFloat ? images.to(type) / 255 : images;
    const Tensor labels = torch::arange(6).remainder(3);
    const fs::path train = folder / "train.safetensors";
    const fs::path test = folder / "test.safetensors";
    write_tensors(train, images, labels);
    write_tensors(test, images.narrow(0, 4, 2), labels.narrow(0, 4, 2));
    if (which.variant == "one_file") return Values{{"file", train.string()}};
    if (which.variant == "test_alone") return Values{{"test", test.string()}};
    return Values{{"train", train.string()}, {"test", test.string()}};
  }
  if (id == "strokes") {
    const bool is_large = which.variant == "large";
    return Values{{"train_count", std::int64_t{30}},
                  {"test_count", std::int64_t{20}},
                  {"size", std::int64_t{is_large ? 28 : 20}},
                  {"difficulty", is_large ? "standard" : which.variant},
                  {"test_seed", std::int64_t{is_changed ? 3 : 2}}};
  }
  return std::nullopt;
}

class DatasetConformance : public testing::TestWithParam<Case> {
 protected:
  // Skips the test for a data set that nothing is known of and that cannot do without.
  void SetUp() override {
    if (const auto values = small_example(GetParam(), folder_.path(), false)) {
      values_ = *values;
      return;
    }
    for (const ParamSpec& spec : descriptor().info().params) {
      if (spec.is_required()) GTEST_SKIP() << "no example files for data set " << GetParam().id;
    }
  }

  static const PluginDescriptor& descriptor() {
    return plugin_descriptor("dataset", GetParam().id);
  }
  static std::unique_ptr<Dataset> make(const Values& values) {
    return make_plugin<Dataset>("dataset", GetParam().id, values);
  }
  std::unique_ptr<Dataset> make() const { return make(values_); }

  TempFolder folder_;
  Values values_;
};

TEST_P(DatasetConformance, KeepsEveryClaim) {
  const conformance::Subject subject = subject_of("dataset", GetParam().id, values_);
  for (const auto& claims :
       {conformance::declaration_claims(), conformance::claims_of("dataset")}) {
    for (const conformance::Claim& claim : claims) {
      for (const std::string& problem : conformance::try_claim(claim, subject).problems) {
        ADD_FAILURE() << claim.words << ": " << problem;
      }
    }
  }
}

TEST_P(DatasetConformance, HashesAlikeWhereverTheContentLies) {
  const TempFolder elsewhere;
  const fs::path deep = elsewhere.path() / "deep";
  fs::create_directory(deep);
  const auto moved = small_example(GetParam(), deep, false);
  if (!moved) GTEST_SKIP() << "no example files for data set " << GetParam().id;

  EXPECT_EQ(make(*moved)->content_hash(), make()->content_hash());
}

TEST_P(DatasetConformance, HashesAnotherContentToAnotherHash) {
  const TempFolder elsewhere;
  const auto changed = small_example(GetParam(), elsewhere.path(), true);
  if (!changed) GTEST_SKIP() << "no example files for data set " << GetParam().id;

  EXPECT_NE(make(*changed)->content_hash(), make()->content_hash());
}

INSTANTIATE_TEST_SUITE_P(All, DatasetConformance, testing::ValuesIn(cases()), name_of);

TEST(DatasetList, HoldsTheShippedDataSets) {
  EXPECT_GE(plugin_ids("dataset").size(), 6U);
}

}  // namespace
}  // namespace unmask::test::dataset_conformance_test
