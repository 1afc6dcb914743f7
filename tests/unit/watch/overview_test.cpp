// Whether a writer lives, and how long the rest takes.

#include "watch/overview.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "watch/writer.hpp"

namespace unmask::watch::overview_test {
namespace {

TEST(Writer, LivesWhileItsProcessDoes) {
  EXPECT_EQ(look_for_writer(::getpid(), "", unix_now()), Writer::kAlive);
}

TEST(Writer, IsGoneWithItsProcess) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  // It waits to be reaped: the kernel still knows the number.
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(look_for_writer(child, "", unix_now()), Writer::kGone);

  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(look_for_writer(child, "", unix_now()), Writer::kGone);
}

// The number was given to another process since: this one began after the run.
TEST(Writer, IsNotTheNextProcessOfItsNumber) {
  EXPECT_EQ(look_for_writer(::getpid(), "", unix_now() - 1e6), Writer::kGone);
}

TEST(Writer, OfAnotherMachineIsUnknown) {
  EXPECT_EQ(look_for_writer(::getpid(), "no-machine-of-this-name.invalid", unix_now()),
            Writer::kElsewhere);
}

TEST(Time, IsReadAsTheDatabaseWritesIt) {
  EXPECT_DOUBLE_EQ(seconds_of("1970-01-02T00:00:01.500Z"), 86401.5);
  EXPECT_DOUBLE_EQ(seconds_of("2026-01-31T12:00:00.000Z"), 1769860800.0);
  EXPECT_EQ(seconds_of(""), 0);
  EXPECT_EQ(seconds_of("soon"), 0);
}

TEST(StatusLine, NamesWhatThereIs) {
  Overview overview;
  overview.kinds[0] = {.cells = 2, .done = 1, .running = 1};
  overview.kinds[1] = {.cells = 6, .done = 2, .failed = 1};
  overview.counts.skipped = 2;
  overview.live.time_left = "over 1m05s";

  EXPECT_EQ(status_line(overview), "3/8 cells, 1 failed, 2 skipped, 1 running, over 1m05s left");

  overview.state = RunState::kGone;
  EXPECT_EQ(status_line(overview), "3/8 cells, 1 failed, 2 skipped");
}

TEST(ExitCode, IsThatOfTheRunOrOne) {
  Overview overview;
  overview.state = RunState::kEnded;
  overview.run.exit_code = 0;
  EXPECT_EQ(overview.exit_code(), 0);
  overview.run.exit_code = 1;
  EXPECT_EQ(overview.exit_code(), 1);

  overview.state = RunState::kGone;
  overview.run.exit_code.reset();
  overview.counts = {.hit = 1, .ran = 2, .failed = 0, .skipped = 0, .planned = 1};
  EXPECT_EQ(overview.exit_code(), 1);
}

}  // namespace
}  // namespace unmask::watch::overview_test
