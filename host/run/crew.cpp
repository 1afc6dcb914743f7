#include "run/crew.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "unmask/errors.hpp"

namespace unmask::run {
namespace {

using State = Slot::State;

// A worker that cannot start is tried this many times in a row; more often when somebody kills it,
// which says nothing about the next one.
constexpr int kStartTries = 2;
constexpr int kStartTriesWhenKilled = 5;

bool is_killed_from_outside(const base::ExitStatus& status) {
  return status.signal == SIGKILL || status.signal == SIGTERM;
}

// The log of a slot, in a folder that is made when the first worker starts.
std::filesystem::path log_file(const std::filesystem::path& folder, int number) {
  if (folder.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw DataError("cannot make the folder " + folder.string() + ": " + error.message());
  }
  return folder / ("worker-" + std::to_string(number) + ".log");
}

// Memory of the device that any cell of these kinds is known to take; none: nothing is known of them.
std::optional<std::int64_t> largest_known(const std::vector<CellCost>& costs) {
  std::optional<std::int64_t> largest;
  for (const CellCost& cost : costs) largest = std::max(largest, cost.device_bytes);
  return largest;
}

}  // namespace

Crew::Crew(const RunOptions& options)
    : options_(options), shares_(options.devices, largest_known(options.costs)) {
  UNMASK_CHECK(options.workers >= 1, "a run needs at least one worker");
  UNMASK_CHECK(options.worker_command != nullptr, "a run needs a command for its workers");
  UNMASK_CHECK(options.devices.empty() ||
                   options.devices.size() == static_cast<std::size_t>(options.workers),
               "every worker computes on some device");
  slots_.resize(static_cast<std::size_t>(options.workers));
}

std::size_t Crew::living_beside(const Slot& slot, State without) const {
  return static_cast<std::size_t>(
      std::count_if(slots_.begin(), slots_.end(), [&](const Slot& other) {
        return other.state != State::kEmpty && other.state != without &&
               shares_.is_same_device(place(slot), place(other));
      }));
}

std::size_t Crew::count(State state) const {
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.state == state; }));
}

Slot* Crew::first(State state) {
  const auto found = std::find_if(
      slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.state == state; });
  return found == slots_.end() ? nullptr : &*found;
}

bool Crew::has_cells() const {
  return std::any_of(
      slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.has_cell(); });
}

bool Crew::is_held(std::size_t training) const {
  return std::any_of(
      slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.holds == training; });
}

void Crew::start(Slot& slot) {
  const int number = number_of(slot);
  if (!slot.log) {
    slot.log = std::make_unique<WorkerLog>(log_file(options_.log_folder, number),
                                           options_.log_limit_bytes);
  }
  slot.log->begin("worker " + std::to_string(number) + " starts");
  slot.cells_begun = 0;
  slot.holds.reset();
  slot.kill_at.reset();
  try {
    slot.process = std::make_unique<WorkerProcess>(options_.worker_command(number), *slot.log);
  } catch (const InternalError& error) {
    start_failed(slot, error.what(), {});
    return;
  }
  slot.state = State::kStarting;
  slot.time_limit = now_s() + options_.hello_timeout_s;
}

void Crew::start_failed(Slot& slot, const std::string& what, const base::ExitStatus& status) {
  slot.clear();
  const int tries = is_killed_from_outside(status) ? kStartTriesWhenKilled : kStartTries;
  if (++slot.failed_starts < tries) return;
  std::string text = "worker " + std::to_string(number_of(slot)) + " does not start, tried " +
                     std::to_string(slot.failed_starts) + " times: " + what;
  const std::string tail = slot.log->tail();
  if (!tail.empty()) text += "; its last lines:\n" + tail;
  if (status.exit_code == static_cast<int>(ExitCode::kPlugin)) throw PluginError(text);
  throw InternalError(text);
}

void Crew::clear(Slot& slot) {
  slot.clear();
  if (!options_.worker_ended) return;
  std::vector<pid_t> others;
  for (const Slot& other : slots_) {
    if (other.process) others.push_back(other.process->pid());
  }
  options_.worker_ended(others);
}

void Crew::wait(double longest_s) const {
  std::vector<pollfd> entries;
  for (const Slot& slot : slots_) {
    if (!slot.process) continue;
    const int socket = slot.process->socket_fd();
    const auto events = static_cast<short>(POLLIN | (slot.process->wants_to_write() ? POLLOUT : 0));
    if (socket >= 0) entries.push_back({socket, events, 0});
    if (slot.process->output_fd() >= 0) entries.push_back({slot.process->output_fd(), POLLIN, 0});
  }
  double next = now_s() + longest_s;
  for (const Slot& slot : slots_) {
    if (slot.time_limit) next = std::min(next, *slot.time_limit);
    if (slot.kill_at) next = std::min(next, *slot.kill_at);
    // Its socket is closed and its end is moments away, but nothing will wake the poll.
    if (slot.process && slot.process->socket_fd() < 0) next = std::min(next, now_s() + 0.002);
  }
  const double left = std::max(0.0, next - now_s());
  ::poll(entries.data(), entries.size(), static_cast<int>(std::ceil(left * 1000)));
}

}  // namespace unmask::run
