#pragma once
// Plans of fake cells, a recorder that remembers, and one call to run them.

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "run/runner.hpp"
#include "wire/messages.hpp"

namespace unmask::run {

inline wire::Cell fake_cell(const std::string& key,
                            nlohmann::json spec = nlohmann::json::object(),
                            wire::CellKind kind = wire::CellKind::kAttack,
                            std::optional<std::string> needs = std::nullopt) {
  wire::Cell cell;
  cell.kind = kind;
  cell.key = key;
  cell.spec = spec.is_null() ? nlohmann::json::object() : std::move(spec);
  cell.locals = nlohmann::json::object();
  cell.labels.model = "model";
  cell.labels.dataset = "data";
  cell.labels.objective = "loss";
  cell.labels.train_solver = "rk4";
  cell.labels.solver = kind == wire::CellKind::kTrain ? "" : "rk4";
  cell.labels.method = kind == wire::CellKind::kTrain ? "" : key;
  cell.needs = std::move(needs);
  return cell;
}

inline wire::Cell fake_training(const std::string& key,
                                nlohmann::json spec = nlohmann::json::object()) {
  return fake_cell(key, std::move(spec), wire::CellKind::kTrain);
}

/// Remembers all that it is told, in order.
class MemoryRecorder : public Recorder {
 public:
  struct Failed {
    std::string key;
    wire::CellFailure failure;
    bool will_retry = false;
  };

  std::vector<std::string> events;  ///< "start a", "done a", "crash a", "skip a"
  std::vector<Failed> failures;
  std::map<std::string, wire::CellResult> results;
  std::map<std::string, std::vector<int>> pids;  ///< by key, one per attempt
  std::vector<int> starts;                       ///< the worker of each attempt, in order
  std::function<void(const std::string& event)> on_event;

  std::string attempt_started(const wire::Cell& cell, int pid, const std::string& device) override {
    pids[cell.key].push_back(pid);
    starts.push_back(pid);
    EXPECT_EQ(device, "cpu");
    note("start " + cell.key);
    return "attempt of " + cell.key;
  }
  Recorded cell_done(const std::string& attempt,
                     const wire::Cell& cell,
                     const wire::CellResult& result) override {
    EXPECT_EQ(attempt, "attempt of " + cell.key);
    if (refusals.contains(cell.key)) return {.refusal = refusals.at(cell.key)};
    results[cell.key] = result;
    note("done " + cell.key);
    return {.discarded = discards[cell.key]};
  }
  void cell_failed(const std::string& attempt,
                   const wire::Cell& cell,
                   const wire::CellFailure& failure,
                   bool will_retry) override {
    EXPECT_EQ(attempt, "attempt of " + cell.key);
    failures.push_back({cell.key, failure, will_retry});
    note(std::string(wire::to_string(failure.failure_class)) + " " + cell.key);
  }
  void cell_skipped(const wire::Cell& cell, const std::string& reason) override {
    skips[cell.key] = reason;
    note("skip " + cell.key);
  }

  std::map<std::string, std::string> skips;
  std::map<std::string, std::vector<std::string>> discards;  ///< by key of a training
  std::map<std::string, std::string> refusals;               ///< why values are not recorded

  std::ptrdiff_t position(const std::string& event) const {
    return std::find(events.begin(), events.end(), event) - events.begin();
  }

 private:
  void note(const std::string& event) {
    events.push_back(event);
    if (on_event) on_event(event);
  }
};

class RunTest : public testing::Test {
 protected:
  RunTest() {
    options.workers = 1;
    options.worker_command = [](int) {
      return WorkerCommand{{UNMASK_FAKE_WORKER, "--fd", "{fd}"}, {}};
    };
    options.log_folder = folder.path() / "logs";
    options.term_grace_s = 0.2;
  }

  RunSummary run(const std::vector<wire::Cell>& plan) {
    const auto progress = make_progress(ProgressMode::kNone);
    return run_cells(plan, done, options, recorder, *progress);
  }

  void start_workers_with(const std::string& mode) {
    options.worker_command = [mode](int) {
      return WorkerCommand{{UNMASK_FAKE_WORKER, "--fd", "{fd}", "--start", mode}, {}};
    };
  }

  std::string marker(const std::string& name) const { return (folder.path() / name).string(); }

  /// Runs one cell that fails for good and gives the last failure.
  wire::CellFailure failure_of(const nlohmann::json& spec,
                               wire::CellKind kind = wire::CellKind::kAttack) {
    const RunSummary summary = run({fake_cell("a", spec, kind)});
    EXPECT_EQ(summary.failed, 1U);
    return recorder.failures.empty() ? wire::CellFailure{} : recorder.failures.back().failure;
  }

  base::TempFolder folder;
  RunOptions options;
  MemoryRecorder recorder;
  StoredCells done;
};

}  // namespace unmask::run
