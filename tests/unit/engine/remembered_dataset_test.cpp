// What a data set says and holds, kept between processes: asked once, and again when a file changes.

#include "engine/remembered_dataset.hpp"

#include <chrono>
#include <filesystem>
#include <functional>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::remembered_dataset_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Counts what it is asked.
struct Counts {
  int described = 0, hashed = 0, loaded = 0;
};

class CountingDataset final : public Dataset {
 public:
  CountingDataset(Counts& counts, std::function<void()> while_loading)
      : counts_(counts), while_loading_(std::move(while_loading)) {}
  DatasetInfo describe() override {
    ++counts_.described;
    return {.channels = 1,
            .height = 2,
            .width = 2,
            .num_classes = 2,
            .train_count = 3,
            .test_count = 2,
            .class_names = {"a", "b"}};
  }
  std::string content_hash() override {
    ++counts_.hashed;
    return std::string(64, 'c');
  }
  Samples load(Split split) override {
    ++counts_.loaded;
    while_loading_();
    const std::int64_t n = split == Split::kTrain ? 3 : 2;
    return {at::arange(4 * n).to(at::kByte).view({n, 1, 2, 2}), at::ones({n}, at::kLong)};
  }

 private:
  Counts& counts_;
  std::function<void()> while_loading_;
};

class RememberedDatasetTest : public ::testing::Test {
 protected:
  RememberedDatasetTest() {
    plugin_.kind = "dataset";
    plugin_.id = "counting";
    plugin_.fingerprint = "f";
    plugin_.file_sha256 = "s";
    plugin_.params = {path("folder", "where it lies")};
    plugin_.capabilities = {"content_from_params"};
    // A file that has rested: one of the system's, reached through a link that can be turned.
    fs::create_symlink("/usr/bin/env", folder_.path() / "data");
  }

  // A data set as another process would see it.
  std::unique_ptr<Dataset> open() {
    return remembered(std::make_unique<CountingDataset>(counts_, while_loading_),
                      plugin_,
                      {{"folder", (folder_.path() / "data").string()}, {"test_limit", 5}},
                      {base::Cache(folder_.path() / "cache"),
                       folder_.path() / "cache" / "images",
                       worth_keeping_});
  }

  void ask_everything() {
    const auto dataset = open();
    EXPECT_EQ(dataset->content_hash(), std::string(64, 'c'));
    EXPECT_EQ(dataset->describe().class_names, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(dataset->describe().test_count, 2);
  }

  std::function<void()> while_loading_ = [] {};
  std::chrono::milliseconds worth_keeping_{0};
  base::TempFolder folder_;
  catalog::PluginRecord plugin_;
  Counts counts_;
};

TEST_F(RememberedDatasetTest, IsHashedAndDescribedOnce) {
  ask_everything();
  ask_everything();

  EXPECT_EQ(counts_.hashed, 1);
  EXPECT_EQ(counts_.described, 1);
}

TEST_F(RememberedDatasetTest, IsAskedAgainWhenItsFilesAreOthers) {
  ask_everything();
  fs::remove(folder_.path() / "data");
  fs::create_symlink("/usr/bin/tail", folder_.path() / "data");

  ask_everything();

  EXPECT_EQ(counts_.hashed, 2);
}

TEST_F(RememberedDatasetTest, IsAskedAgainByAnotherLibrary) {
  ask_everything();
  plugin_.file_sha256 = "another";

  ask_everything();

  EXPECT_EQ(counts_.hashed, 2);
}

TEST_F(RememberedDatasetTest, IsAlwaysAskedWhenItDoesNotSayWhatItDependsOn) {
  plugin_.capabilities.clear();
  ask_everything();
  ask_everything();

  EXPECT_EQ(counts_.hashed, 2);
}

TEST_F(RememberedDatasetTest, GivesItsImagesFromACopy) {
  const Samples first = open()->load(Split::kTrain);
  const Samples again = open()->load(Split::kTrain);

  EXPECT_EQ(counts_.loaded, 1);
  EXPECT_TRUE(torch::equal(first.images, again.images));
  EXPECT_TRUE(torch::equal(first.labels, again.labels));
  EXPECT_EQ(again.images.scalar_type(), at::kByte);
  EXPECT_EQ(open()->load(Split::kTest).images.size(0), 2);
}

TEST_F(RememberedDatasetTest, DoesNotUseACopyThatIsDamaged) {
  open()->load(Split::kTrain);
  for (const auto& entry : fs::directory_iterator(folder_.path() / "cache" / "images")) {
    std::string bytes = base::read_file(entry.path());
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    base::write_file_atomically(entry.path(), bytes);
  }

  const Samples again = open()->load(Split::kTrain);

  EXPECT_EQ(counts_.loaded, 2);
  EXPECT_TRUE(torch::equal(again.labels, at::ones({3}, at::kLong)));
}

TEST_F(RememberedDatasetTest, KeepsNoCopyOfWhatIsQuicklyRead) {
  worth_keeping_ = std::chrono::hours(1);
  open()->load(Split::kTrain);
  open()->load(Split::kTrain);

  EXPECT_EQ(counts_.loaded, 2);
}

TEST_F(RememberedDatasetTest, NoticesFilesThatChangeWhileTheyAreRead) {
  while_loading_ = [&] {
    fs::remove(folder_.path() / "data");
    fs::create_symlink("/usr/bin/tail", folder_.path() / "data");
  };
  try {
    open()->load(Split::kTrain);
    FAIL() << "it was loaded";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("changed while they were read"));
  }
}

}  // namespace
}  // namespace unmask::engine::remembered_dataset_test
