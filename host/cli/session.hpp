#pragma once
// One `unmask run`: plan the study, open the database, set right what has changed since, record
// what is asked for, run what is missing.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/execution.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "plan/frozen_plan.hpp"
#include "run/progress.hpp"
#include "run/runner.hpp"
#include "store/result_folders.hpp"
#include "store/store.hpp"

namespace unmask::cli {

/// What a user asks of a run.
struct SessionOptions {
  std::filesystem::path manifest;
  /// Cells of this plan instead of those of a manifest: then `manifest` and `only` are not read.
  std::optional<plan::FrozenPlan> frozen = std::nullopt;
  /// Of the frozen plan, in its order.
  std::vector<wire::Cell> chosen = {};
  /// Called once the database is open, before it is looked at. @return those of the cells that can
  /// be run
  std::function<std::vector<wire::Cell>(store::Store&, const std::vector<wire::Cell>&)> arrive = {};
  /// Called between events of the run, with its database.
  std::function<void(store::Store&)> tick = {};
  std::filesystem::path database;
  std::string device = "auto";
  std::optional<int> workers;
  std::vector<std::string> only;  ///< filters of cells; empty: all
  bool fail_fast = false;
  std::optional<std::size_t> max_failures;
  wire::RetryLimits retries;  ///< in place of the manifest's
  std::optional<std::size_t> recycle_after;
  std::optional<double> part_s;          ///< see run::RunOptions
  std::vector<std::string> plugin_dirs;  ///< as given, for commands that are printed
  bool cuda_graphs = false;
  bool waits = false;             ///< for another run on the same database to end
  std::vector<std::string> argv;  ///< for the record
};

class Session {
 public:
  /// @param host, progress  outlive the session
  Session(const HostContext& host, SessionOptions options, run::Progress& progress);

  /// @throws Error of any kind; what was recorded until then stays
  run::RunSummary run();

  /// After run():
  store::Store& store() { return *store_; }
  /// Under which it is stored.
  const std::string& study_name() const { return planned_.study.name; }
  const std::vector<wire::Cell>& cells() const { return some_ ? *some_ : planned_.plan.cells; }

 private:
  void plan();
  void open();
  void reconcile();
  std::int64_t record();
  std::vector<run::CellCost> costs() const;
  run::RunSummary execute(std::int64_t run);
  std::string exec_command(const wire::Cell& cell) const;

  const HostContext& host_;
  SessionOptions options_;
  run::Progress& progress_;
  run::StopRequest stop_;
  store::ResultFolders folders_;
  PlannedStudy planned_;
  Execution execution_;
  // Of the plan, those that are asked for; nullopt: all of them, which may be many.
  std::optional<std::vector<wire::Cell>> some_;
  std::optional<store::Store> store_;
};

}  // namespace unmask::cli
