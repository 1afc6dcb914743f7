#pragma once
// A place for one worker process after the other, as the loop in runner.cpp sees it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/child.hpp"
#include "run/worker_process.hpp"
#include "wire/result.hpp"

namespace unmask::run {

/// Seconds on a clock that no change of the date moves.
double now_s();

/// "0.1 s", "120 s".
std::string seconds_text(double seconds);

/// "exited with code 0", "was killed by signal 9 (Killed)".
std::string past_tense(const base::ExitStatus& status);

/// A failure of this class, with nothing else known of it.
wire::CellFailure failed(wire::FailureClass failure_class, std::string message);

/// What a worker that ended in this way in the middle of a cell means for the cell.
wire::CellFailure crash(const WorkerProcess& process, const base::ExitStatus& status);

struct Slot {
  enum class State {
    kEmpty,     ///< no process
    kStarting,  ///< started, has not said hello
    kIdle,      ///< waits for a cell
    kRunning,   ///< has a cell
    kDying,     ///< has a cell whose failure is known; its process is being killed
    kStopping   ///< has no cell and is on its way out
  };

  State state = State::kEmpty;
  std::unique_ptr<WorkerLog> log;  ///< outlives the process that writes to it
  std::unique_ptr<WorkerProcess> process;
  std::string device;
  std::size_t cells_begun = 0;       ///< by this process
  std::optional<std::size_t> holds;  ///< train cell whose checkpoint it has loaded
  int failed_starts = 0;             ///< in a row
  std::int64_t first_bytes = 0;      ///< resident memory after the first cell of this process
  std::int64_t kills_before = 0;     ///< what RunOptions::memory_kills said when its cell began

  std::size_t cell = 0;                           ///< kRunning, kDying
  std::optional<wire::CellFailure> cell_failure;  ///< kDying: why its cell has failed
  std::optional<std::string> start_problem;       ///< kStarting: why it will never be ready

  std::optional<double> time_limit;  ///< kStarting, kRunning
  std::optional<double> kill_at;     ///< SIGKILL when it has not ended by then

  bool has_cell() const { return state == State::kRunning || state == State::kDying; }

  /// Nothing that it says counts any more.
  bool is_deaf() const {
    return cell_failure || start_problem || state == State::kStopping || state == State::kEmpty;
  }

  /// The process is gone.
  void clear();

  /// Ask it to end, and kill it when it does not within the grace.
  void stop(double grace_s);

  void kill();

  /// Its cell has failed, and it cannot be trusted with another one.
  void condemn(wire::CellFailure failure);

  /// An idle worker gets no cell any more. One that never had any counts as one that does not
  /// start: otherwise a command that greets and leaves would be started for ever.
  void withdraw();
};

}  // namespace unmask::run
