#pragma once
// What is done, what may run, what waits for a training: the bookkeeping of one run, without any
// process. Cells are indices into the plan.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "run/needs.hpp"
#include "run/order.hpp"
#include "run/ready_cells.hpp"
#include "run/summary.hpp"
#include "wire/cell.hpp"
#include "wire/messages.hpp"
#include "wire/result.hpp"

namespace unmask::run {

/// Keys of cells that the store holds; for train cells with the checkpoint.
using StoredCells = std::unordered_map<std::string, std::optional<wire::CheckpointFile>>;

class Agenda {
 public:
  /// @param plan  outlives the agenda
  /// @throws InternalError when two cells have one key, a cell needs something else than a
  ///         training, or a training is done without a checkpoint
  /// @param costs  of the cells, in the plan's order; empty: nothing is known
  Agenda(const std::vector<wire::Cell>& plan,
         const StoredCells& stored,
         const std::vector<CellCost>& costs = {});

  const wire::Cell& cell(std::size_t index) const { return plan_[index]; }

  const Needs& needs() const { return needs_; }

  /// Cells by what they are now: stored before the run, or to be run in it.
  const RunOutline& outline() const { return outline_; }

  ReadyCells& ready() { return ready_; }
  const ReadyCells& ready() const { return ready_; }

  /// Of a train cell that is done.
  const std::optional<wire::CheckpointFile>& checkpoint(std::size_t index) const {
    return checkpoints_[index];
  }

  /// What a worker is told to execute a cell. Its trainings are done.
  wire::Execute order(std::size_t index) const;

  /// A cell has its result: what waits for it may become ready.
  void finish(std::size_t index, const std::optional<wire::CheckpointFile>& checkpoint);

  /// A training failed for good. @return the cells that can never run now, each of them once
  std::vector<std::size_t> give_up(std::size_t index);

  struct Lost {
    std::size_t cell = 0;
    std::optional<std::size_t> failed_need;  ///< a training that it needs has failed: it cannot run
  };

  /// The stored result of a cell is gone: it has to run again, after what it needs.
  /// @return nullopt when it is no cell of the plan
  std::optional<Lost> lose(const std::string& key);

 private:
  void wait_or_get_ready(std::size_t index);

  const std::vector<wire::Cell>& plan_;
  std::unordered_map<std::string_view, std::size_t> index_of_;
  RunOutline outline_;
  Needs needs_;
  Order order_;
  ReadyCells ready_;
  std::vector<bool> is_done_;
  std::vector<bool> is_given_up_;  // trainings that failed for good
  std::vector<bool> is_skipped_;   // a training that it needs failed
  std::vector<std::optional<wire::CheckpointFile>> checkpoints_;
  std::vector<std::vector<std::size_t>> dependants_;  // of train cells: who waits for them
  std::vector<std::size_t> waits_for_;  // of other cells: how many trainings are missing
};

}  // namespace unmask::run
