#include "cli/local_tasks.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <thread>
#include <utility>

#include "base/child.hpp"
#include "base/unique_fd.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

// How often to look whether a task has ended. One takes seconds at least.
constexpr std::chrono::milliseconds kLookForEnds{50};

}  // namespace

LocalTasks::LocalTasks(std::filesystem::path folder, int parallel)
    : folder_(std::move(folder)), parallel_(static_cast<std::size_t>(parallel)) {}

std::vector<std::string> LocalTasks::command(std::size_t number) const {
  return {"bash", (folder_ / "task.sh").string(), std::to_string(number)};
}

std::vector<std::string> LocalTasks::merge_command() const {
  return {"bash", (folder_ / "merge.sh").string()};
}

void LocalTasks::start(std::size_t number) {
  const std::filesystem::path log = folder_ / "logs" / ("shard-" + std::to_string(number) + ".log");
  const base::UniqueFd out(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!out) throw DataError("cannot write " + log.string() + ": " + std::strerror(errno));
  base::ChildSpec spec;
  spec.argv = command(number);
  // Not a job of Slurm, even where this command itself is one.
  spec.env = {"SLURM_ARRAY_TASK_ID=" + std::to_string(number), "SLURM_ARRAY_JOB_ID="};
  spec.fds = {{out.get(), 1}, {out.get(), 2}};
  spec.own_group = true;
  running_.push_back({base::spawn(spec), number});
  std::cerr << "shard " << number << " begins; " << log.string() << "\n";
}

// Take note of tasks that have ended; pass on a wish to stop to the others.
void LocalTasks::collect(bool passes_on_stop) {
  for (std::size_t i = 0; i < running_.size();) {
    if (passes_on_stop) ::kill(running_[i].pid, SIGTERM);
    int status = 0;
    if (::waitpid(running_[i].pid, &status, WNOHANG) == 0) {
      ++i;
      continue;
    }
    std::cerr << "shard " << running_[i].number << " " << base::describe(base::exit_status(status))
              << "\n";
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

bool LocalTasks::run(const std::vector<std::size_t>& numbers) {
  const run::StopSignals signals(stop_);
  std::size_t next = 0;
  bool has_passed_on = false;
  const auto is_stopped = [&] { return stop_.level() != run::StopLevel::kNone; };
  while (!running_.empty() || (next < numbers.size() && !is_stopped())) {
    while (!is_stopped() && next < numbers.size() && running_.size() < parallel_) {
      start(numbers[next++]);
    }
    collect(is_stopped() && !std::exchange(has_passed_on, is_stopped()));
    std::this_thread::sleep_for(kLookForEnds);
  }
  return !is_stopped();
}

int LocalTasks::merge() const {
  base::ChildSpec spec;
  spec.argv = merge_command();
  spec.fds = {{STDOUT_FILENO, 1}, {STDERR_FILENO, 2}};
  int status = 0;
  const pid_t pid = base::spawn(spec);
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return base::exit_status(status).exit_code.value_or(static_cast<int>(ExitCode::kInternal));
}

}  // namespace unmask::cli
