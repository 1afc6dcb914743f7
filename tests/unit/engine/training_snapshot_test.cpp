#include "engine/training_snapshot.hpp"

#include <fstream>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"

namespace unmask::engine::training_snapshot_test {
namespace {

using ::testing::HasSubstr;

class Snapshot : public ::testing::Test {
 protected:
  void write() {
    TrainingSnapshot snapshot;
    snapshot.state = {{"loss", 0.1 + 0.2}, {"epoch", 3}};
    snapshot.add_part("network", {{"a/b", torch::tensor({1.0, 2.5}, torch::kDouble)}});
    snapshot.add_part("optimizer", {{"a/b/step", torch::tensor(7, torch::kLong)}});
    write_snapshot(place_, "cpu", snapshot);
  }

  // What is said when the snapshot is not used; "" when it is.
  std::string refusal(const SnapshotPlace& place, const std::string& device = "cpu") {
    ::testing::internal::CaptureStderr();
    const bool is_used = read_snapshot(place, device).has_value();
    const std::string text = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(is_used, text.empty()) << text;
    return text;
  }

  base::TempFolder folder_{"unmask-snapshot-"};
  SnapshotPlace place_ = snapshot_place(folder_.path(), std::string(64, 'a'));
};

TEST_F(Snapshot, ReadsWhatWasWritten) {
  write();

  const auto snapshot = read_snapshot(place_, "cpu");

  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->state.at("loss").get<double>(), 0.1 + 0.2);
  ASSERT_EQ(snapshot->part("network").size(), 1u);
  EXPECT_EQ(snapshot->part("network")[0].name, "a/b");
  EXPECT_TRUE(
      torch::equal(snapshot->part("network")[0].tensor, torch::tensor({1.0, 2.5}, torch::kDouble)));
  EXPECT_EQ(snapshot->part("optimizer")[0].tensor.item<std::int64_t>(), 7);
  EXPECT_TRUE(snapshot->part("best").empty());
}

TEST_F(Snapshot, ThatDoesNotExistIsNoneAndNoWarning) {
  ::testing::internal::CaptureStderr();

  EXPECT_FALSE(read_snapshot(place_, "cpu").has_value());
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_F(Snapshot, WithAnyChangedByteIsRefused) {
  write();
  const std::string bytes = base::read_file(place_.file);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    std::ofstream(place_.file, std::ios::binary) << changed;
    ASSERT_NE(refusal(place_), "") << "byte " << i;
  }
}

TEST_F(Snapshot, CutShortIsRefused) {
  write();
  std::filesystem::resize_file(place_.file, std::filesystem::file_size(place_.file) - 8);

  EXPECT_THAT(refusal(place_), HasSubstr("begins anew"));
}

TEST_F(Snapshot, OfAnotherCellIsRefused) {
  write();
  SnapshotPlace other = place_;
  other.key = std::string(64, 'b');

  EXPECT_THAT(refusal(other), HasSubstr("its key is"));
}

TEST_F(Snapshot, OfAnotherKindOfDeviceIsRefused) {
  write();

  EXPECT_THAT(refusal(place_, "cuda:0"), HasSubstr("its device is \"cpu\", needed is \"cuda\""));
}

}  // namespace
}  // namespace unmask::engine::training_snapshot_test
