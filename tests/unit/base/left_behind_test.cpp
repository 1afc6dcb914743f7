#include "base/left_behind.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <string>

#include <gtest/gtest.h>

#include "base/child.hpp"

namespace unmask::base::left_behind_test {
namespace {

// A shell that starts a process in a session of its own, says its number, and ends.
pid_t leave_a_process(const std::string& what) {
  return std::stoi(
      run_child({"sh", "-c", "setsid " + what + " >/dev/null 2>&1 & echo $!"}, 10).out);
}

TEST(LeftBehind, EndsAProcessThatMadeItselfASession) {
  LeftBehind strays;
  const pid_t pid = leave_a_process("sleep 1000");
  ASSERT_EQ(::kill(pid, 0), 0);

  EXPECT_EQ(strays.end_all(), 1U);

  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(LeftBehind, EndsWhatThoseLeaveBehind) {
  LeftBehind strays;
  leave_a_process("sh -c 'setsid sleep 1000 & setsid sleep 1000 & sleep 1000'");
  // The grandchildren come to us only when their parent is gone.
  std::size_t count = strays.end_all();

  EXPECT_GE(count, 1U);
  EXPECT_EQ(strays.end_all(), 0U);
}

TEST(LeftBehind, SparesWhatIsStillWanted) {
  ChildSpec sleeper;
  sleeper.argv = {"sleep", "1000"};
  const pid_t earlier = spawn(sleeper);
  {
    LeftBehind strays;
    const pid_t wanted = spawn(sleeper);
    leave_a_process("sleep 1000");

    EXPECT_EQ(strays.end_all({wanted}), 1U);
    EXPECT_EQ(::kill(wanted, 0), 0);

    EXPECT_EQ(strays.end_all(), 1U);
    EXPECT_EQ(::kill(wanted, 0), -1);
    EXPECT_EQ(strays.count(), 2U);
  }
  EXPECT_EQ(::kill(earlier, SIGKILL), 0) << "it was there before";
  EXPECT_EQ(::waitpid(earlier, nullptr, 0), earlier);
}

TEST(LeftBehind, EndsWithItsObject) {
  pid_t pid = -1;
  {
    const LeftBehind strays;
    pid = leave_a_process("sleep 1000");
    ASSERT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(LeftBehind, HasNothingToDoWhenNothingWasLeft) {
  LeftBehind strays;
  run_child({"true"}, 10);

  EXPECT_EQ(strays.end_all(), 0U);
}

}  // namespace
}  // namespace unmask::base::left_behind_test
