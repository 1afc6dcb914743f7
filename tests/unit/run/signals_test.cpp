// What signals and deaths do to a run. The host of these tests is a forked process of its own.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "base/child.hpp"
#include "base/die_with_parent.hpp"
#include "base/unique_fd.hpp"
#include "run_fixture.hpp"

namespace unmask::run::signals_test {
namespace {

constexpr int kGenerousMs = 20000;  // only a broken program gets there

class SignalTest : public RunTest {
 protected:
  void TearDown() override {
    if (host_ > 0) {
      ::kill(host_, SIGKILL);
      ::waitpid(host_, nullptr, 0);
    }
  }

  // Run the cells in a forked host, which handles signals as the command does and reports every
  // event as a line. Its exit code tells how many cells ran, were interrupted and were not run.
  void start_host(const std::vector<wire::Cell>& plan) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    events_.reset(ends[0]);
    base::UniqueFd writer(ends[1]);
    host_ = ::fork();
    ASSERT_GE(host_, 0);
    if (host_ != 0) return;

    int code = 99;
    try {
      recorder.on_event = [&](const std::string& event) {
        const std::string line =
            event + " " + std::to_string(recorder.pids[event.substr(event.rfind(' ') + 1)].back()) +
            "\n";
        if (::write(writer.get(), line.data(), line.size()) < 0) std::_Exit(98);
      };
      StopRequest stop;
      const StopSignals signals(stop);
      options.stop = &stop;
      const RunSummary s = run(plan);
      code = static_cast<int>(s.ran + 4 * s.interrupted + 16 * s.not_run) + (s.drained ? 64 : 0);
    } catch (const std::exception&) {
    }
    std::_Exit(code);
  }

  // Read events until this one comes; the process id of its worker.
  pid_t await(const std::string& event) {
    std::string line;
    char byte = 0;
    pollfd entry{events_.get(), POLLIN, 0};
    while (::poll(&entry, 1, kGenerousMs) == 1 && ::read(events_.get(), &byte, 1) == 1) {
      if (byte != '\n') {
        line += byte;
      } else if (line.rfind(event + " ", 0) == 0) {
        return std::stoi(line.substr(event.size() + 1));
      } else {
        line.clear();
      }
    }
    ADD_FAILURE() << "the event \"" << event << "\" never came";
    return -1;
  }

  void await_file(const std::string& path) const {
    for (int i = 0; i < kGenerousMs && !std::filesystem::exists(path); ++i) ::usleep(1000);
    ASSERT_TRUE(std::filesystem::exists(path));
  }

  base::ExitStatus host_status() {
    int status = 0;
    ::waitpid(host_, &status, 0);
    host_ = -1;
    return base::exit_status(status);
  }

  pid_t host_ = -1;
  base::UniqueFd events_;
};

TEST_F(SignalTest, OneInterruptLetsTheRunningCellFinishAndBeginsNoOther) {
  start_host({fake_cell("a", {{"do", "wait"}, {"other", marker("go")}}), fake_cell("b")});
  await("start a");

  ::kill(host_, SIGINT);
  std::ofstream(marker("go")) << "x";

  // One ran, one was not run, drained; or the signal came after the end of the cell, which it
  // cannot: the cell ends because of the file that is made after the signal.
  EXPECT_EQ(host_status().exit_code, 1 + 16 + 64);
}

TEST_F(SignalTest, TwoInterruptsStopAtOnce) {
  start_host({fake_cell("a", {{"do", "hang deaf"}, {"marker", marker("deaf")}}), fake_cell("b")});
  await("start a");

  ::kill(host_, SIGINT);
  // Two equal signals merge while the first is pending; a second one is sent until one has come
  // through.
  pollfd entry{events_.get(), POLLIN, 0};
  while (::poll(&entry, 1, 5) == 0) ::kill(host_, SIGINT);

  EXPECT_EQ(host_status().exit_code, 4 + 16 + 64);
}

TEST_F(SignalTest, TerminationStopsAtOnce) {
  start_host({fake_cell("a", {{"do", "hang deaf"}}), fake_cell("b")});
  await("start a");

  ::kill(host_, SIGTERM);

  EXPECT_EQ(host_status().exit_code, 4 + 16 + 64);
}

TEST_F(SignalTest, AnInterruptOfTheTerminalDoesNotReachWorkers) {
  start_host({fake_cell("a", {{"do", "wait"}, {"other", marker("go")}})});
  const pid_t worker = await("start a");

  EXPECT_EQ(::getpgid(worker), worker);  // not the group of the host, which the terminal signals

  std::ofstream(marker("go")) << "x";
  EXPECT_EQ(host_status().exit_code, 1);
}

TEST_F(SignalTest, AWorkerThatIsKilledFromOutsideIsReplaced) {
  start_host(
      {fake_cell("a", {{"do", "wait"}, {"marker", marker("began")}, {"other", marker("go")}})});
  const pid_t worker = await("start a");
  await_file(marker("began"));

  ::kill(worker, SIGKILL);
  await("crash a");
  std::ofstream(marker("go")) << "x";

  EXPECT_NE(await("start a"), worker);
  EXPECT_EQ(host_status().exit_code, 1);
}

TEST_F(SignalTest, WorkersDieWithAHostThatIsKilled) {
  // As a subreaper this process becomes the parent of the orphan and learns how it ended.
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  start_host({fake_cell("a", {{"do", "hang deaf"}, {"marker", marker("deaf")}})});
  const pid_t worker = await("start a");
  await_file(marker("deaf"));

  ::kill(host_, SIGKILL);
  host_status();

  int status = 0;
  pid_t reaped = 0;
  for (int i = 0; i < kGenerousMs && reaped == 0; ++i) {
    reaped = ::waitpid(worker, &status, WNOHANG);
    if (reaped == 0) ::usleep(1000);
  }
  EXPECT_EQ(reaped, worker);
  EXPECT_EQ(base::exit_status(status).signal, SIGKILL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(DieWithParent, EndsAProcessWhoseParentIsGoneAlready) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::setenv(base::kHostPidVariable, "1", 1);  // somebody else's number: as if the host had ended
    base::die_with_parent();
    std::_Exit(0);
  }

  int status = 0;
  ::waitpid(child, &status, 0);

  EXPECT_EQ(base::exit_status(status).signal, SIGKILL);
}

TEST(DieWithParent, LeavesAProcessAloneWhoseParentLives) {
  const std::string parent = std::to_string(::getpid());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::setenv(base::kHostPidVariable, parent.c_str(), 1);
    base::die_with_parent();
    std::_Exit(0);
  }

  int status = 0;
  ::waitpid(child, &status, 0);

  EXPECT_EQ(base::exit_status(status).exit_code, 0);
}

TEST(StopRequest, GrowsOnly) {
  StopRequest request;

  request.raise_to(StopLevel::kNow);
  request.raise_to(StopLevel::kDrain);

  EXPECT_EQ(request.level(), StopLevel::kNow);
}

TEST(StopRequest, EscalatesFromNothingToDrainToStop) {
  StopRequest request;

  request.escalate();
  const StopLevel once = request.level();
  request.escalate();

  EXPECT_EQ(once, StopLevel::kDrain);
  EXPECT_EQ(request.level(), StopLevel::kNow);
}

}  // namespace
}  // namespace unmask::run::signals_test
