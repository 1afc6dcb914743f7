// Data sets in studies: the host's options reach models and results, and content decides keys.

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "support/picture_files.hpp"

namespace unmask::test::datasets_test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A study that trains and evaluates one network on one data set.
// @param dataset  its plugin and parameters, as in a manifest
std::string manifest_with(const std::string& dataset) {
  return R"({
  "version": 1, "name": "data",
  "define": {
    "dataset": { "data": )" +
         dataset + R"( },
    "model": { "plain": { "plugin": "resnet", "params": { "channels": 4, "blocks": [1], "strides": [2] } } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 1, "batch_size": 5 } } },
    "solver": { "rk4": { "plugin": "rk4" } }
  },
  "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["*"], "seed": [0] } },
  "evaluate": { "matrix": { "checkpoint": ["*"], "solver": ["@train"], "seed": [0], "clean": true } }
}
)";
}

std::string strokes_with(const std::string& options) {
  return R"({ "plugin": "strokes", "params": { "train_count": 60, "test_count": 40, )" + options +
         " } }";
}

// Eight grey 4 x 4 images of two classes in the safetensors format; image i has the value
// `first` + i.
std::string tensors_bytes(int first) {
  std::string header = R"({"labels":{"dtype":"I64","shape":[8],"data_offsets":[0,64]},)"
                       R"("images":{"dtype":"U8","shape":[8,1,4,4],"data_offsets":[64,192]}})";
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  bytes += header;
  for (std::int64_t i = 0; i < 8; ++i) {
    const std::int64_t label = i % 2;
    bytes.append(reinterpret_cast<const char*>(&label), 8);
  }
  for (int i = 0; i < 8; ++i) bytes.append(16, static_cast<char>(first + i));
  return bytes;
}

TEST(DataOptions, ReachTheModelAndTheResults) {
  const Sandbox box;
  const auto manifest = box.write(
      "m.json", manifest_with(strokes_with(R"("classes": [7, 3], "channels": 3, "resize": 12)")));

  const Outcome outcome = box.run(manifest);

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  // Of 40 test images 4 are sevens and 4 are threes; the threes come first in the data set.
  EXPECT_EQ(box.ask("SELECT count(*) || ' ' || sum(label) FROM sample_outcome"), "8 4\n");
  EXPECT_EQ(box.ask("SELECT label FROM sample_outcome ORDER BY sample LIMIT 1"), "1\n");
}

TEST(DataOptions, ThatDoNotFitAreRefusedBeforeAnythingRuns) {
  const Sandbox box;
  const auto manifest = box.write("m.json", manifest_with(strokes_with(R"("classes": [7, 10])")));

  const Outcome outcome = box.run(manifest);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("there is no class 10, the data set has 0 to 9"));
}

TEST(DataOptions, ThatDifferAreOtherCells) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("a.json", manifest_with(strokes_with(R"("resize": 12)")))).code, 0);
  ASSERT_EQ(box.run(box.write("b.json", manifest_with(strokes_with(R"("resize": 14)")))).code, 0);

  EXPECT_EQ(box.ask("SELECT count(*) FROM cell"), "4\n");
}

TEST(TensorFiles, MayMoveWithoutRunningAnythingAgain) {
  const Sandbox box;
  const auto manifest = [&](const std::string& file) {
    return box.write(
        "m.json",
        manifest_with(R"({ "plugin": "tensors", "params": { "file": ")" + file + R"(" } })"));
  };
  box.write("a.safetensors", tensors_bytes(10));
  const Outcome first = box.run(manifest("a.safetensors"));
  ASSERT_EQ(first.code, 0) << first.err;
  fs::rename(box.path("a.safetensors"), box.path("b.safetensors"));

  const Outcome second = box.run(manifest("b.safetensors"));

  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_EQ(box.ask("SELECT count(*) FROM attempt"), "2\n");
}

TEST(TensorFiles, RunAgainWhenTheirContentChanges) {
  const Sandbox box;
  const auto manifest = box.write(
      "m.json", manifest_with(R"({ "plugin": "tensors", "params": { "file": "a.safetensors" } })"));
  box.write("a.safetensors", tensors_bytes(10));
  ASSERT_EQ(box.run(manifest).code, 0);
  box.write("a.safetensors", tensors_bytes(11));
  ASSERT_EQ(box.run(manifest).code, 0);

  EXPECT_EQ(box.ask("SELECT count(*) FROM cell"), "4\n");
}

TEST(TensorFiles, ForTestsAloneTrainNothing) {
  const Sandbox box;
  const auto manifest = box.write(
      "m.json", manifest_with(R"({ "plugin": "tensors", "params": { "test": "a.safetensors" } })"));
  box.write("a.safetensors", tensors_bytes(10));

  EXPECT_EQ(box.run(manifest).code, 1);
  EXPECT_THAT(box.ask("SELECT * FROM failures"), HasSubstr("the training split is empty"));
}

TEST(ImageFolders, AreTrainedOnAndEvaluated) {
  const Sandbox box;
  write_image_folder(box.path("pictures"));
  const auto manifest = box.write(
      "m.json",
      manifest_with(R"({ "plugin": "image_folder", "params": { "folder": "pictures" } })"));

  const Outcome outcome = box.run(manifest);

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(box.ask("SELECT count(*) FROM sample_outcome"), "4\n");
}

TEST(ImageFolders, WithADamagedFileNameIt) {
  const Sandbox box;
  write_image_folder(box.path("pictures"));
  box.write("pictures/train/dog/1.png", "GIF89a");
  const auto manifest = box.write(
      "m.json",
      manifest_with(R"({ "plugin": "image_folder", "params": { "folder": "pictures" } })"));

  const Outcome outcome = box.run(manifest);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("train/dog/1.png"));
}

}  // namespace
}  // namespace unmask::test::datasets_test
