// How many workers share a GPU: one until a cell was measured, then as many as its memory holds.

#include "run/device_shares.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_fixture.hpp"

namespace unmask::run::device_shares_test {
namespace {

using nlohmann::json;
using ::testing::Le;
using ::testing::SizeIs;

constexpr std::int64_t kGib = std::int64_t{1} << 30;

const std::vector<std::string> kOneGpu = {"cuda:0", "cuda:0", "cuda:0", "cuda:0"};

TEST(DeviceShares, DecideNothingWithoutDevices) {
  DeviceShares shares({});
  shares.learn_room(0, kGib);
  shares.learn_peak(64 * kGib);
  shares.ran_out(0, 3);

  EXPECT_GT(shares.limit(0), 1000U);
  EXPECT_EQ(shares.capacity(3), 3U);
}

TEST(DeviceShares, LetOneWorkerBegin) {
  DeviceShares shares(kOneGpu);

  EXPECT_EQ(shares.limit(0), 1U) << "nothing is known";
  shares.learn_room(0, 80 * kGib);
  EXPECT_EQ(shares.limit(0), 1U) << "nobody knows what a cell takes";
}

// 90 % of 20 GiB hold three cells of 4 GiB in processes that take 1 GiB besides: 18 / 5.
TEST(DeviceShares, HoldAsManyAsTheMemory) {
  DeviceShares shares(kOneGpu);
  shares.learn_room(0, 20 * kGib);
  shares.learn_peak(4 * kGib);

  EXPECT_EQ(shares.limit(3), 3U);
  EXPECT_EQ(shares.capacity(4), 3U);
}

TEST(DeviceShares, GoByTheLargestCell) {
  DeviceShares shares(kOneGpu, 2 * kGib);
  shares.learn_room(0, 20 * kGib);
  EXPECT_EQ(shares.limit(0), 6U);

  shares.learn_peak(8 * kGib);
  shares.learn_peak(kGib);

  EXPECT_EQ(shares.limit(0), 2U);
}

TEST(DeviceShares, LetALargeCellRunAllTheSame) {
  DeviceShares shares(kOneGpu, 100 * kGib);
  shares.learn_room(0, kGib);

  EXPECT_EQ(shares.limit(0), 1U);
  shares.learn_peak(std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(shares.limit(0), 1U) << "whatever a worker says";
}

// What a second worker finds free is what the first one has left, and other programs.
TEST(DeviceShares, TakeTheFirstWordAboutADevice) {
  DeviceShares shares(kOneGpu, kGib);
  shares.learn_room(0, 20 * kGib);
  shares.learn_room(1, 2 * kGib);

  EXPECT_EQ(shares.limit(0), 9U);
}

TEST(DeviceShares, AreOfEachDevice) {
  DeviceShares shares({"cuda:0", "cuda:1", "cuda:0", "cuda:1"}, kGib);
  shares.learn_room(0, 20 * kGib);
  shares.learn_room(1, 2 * kGib);

  EXPECT_EQ(shares.limit(2), 9U);
  EXPECT_EQ(shares.limit(3), 1U);
  EXPECT_EQ(shares.capacity(4), 3U) << "two slots of the first, one of the second";
  EXPECT_TRUE(shares.is_same_device(0, 2));
  EXPECT_FALSE(shares.is_same_device(0, 1));
}

TEST(DeviceShares, GetOneWorkerLessWhereACellRanOutOfMemory) {
  DeviceShares shares({"cuda:0", "cuda:1", "cuda:0", "cuda:1"}, kGib);
  shares.learn_room(0, 20 * kGib);
  shares.learn_room(1, 20 * kGib);

  shares.ran_out(0, 3);
  EXPECT_EQ(shares.limit(0), 2U);
  EXPECT_EQ(shares.limit(1), 9U);
  shares.ran_out(0, 2);
  shares.ran_out(0, 1);
  EXPECT_EQ(shares.limit(0), 1U) << "never fewer";
}

// --- in a run ---

class SharedGpuTest : public RunTest {
 protected:
  // @param free  bytes that workers find
  void share_one_gpu(int workers, std::int64_t free) {
    options.workers = workers;
    options.devices.assign(static_cast<std::size_t>(workers), "cuda:0");
    start_workers_with("free:" + std::to_string(free));
  }

  static json taking(std::int64_t bytes) { return {{"device_bytes", bytes}}; }

  // Two cells neither of which ends before the other has begun.
  std::vector<wire::Cell> pair_that_meets() {
    return {fake_cell("b", {{"do", "meet"}, {"marker", marker("b")}, {"other", marker("c")}}),
            fake_cell("c", {{"do", "meet"}, {"marker", marker("c")}, {"other", marker("b")}})};
  }
};

TEST_F(SharedGpuTest, OthersJoinWhenTheFirstCellWasMeasured) {
  share_one_gpu(2, 16 * kGib);
  std::vector<wire::Cell> plan = pair_that_meets();
  plan.insert(plan.begin(), fake_cell("a", taking(kGib)));

  const RunSummary summary = run(plan);

  EXPECT_TRUE(summary.is_complete());
  EXPECT_EQ(recorder.events.at(0), "start a");
  EXPECT_EQ(recorder.events.at(1), "done a") << "nobody else before";
  EXPECT_NE(recorder.pids.at("b"), recorder.pids.at("c"));
}

TEST_F(SharedGpuTest, AllBeginAtOnceWhereCellsWereMeasuredBefore) {
  share_one_gpu(2, 16 * kGib);
  options.costs = {{1, true, kGib}, {1, true, kGib}};

  EXPECT_TRUE(run(pair_that_meets()).is_complete());
}

TEST_F(SharedGpuTest, OneWorkerDoesAllWhereMemoryHoldsNoSecond) {
  share_one_gpu(3, 4 * kGib);

  const RunSummary summary = run({fake_cell("a", taking(2 * kGib)),
                                  fake_cell("b", taking(2 * kGib)),
                                  fake_cell("c", taking(2 * kGib))});

  EXPECT_TRUE(summary.is_complete());
  EXPECT_THAT(std::set<int>(recorder.starts.begin(), recorder.starts.end()), SizeIs(1));
}

// The second worker leaves when a larger cell shows that there is no room for it.
TEST_F(SharedGpuTest, WorkersThatAreTooManyLeave) {
  share_one_gpu(2, 16 * kGib);
  std::vector<wire::Cell> plan = pair_that_meets();
  plan.insert(plan.begin(), fake_cell("a", taking(kGib)));
  plan.at(1).spec.set("device_bytes", 12 * kGib);
  for (const char* key : {"d", "e", "f", "g"}) {
    plan.push_back(fake_cell(key, taking(kGib), wire::CellKind::kAttack));
  }

  const RunSummary summary = run(plan);

  EXPECT_TRUE(summary.is_complete());
  // Whoever has a cell when "b" is done keeps it; from then on one worker begins all others.
  const auto b_is_done = recorder.events.begin() + recorder.position("done b");
  const auto before =
      std::count_if(recorder.events.begin(), b_is_done, [](const std::string& event) {
        return event.starts_with("start");
      });
  const std::set<int> after(recorder.starts.begin() + before, recorder.starts.end());
  EXPECT_THAT(after, SizeIs(Le(1)));
}

}  // namespace
}  // namespace unmask::run::device_shares_test
