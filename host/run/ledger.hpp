#pragma once
// What is settled in a run, and what of it needs no worker: cells that cannot run any more, and
// those that are missing again. Tells recorder and progress.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "run/agenda.hpp"
#include "run/failure_policy.hpp"
#include "run/progress.hpp"
#include "run/runner.hpp"
#include "run/summary.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::run {

class Ledger {
 public:
  /// All of them outlive the ledger.
  struct Books {
    const std::vector<wire::Cell>& plan;
    const RunOptions& options;
    Recorder& recorder;
    Progress& progress;
    Agenda& agenda;
    FailurePolicy& policy;
  };
  explicit Ledger(const Books& books)
      : plan_(books.plan),
        options_(books.options),
        recorder_(books.recorder),
        progress_(books.progress),
        agenda_(books.agenda),
        policy_(books.policy) {}

  RunSummary& summary() { return summary_; }

  /// A sentence about the run as a whole, told once.
  void note(const std::string& text);

  /// A cell has failed for good: what needs it is skipped.
  void give_up(std::size_t index, const wire::CellFailure& failure);

  /// A training was repeated and gave other weights: what was stored of the former ones is gone.
  void run_again(const wire::Cell& training, const std::vector<std::string>& keys);

  /// Of the cells that are ready, settle those that no worker is to begin.
  void settle_without_workers();

 private:
  // Whether it is new.
  bool remember(const std::string& text);
  void fail_hopeless();
  void skip_quarantined();
  void skip(std::size_t index, std::size_t failed_training);

  const std::vector<wire::Cell>& plan_;
  const RunOptions& options_;
  Recorder& recorder_;
  Progress& progress_;
  Agenda& agenda_;
  FailurePolicy& policy_;
  RunSummary summary_;
  std::map<std::size_t, std::string> failed_trainings_;  // "(class): why"
  bool has_told_enough_ = false;
};

}  // namespace unmask::run
