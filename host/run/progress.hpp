#pragma once
// What a person (or a program) sees of a run while it runs.

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "run/summary.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::run {

/// Told about every event of a run, in order, by one thread. Slots count from 0.
class Progress {
 public:
  virtual ~Progress();

  virtual void run_started(const RunOutline& outline) = 0;
  virtual void worker_started(int slot, int pid, const std::string& device) = 0;
  /// @param attempt 1 for the first try
  virtual void cell_started(int slot, const wire::Cell& cell, int attempt) = 0;
  virtual void cell_progress(int slot,
                             const wire::Cell& cell,
                             std::int64_t done,
                             std::int64_t total,
                             const std::string& note) = 0;
  /// A worker helps with a cell that another one has begun, or goes on with it in its place.
  virtual void cell_joined(int slot, const wire::Cell& cell);
  /// A worker has done a part of a cell and turns from it; the cell is not done.
  virtual void cell_left(int slot, const wire::Cell& cell);
  virtual void cell_done(int slot, const wire::Cell& cell, const wire::CellResult& result) = 0;
  /// Class "interrupted": the run was stopped while it ran, which is not its fault.
  virtual void cell_failed(int slot,
                           const wire::Cell& cell,
                           const wire::CellFailure& failure,
                           bool will_retry) = 0;
  virtual void cell_skipped(const wire::Cell& cell, const std::string& reason) = 0;
  /// Several for one reason; said of each of them unless a reporter has one word for all.
  virtual void cells_skipped(const std::vector<const wire::Cell*>& cells,
                             const std::string& reason);
  /// A cell of the plan that counted as stored has lost its result and will run again.
  virtual void cell_again(const wire::Cell& cell) = 0;
  /// A sentence about the run as a whole: "finishing 2 running cells; Ctrl-C again stops them".
  virtual void notice(const std::string& text) = 0;
  /// Called about ten times a second while cells run.
  virtual void tick() = 0;
  virtual void run_finished(const RunSummary& summary) = 0;

 protected:
  Progress() = default;
  Progress(const Progress&) = default;
  Progress& operator=(const Progress&) = default;
};

enum class ProgressMode { kAuto, kTerminal, kPlain, kJson, kNone };

/// "auto", "terminal", "plain", "json", "none". @throws UsageError for anything else
ProgressMode parse_progress_mode(const std::string& text);

/// Where progress goes. The defaults fit a command; tests put their own.
struct ProgressOutput {
  std::ostream* people = nullptr;     ///< terminal and plain lines; null: standard error
  std::ostream* programs = nullptr;   ///< JSON lines; null: standard output
  std::function<bool()> is_terminal;  ///< null: asks whether standard error is one
  std::function<int()> width;         ///< columns; null: asks the terminal
  bool has_colors = false;            ///< in lines for people; by itself as --color says
  std::function<double()> now;  ///< seconds on a clock that only moves forward; null: that clock
};

/// Never null. kAuto is terminal lines on a terminal and plain lines elsewhere.
std::unique_ptr<Progress> make_progress(ProgressMode mode, ProgressOutput output = {});

/// "0.4s", "12s", "3m05s", "2h07m".
std::string duration_text(double seconds);

}  // namespace unmask::run
