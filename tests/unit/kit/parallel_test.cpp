// Work on many small things by several threads: everything once, and failures as in a loop.

#include "unmask/kit/data/parallel.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace unmask::kit::parallel_test {
namespace {

TEST(ForEachIndex, VisitsEveryIndexOnce) {
  for (const std::size_t threads : {0, 1, 2, 5}) {
    for (const std::size_t count : {0, 1, 31, 32, 33, 1000}) {
      std::vector<int> visits(count);
      for_each_index(count, threads, [&](std::size_t i) { ++visits[i]; });
      EXPECT_EQ(visits, std::vector<int>(count, 1)) << threads << " threads";
    }
  }
}

TEST(ForEachIndex, ThrowsWhatALoopWouldHaveThrown) {
  for (const std::size_t threads : {1, 2, 5}) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::vector<int> visits(1000);
      try {
        for_each_index(visits.size(), threads, [&](std::size_t i) {
          visits[i] = 1;
          if (i % 100 == 77) throw std::runtime_error(std::to_string(i));
        });
        FAIL() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "77");
      }
      EXPECT_EQ(std::count(visits.begin(), visits.begin() + 78, 1), 78);
    }
  }
}

TEST(ForEachIndex, UsesSeveralThreads) {
  std::mutex guard;
  std::set<std::thread::id> seen;
  std::condition_variable both_there;
  // Two chunks; either one ends only when another thread has begun the other one.
  for_each_index(64, 2, [&](std::size_t i) {
    std::unique_lock lock(guard);
    seen.insert(std::this_thread::get_id());
    both_there.notify_all();
    if (i % 32 == 0) {
      both_there.wait_for(lock, std::chrono::seconds(30), [&] { return seen.size() == 2; });
    }
  });

  EXPECT_EQ(seen.size(), 2U);
}

TEST(ReadingThreads, AreAFew) {
  EXPECT_GE(reading_threads(), 1U);
  EXPECT_LE(reading_threads(), 4U);
}

}  // namespace
}  // namespace unmask::kit::parallel_test
