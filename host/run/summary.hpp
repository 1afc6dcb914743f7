#pragma once
// A run in numbers: what is ahead of it, and what came of it.

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "run/order.hpp"

namespace unmask::run {

/// What is ahead when a run starts. Arrays are indexed by wire::CellKind.
struct RunOutline {
  std::size_t hit = 0;                  ///< cells of the plan that are done already
  std::array<std::size_t, 3> to_run{};  ///< cells to run, by kind
  /// Those of them that took so long before, and how long together [s].
  std::array<std::size_t, 3> with_cost{};
  double cost_s = 0;
  std::shared_ptr<const RecordedCosts> costs = nullptr;  ///< of cells of the plan; null: none
  int workers = 0;

  std::size_t cells() const noexcept { return to_run[0] + to_run[1] + to_run[2]; }
};

struct RunSummary {
  std::size_t hit = 0;          ///< were done before, and still are
  std::size_t ran = 0;          ///< done in this run
  std::size_t failed = 0;       ///< failed for good in this run
  std::size_t skipped = 0;      ///< their train cell failed, or their kin is quarantined
  std::size_t interrupted = 0;  ///< were running when the run was stopped
  std::size_t not_run = 0;  ///< never begun, because the run drained, was stopped or failed fast
  /// Results of cells outside of the plan that belonged to other weights of a training of this run.
  std::size_t discarded_elsewhere = 0;
  bool drained = false;  ///< a StopRequest was seen
  double wall_s = 0;
  /// What a reader of the results must hear of, each sentence once; progress has told it, too.
  std::vector<std::string> notes = {};

  /// Everything that the plan asks for is in the store.
  bool is_complete() const noexcept { return failed + skipped + interrupted + not_run == 0; }
};

}  // namespace unmask::run
