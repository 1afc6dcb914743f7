#include "cli/execution.hpp"

#include <algorithm>
#include <cstddef>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/machine.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli::execution_test {
namespace {

using ::testing::ElementsAre;

TEST(Execution, UsesOneSingleThreadedWorkerPerProcessorOnTheCpu) {
  const Execution e = decide_execution("cpu", std::nullopt, {}, 0);

  EXPECT_EQ(e.devices.size(), static_cast<std::size_t>(usable_processors()));
  EXPECT_EQ(e.threads, 1);
}

TEST(Execution, AutoPrefersCudaAndFallsBackToTheCpu) {
  EXPECT_THAT(decide_execution("auto", 2, {}, 2).devices, ElementsAre("cuda:0", "cuda:1"));
  EXPECT_THAT(decide_execution("auto", 1, {}, 0).devices, ElementsAre("cpu"));
}

TEST(Execution, DealsWorkersRoundAmongDevices) {
  EXPECT_THAT(decide_execution("cuda", 3, {}, 2).devices,
              ElementsAre("cuda:0", "cuda:1", "cuda:0"));
  EXPECT_THAT(decide_execution("cuda:1", 2, {}, 2).devices, ElementsAre("cuda:1", "cuda:1"));
}

// Slots for as many as might share each, dealt round; how many get a worker is for the run to say.
TEST(Execution, HasRoomForWorkersThatShareGpus) {
  const Execution e = decide_execution("cuda", std::nullopt, {}, 2);
  const auto each = static_cast<std::size_t>(std::clamp(usable_processors() / 2, 1, 4));

  ASSERT_EQ(e.devices.size(), 2 * each);
  EXPECT_EQ(std::count(e.devices.begin(), e.devices.end(), "cuda:1"),
            static_cast<std::ptrdiff_t>(each));
  EXPECT_EQ(e.devices.at(1), "cuda:1");
  EXPECT_TRUE(e.by_memory);
  EXPECT_EQ(e.sure_workers(), 2U);
}

TEST(Execution, AsksNoMemoryWhereSomebodySaysHowMany) {
  EXPECT_FALSE(decide_execution("cuda", 3, {}, 2).by_memory);
  EXPECT_FALSE(decide_execution("cpu", std::nullopt, {}, 0).by_memory);
}

TEST(Execution, CommandLineOverridesTheManifest) {
  manifest::RunSettings settings;
  settings.workers = 4;

  EXPECT_EQ(decide_execution("cpu", std::nullopt, settings, 0).devices.size(), 4u);
  EXPECT_EQ(decide_execution("cpu", 2, settings, 0).devices.size(), 2u);
}

TEST(Execution, RefusesDevicesThatAreNotThere) {
  EXPECT_THROW(decide_execution("cuda", std::nullopt, {}, 0), UsageError);
  EXPECT_THROW(decide_execution("cuda:2", std::nullopt, {}, 2), UsageError);
  EXPECT_THROW(decide_execution("cuda:x", std::nullopt, {}, 2), UsageError);
  EXPECT_THROW(decide_execution("gpu", std::nullopt, {}, 2), UsageError);
  EXPECT_THROW(decide_execution("cpu", 0, {}, 0), UsageError);
}

TEST(Execution, SaysHowItRuns) {
  EXPECT_EQ(decide_execution("cpu", 2, {}, 0).text(), "2 workers x 1 thread on cpu");
  const Execution shared{
      .devices = {"cuda:0", "cuda:0", "cuda:0", "cuda:0"}, .threads = 1, .by_memory = true};
  EXPECT_EQ(shared.text(), "1 to 4 workers x 1 thread on cuda:0, as memory allows");
}

}  // namespace
}  // namespace unmask::cli::execution_test
