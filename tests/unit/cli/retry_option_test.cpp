#include "cli/retry_option.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::cli::retry_option_test {
namespace {

using wire::FailureClass;
using wire::RetryLimits;

TEST(RetryOption, ANumberIsForWhatIsRetriedAnyway) {
  EXPECT_EQ(parse_retries({"3"}),
            (RetryLimits{{FailureClass::kCrash, 3},
                         {FailureClass::kOutOfMemory, 3},
                         {FailureClass::kDeviceFault, 3}}));
}

TEST(RetryOption, AClassMayBeNamed) {
  EXPECT_EQ(parse_retries({"timeout=2,crash=0"}),
            (RetryLimits{{FailureClass::kTimeout, 2}, {FailureClass::kCrash, 0}}));
}

TEST(RetryOption, AllAreAllButInterruption) {
  const RetryLimits limits = parse_retries({"all=1"});

  EXPECT_EQ(limits.size(), 6U);
  EXPECT_FALSE(limits.contains(FailureClass::kInterrupted));
}

TEST(RetryOption, TheLastWordHolds) {
  EXPECT_EQ(parse_retries({"all=1", "oom=5"}).at(FailureClass::kOutOfMemory), 5);
}

TEST(RetryOption, NothingAskedIsNothingChanged) {
  EXPECT_TRUE(parse_retries({}).empty());
}

TEST(RetryOption, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"",
                           "-1",
                           "101",
                           "x",
                           "crash",
                           "crash=",
                           "=1",
                           "bad=1",
                           "interrupted=1",
                           "crash=1,",
                           "1.5"}) {
    EXPECT_THROW(parse_retries({text}), UsageError) << text;
  }
}

TEST(RetryOption, SaysWhatTheTableSays) {
  EXPECT_EQ(default_retries_text(), "crash 1, oom 1, device_fault 1");
}

}  // namespace
}  // namespace unmask::cli::retry_option_test
