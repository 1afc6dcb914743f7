#include "engine/stop_notice.hpp"

#include <gtest/gtest.h>

namespace unmask::engine::stop_notice_test {
namespace {

TEST(StopNotice, IsRaisedBySigtermInsteadOfTheEnd) {
  const StopNotice notice;
  EXPECT_FALSE(StopNotice::is_raised());

  std::raise(SIGTERM);

  EXPECT_TRUE(StopNotice::is_raised());
}

TEST(StopNotice, PutsTheOldActionBack) {
  struct sigaction before {};
  struct sigaction after {};
  ::sigaction(SIGTERM, nullptr, &before);

  { const StopNotice notice; }

  ::sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

TEST(StopNoticeDeathTest, IsObeyedBySigterm) {
  EXPECT_EXIT(
      {
        const StopNotice notice;
        StopNotice::obey();
      },
      ::testing::KilledBySignal(SIGTERM),
      "");
}

}  // namespace
}  // namespace unmask::engine::stop_notice_test
