#pragma once
// Runs the cells of a plan in worker processes. One thread, one poll loop: start workers, hand out
// cells, check and record what comes back, retry what deserves it. A cell that fails never stops
// the others. The store is behind Recorder, what a person sees is behind Progress.

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "run/progress.hpp"
#include "run/worker_process.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::run {

/// Takes down what happens, at once. An exception out of it (StoreError) ends the run: workers are
/// killed and the exception goes to the caller of run_cells.
class Recorder {
 public:
  virtual ~Recorder();

  /// A worker begins a cell. The answer names this attempt in later calls.
  virtual std::string attempt_started(const wire::Cell& cell,
                                      int pid,
                                      const std::string& device) = 0;
  virtual void cell_done(const std::string& attempt,
                         const wire::Cell& cell,
                         const wire::CellResult& result) = 0;
  virtual void cell_failed(const std::string& attempt,
                           const wire::Cell& cell,
                           const wire::CellFailure& failure,
                           bool will_retry) = 0;
  /// The cell will not run, because the one it needs failed.
  virtual void cell_skipped(const wire::Cell& cell, const std::string& reason) = 0;

 protected:
  Recorder() = default;
  Recorder(const Recorder&) = default;
  Recorder& operator=(const Recorder&) = default;
};

enum class StopLevel : int {
  kNone = 0,
  kDrain = 1,  ///< begin no cell, let the running ones finish
  kNow = 2     ///< kill the workers
};

/// A wish to end the run early. Safe to raise from a signal handler or another thread.
class StopRequest {
 public:
  StopLevel level() const noexcept { return static_cast<StopLevel>(level_.load()); }
  /// The wish only grows.
  void raise_to(StopLevel level) noexcept;
  /// One level more: drain, then stop.
  void escalate() noexcept {
    raise_to(level() == StopLevel::kNone ? StopLevel::kDrain : StopLevel::kNow);
  }

 private:
  std::atomic<int> level_{0};
  static_assert(std::atomic<int>::is_always_lock_free, "a signal handler writes this");
};

/// While it lives, SIGINT raises the request by one level (once drains, twice stops) and SIGTERM
/// stops. SIGPIPE is ignored. At most one at a time.
class StopSignals {
 public:
  explicit StopSignals(StopRequest& request);
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

struct RunOptions {
  int workers = 1;
  std::function<WorkerCommand(int slot)> worker_command;  ///< slots count from 0
  std::optional<double> timeout_s;                        ///< per cell; none: no limit
  int crash_retries = 1;
  bool fail_fast = false;             ///< after a failure begin no further cell
  const StopRequest* stop = nullptr;  ///< may be null
  std::filesystem::path log_folder;   ///< gets worker-<slot>.log; empty: no log files
  std::size_t log_limit_bytes = std::size_t{16} << 20;  ///< per cell
  double hello_timeout_s = 120;  ///< for a worker to start (loading LibTorch from a slow disk)
  double term_grace_s = 2;       ///< between SIGTERM and SIGKILL
};

struct RunSummary {
  std::size_t hit = 0;          ///< were done before
  std::size_t ran = 0;          ///< done in this run
  std::size_t failed = 0;       ///< failed for good in this run
  std::size_t skipped = 0;      ///< their train cell failed
  std::size_t interrupted = 0;  ///< were running when the run was stopped
  std::size_t not_run = 0;  ///< never begun, because the run drained, was stopped or failed fast
  bool drained = false;     ///< a StopRequest was seen
  double wall_s = 0;

  /// Everything that the plan asks for is in the store.
  bool is_complete() const noexcept { return failed + skipped + interrupted + not_run == 0; }
};

/// Run what is not done.
/// @param plan cells with unique keys; `needs` points to train cells of the same plan
/// @param done keys of cells that the store holds; for train cells with the checkpoint
/// @throws whatever the recorder throws; PluginError or InternalError when workers do not start;
///         InternalError when the plan or the options contradict themselves
RunSummary run_cells(const std::vector<wire::Cell>& plan,
                     const std::map<std::string, std::optional<wire::CheckpointFile>>& done,
                     const RunOptions& options,
                     Recorder& recorder,
                     Progress& progress);

/// Why a result cannot be what the cell asked for, or nothing when it can: every cell kind has
/// parts that it must yield, predictions are classes, distances are finite, accuracies lie in [0,
/// 1].
std::optional<std::string> complaint(const wire::Cell& cell, const wire::CellResult& result);

}  // namespace unmask::run
