#pragma once
// Runs the cells of a plan in worker processes. One thread, one poll loop: start workers, hand out
// cells, check and record what comes back, retry what deserves it. A cell that fails never stops
// the others. The store is behind Recorder, what a person sees is behind Progress.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "run/agenda.hpp"
#include "run/failure_policy.hpp"
#include "run/memory.hpp"
#include "run/progress.hpp"
#include "run/stop.hpp"
#include "run/summary.hpp"
#include "run/worker_process.hpp"
#include "wire/cell.hpp"
#include "wire/part.hpp"
#include "wire/result.hpp"

namespace unmask::run {

/// What came of taking down a result.
struct Recorded {
  /// Keys of cells whose stored result is gone, because it belonged to other weights of this
  /// training. Those of the plan run again.
  std::vector<std::string> discarded = {};
  /// Why the values cannot be recorded: then nothing was, and the cell fails.
  std::optional<std::string> refusal = std::nullopt;
};

/// Takes down what happens, at once. An exception out of it (StoreError) ends the run: workers are
/// killed and the exception goes to the caller of run_cells.
class Recorder {
 public:
  virtual ~Recorder();

  /// A worker begins a cell. The answer names this attempt in later calls.
  virtual std::string attempt_started(const wire::Cell& cell,
                                      int pid,
                                      const std::string& device) = 0;
  [[nodiscard]] virtual Recorded cell_done(const std::string& attempt,
                                           const wire::Cell& cell,
                                           const wire::CellResult& result) = 0;
  virtual void cell_failed(const std::string& attempt,
                           const wire::Cell& cell,
                           const wire::CellFailure& failure,
                           bool will_retry) = 0;
  /// The cell will not run, because the one it needs failed.
  virtual void cell_skipped(const wire::Cell& cell, const std::string& reason) = 0;

  /// What is stored of cells of the run that have no result, by key. A run asks once, at its
  /// beginning.
  virtual std::map<std::string, wire::StoredParts> stored_parts();
  /// A part of a cell is done, and not the last one. By default it is kept as long as the recorder.
  virtual void part_done(const wire::Cell& cell, const wire::CellPart& part);
  /// All that part_done() was told of a cell, in this run or before. cell_done() lets go of them.
  virtual std::vector<wire::CellPart> parts(const wire::Cell& cell);

 protected:
  Recorder() = default;
  Recorder(const Recorder&) = default;
  Recorder& operator=(const Recorder&) = default;

 private:
  std::map<std::string, std::vector<wire::CellPart>> parts_;  // by key
};

struct RunOptions {
  int workers = 1;  ///< slots
  /// Where memory decides how many of the slots get a worker (GPUs): the device of each. What cells
  /// took of it is known from `costs` and measured on the way. Empty: all slots get one.
  std::vector<std::string> devices = {};
  std::function<WorkerCommand(int slot)> worker_command;  ///< slots count from 0
  std::optional<double> timeout_s;  ///< per cell without a limit of its own; none: no limit
  /// Seconds after which a worker hands over what it has done of an attack or a probe, and that the
  /// following parts of it are to take; 0: cells run whole.
  double part_s = 25;
  FailureOptions failures = {};
  const StopRequest* stop = nullptr;  ///< may be null
  std::filesystem::path log_folder;   ///< gets worker-<slot>.log; empty: no log files
  std::size_t log_limit_bytes = std::size_t{16} << 20;  ///< per cell
  double hello_timeout_s = 120;  ///< for a worker to start (loading LibTorch from a slow disk)
  double term_grace_s = 2;       ///< between SIGTERM and SIGKILL
  /// Called between events, many times a second: what takes longer keeps workers waiting.
  std::function<void()> tick = {};
  /// Called when a worker is gone, with the process ids of those that live.
  std::function<void(const std::vector<pid_t>&)> worker_ended = {};
  /// Cells by key that no worker would come to an end with, and why: they fail without one.
  std::map<std::string, std::string> hopeless = {};
  /// A worker is replaced after so many cells; 0: never for that reason.
  std::size_t recycle_after = 1000;
  /// A worker is replaced when its memory between cells has grown by more than this since its first.
  std::int64_t memory_growth_bytes = std::int64_t{2} << 30;
  /// How many processes the kernel has killed for lack of memory (run/memory.hpp). One more of them,
  /// and a worker that SIGKILL ended, is a cell that needs more memory, not one that crashed.
  std::function<std::int64_t()> memory_kills = run::memory_kills;
  /// What cells will take, in the plan's order: the longest begin first. Empty: nothing is known.
  std::vector<CellCost> costs = {};
  /// The command that executes one cell again, for people; null: there is none.
  std::function<std::string(const wire::Cell&)> command_of = {};
};

/// Run what is not done.
/// @param plan cells with unique keys; `needs` names train cells of the same plan
/// @param stored keys of cells that the store holds; for train cells with the checkpoint
/// @throws whatever the recorder throws; PluginError or InternalError when workers do not start;
///         InternalError when the plan or the options contradict themselves
RunSummary run_cells(const std::vector<wire::Cell>& plan,
                     const StoredCells& stored,
                     const RunOptions& options,
                     Recorder& recorder,
                     Progress& progress);

}  // namespace unmask::run
