#include "base/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::base::child_test {
namespace {

constexpr double kGenerous = 20;  // seconds; only a broken program gets there

ChildOutput shell(const std::string& script,
                  double timeout_s = kGenerous,
                  std::size_t limit = 1000000) {
  return run_child({"/bin/sh", "-c", script}, timeout_s, limit);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(RunChild, KeepsBothStreamsApart) {
  const ChildOutput result = shell("echo out; echo err >&2");

  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
}

TEST(RunChild, GivesTheExitCode) {
  EXPECT_EQ(shell("exit 3").status.exit_code, 3);
}

TEST(RunChild, GivesTheSignal) {
  EXPECT_EQ(shell("kill -SEGV $$").status.signal, SIGSEGV);
}

TEST(RunChild, KillsAProgramWhoseTimeIsUp) {
  const auto start = std::chrono::steady_clock::now();

  const ChildOutput result = shell("echo begun; trap '' TERM; while :; do sleep 60; done", 0.2);

  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.out, "begun\n");
  EXPECT_LT(seconds_since(start), 10);  // of 60
}

TEST(RunChild, DropsWhatIsPrintedBeyondTheLimit) {
  const ChildOutput result = shell("head -c 3000000 /dev/zero", kGenerous, 1000);

  EXPECT_TRUE(result.is_truncated);
  EXPECT_EQ(result.out.size(), 1000U);
  EXPECT_TRUE(result.status.is_success());
}

TEST(RunChild, DoesNotWaitForProcessesThatAreLeftBehind) {
  const auto start = std::chrono::steady_clock::now();

  const ChildOutput result = shell("sleep 60 & echo done");

  EXPECT_EQ(result.out, "done\n");
  EXPECT_LT(seconds_since(start), 10);  // of 60
}

TEST(RunChild, KillsProcessesThatAreLeftBehind) {
  // The sleeping process holds the writing end of a named pipe, which hangs up when the process
  // dies.
  const TempFolder folder;
  const std::string fifo = (folder.path() / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));

  shell("exec 3>" + fifo + "; echo x >&3; sleep 60 & exit 0");

  std::array<char, 2> text{};
  ASSERT_EQ(::read(reader.get(), text.data(), text.size()), 2);
  pollfd entry{reader.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&entry, 1, 20000), 1);
  EXPECT_EQ(entry.revents, POLLHUP);
}

TEST(RunChild, SaysWhatCannotBeStarted) {
  try {
    run_child({"/no/such/program"}, kGenerous);
    FAIL() << "nothing was thrown";
  } catch (const InternalError& error) {
    EXPECT_STREQ(error.what(), "cannot start /no/such/program: No such file or directory");
  }
}

TEST(RunChild, AddsAndReplacesEnvironmentVariables) {
  const ChildOutput result = run_child({"/bin/sh", "-c", "echo $HOME $UNMASK_TEST_ONLY"},
                                       kGenerous,
                                       1000,
                                       {"HOME=nowhere", "UNMASK_TEST_ONLY=yes"});

  EXPECT_EQ(result.out, "nowhere yes\n");
}

TEST(Spawn, GivesTheChildNoDescriptorsButTheNamedOnes) {
  const UniqueFd leak(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC

  const ChildOutput result = shell("ls /proc/self/fd");

  EXPECT_EQ(result.out, "0\n1\n2\n3\n");  // 3 is ls looking at the folder
}

TEST(Spawn, PutsADescriptorWhereItIsAskedTo) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  ChildSpec spec;
  spec.argv = {"/bin/sh", "-c", "echo hello >&5"};
  spec.fds = {{writer.get(), 5}};

  const pid_t pid = spawn(spec);
  writer.reset();
  std::array<char, 16> text{};
  const ssize_t n = ::read(reader.get(), text.data(), text.size());
  ::waitpid(pid, nullptr, 0);

  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(n)), "hello\n");
}

TEST(Describe, NamesTheExitCode) {
  EXPECT_EQ(describe({.exit_code = 3, .signal = {}}), "exited with code 3");
}

TEST(Describe, NamesTheSignalInWords) {
  EXPECT_EQ(describe({.exit_code = {}, .signal = SIGSEGV}),
            "killed by signal 11 (Segmentation fault)");
}

}  // namespace
}  // namespace unmask::base::child_test
