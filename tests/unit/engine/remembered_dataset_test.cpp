// What a data set says and holds, kept between processes: asked once, and again when a file changes.

#include "engine/remembered_dataset.hpp"

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

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

// ---- with a file of its own, whose bytes are the pixels

class FileDataset final : public Dataset {
 public:
  FileDataset(fs::path file, Counts& counts) : file_(std::move(file)), counts_(counts) {}
  DatasetInfo describe() override {
    ++counts_.described;
    const auto count = static_cast<std::int64_t>(fs::file_size(file_) / 4);
    return {.channels = 1,
            .height = 2,
            .width = 2,
            .num_classes = 2,
            .train_count = count,
            .test_count = count,
            .class_names = {"a", "b"}};
  }
  std::string content_hash() override {
    ++counts_.hashed;
    return sha256_file(file_);
  }
  Samples load(Split) override {
    ++counts_.loaded;
    const std::string bytes = base::read_file(file_);
    const auto count = static_cast<std::int64_t>(bytes.size() / 4);
    const Tensor images = at::empty({count, 1, 2, 2}, at::kByte);
    std::memcpy(images.data_ptr(), bytes.data(), bytes.size());
    return {images, at::arange(count).remainder(2)};
  }

 private:
  fs::path file_;
  Counts& counts_;
};

class RememberedFileTest : public ::testing::Test {
 protected:
  RememberedFileTest() {
    plugin_.kind = "dataset";
    plugin_.id = "file";
    plugin_.fingerprint = "f";
    plugin_.file_sha256 = "s";
    plugin_.params = {path("file", "where it is")};
    plugin_.capabilities = {"content_from_params"};
    fill('a');
  }

  fs::path file() const { return folder_.path() / "data"; }
  fs::path answers() const { return folder_.path() / "cache"; }
  fs::path pictures() const { return answers() / "images"; }

  // 64 images of equal pixels.
  void fill(char value) const { base::write_file_atomically(file(), std::string(256, value)); }

  // A data set as another process would see it, so much later that all files have rested.
  std::unique_ptr<Dataset> open() {
    DatasetMemory memory{base::Cache(answers()), pictures(), std::chrono::milliseconds(0)};
    memory.most_bytes = most_bytes_;
    memory.now = std::chrono::system_clock::now() + later_;
    return remembered(std::make_unique<FileDataset>(file(), counts_),
                      plugin_,
                      {{"file", file().string()}},
                      std::move(memory));
  }

  // What all pixels are, as a process learns it that asks for everything.
  char pixel() {
    const auto dataset = open();
    EXPECT_EQ(dataset->describe().train_count, 64);
    return static_cast<char>(dataset->load(Split::kTrain).images[0][0][0][0].item<int>());
  }

  std::vector<fs::path> copies() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(pictures())) {
      if (entry.path().extension() == ".images") found.push_back(entry.path());
    }
    return found;
  }

  std::uintmax_t kept_bytes() const {
    std::uintmax_t total = 0;
    for (const fs::path& copy : copies()) total += fs::file_size(copy);
    return total;
  }

  // Everything kept so far was last used that long ago, what was used before that longer ago.
  void age(std::chrono::hours by) const {
    for (const fs::path& copy : copies()) {
      fs::last_write_time(copy, fs::last_write_time(copy) - by);
    }
  }

  std::uintmax_t most_bytes_ = 1 << 20;
  std::chrono::seconds later_{10};
  base::TempFolder folder_;
  catalog::PluginRecord plugin_;
  Counts counts_;
};

TEST_F(RememberedFileTest, AnswersFromMemoryWhatItAnsweredFirst) {
  Counts uncounted;
  FileDataset original(file(), uncounted);
  const Samples wanted = original.load(Split::kTrain);
  for (int process = 0; process < 3; ++process) {
    const auto dataset = open();
    EXPECT_EQ(dataset->content_hash(), original.content_hash());
    EXPECT_EQ(dataset->describe().train_count, 64);
    const Samples samples = dataset->load(Split::kTrain);
    EXPECT_TRUE(torch::equal(samples.images, wanted.images));
    EXPECT_TRUE(torch::equal(samples.labels, wanted.labels));
  }

  EXPECT_EQ(counts_.hashed, 1);
  EXPECT_EQ(counts_.described, 1);
  EXPECT_EQ(counts_.loaded, 1);
}

TEST_F(RememberedFileTest, NoticesAFileOfEqualSizeThatWasWrittenLater) {
  const auto time = fs::last_write_time(file());
  EXPECT_EQ(pixel(), 'a');
  {
    std::ofstream in_place(file(), std::ios::binary | std::ios::in);
    in_place << std::string(256, 'b');
  }
  fs::last_write_time(file(), time + std::chrono::seconds(1));

  EXPECT_EQ(pixel(), 'b');
  EXPECT_EQ(open()->content_hash(), sha256_file(file()));
}

TEST_F(RememberedFileTest, NoticesAnotherFileOfEqualSizeAndTime) {
  const auto time = fs::last_write_time(file());
  EXPECT_EQ(pixel(), 'a');
  fill('b');
  fs::last_write_time(file(), time);

  EXPECT_EQ(pixel(), 'b');
  EXPECT_EQ(open()->content_hash(), sha256_file(file()));
}

TEST_F(RememberedFileTest, DoesNotVouchForAFileThatHasJustChanged) {
  later_ = std::chrono::seconds(0);
  pixel();
  pixel();

  EXPECT_EQ(counts_.hashed, 2);
  EXPECT_EQ(counts_.loaded, 2);
}

TEST_F(RememberedFileTest, WorksOutAgainWhatIsDamaged) {
  const std::string hash = open()->content_hash();
  EXPECT_EQ(pixel(), 'a');
  for (const auto& entry : fs::recursive_directory_iterator(answers())) {
    if (!entry.is_regular_file()) continue;
    std::string bytes = base::read_file(entry.path());
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    base::write_file_atomically(entry.path(), bytes);
  }
  counts_ = {};

  EXPECT_EQ(open()->content_hash(), hash);
  EXPECT_EQ(pixel(), 'a');
  EXPECT_GE(counts_.hashed, 1);
  EXPECT_EQ(counts_.loaded, 1);
  EXPECT_EQ(pixel(), 'a');
  EXPECT_EQ(counts_.loaded, 1) << "the damaged copy was not replaced";
}

TEST_F(RememberedFileTest, KeepsNoMoreThanItsBound) {
  pixel();
  const std::uintmax_t one = kept_bytes();
  most_bytes_ = 2 * one;
  for (const char value : {'b', 'c', 'd', 'e'}) {
    age(std::chrono::hours(1));
    fill(value);
    EXPECT_EQ(pixel(), value);
    EXPECT_LE(kept_bytes(), most_bytes_);
  }

  EXPECT_EQ(copies().size(), 2U);
}

TEST_F(RememberedFileTest, LosesWhatWasNotUsedForLongest) {
  pixel();
  most_bytes_ = 2 * kept_bytes();
  age(std::chrono::hours(1));
  fill('b');
  pixel();
  age(std::chrono::hours(1));
  fill('a');
  pixel();  // uses the older one
  fill('c');
  pixel();
  counts_ = {};

  fill('a');
  EXPECT_EQ(pixel(), 'a');
  EXPECT_EQ(counts_.loaded, 0);
  fill('b');
  EXPECT_EQ(pixel(), 'b');
  EXPECT_EQ(counts_.loaded, 1);
}

TEST_F(RememberedFileTest, KeepsNothingThatFillsMoreThanHalfOfTheBound) {
  most_bytes_ = 2 * 256 - 1;
  pixel();
  pixel();

  EXPECT_EQ(counts_.loaded, 2);
}

TEST_F(RememberedFileTest, RemovesWhatAKilledProcessLeftHalfWritten) {
  fs::create_directories(pictures());
  const fs::path old = pictures() / ".1.images.1-0.tmp", fresh = pictures() / ".2.images.1-0.tmp";
  base::write_file_atomically(old, "x");
  base::write_file_atomically(fresh, "x");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));

  pixel();

  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(fresh)) << "another process may be writing it";
}

}  // namespace
}  // namespace unmask::engine::remembered_dataset_test
