#pragma once
// Cells that may run now, in the order in which they should.

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "run/needs.hpp"
#include "wire/cell.hpp"

namespace unmask::run {

/// What a cell asks of its worker.
enum class Wish {
  kAny,          ///< whichever is free
  kFreshWorker,  ///< one that has run no cell yet
  kAlone         ///< likewise, while no other worker runs
};

class ReadyCells {
 public:
  /// What the choice looks at in a worker.
  struct Worker {
    bool is_fresh = false;
    std::optional<std::size_t> holds;  ///< train cell whose checkpoint it has loaded
  };

  /// Both outlive it.
  ReadyCells(const std::vector<wire::Cell>& plan, const Needs& needs)
      : plan_(plan), needs_(needs) {}

  void add(std::size_t cell, Wish wish);

  /// Cells that need not run alone.
  std::size_t shareable() const { return fresh_.size() + trainings_.size() + n_evaluations_; }
  std::size_t size() const { return shareable() + alone_.size(); }

  /// Take the cell that suits this worker best: retries for a new one; trainings, because
  /// evaluations wait for them; evaluations of the checkpoint that it holds; of one that no other
  /// worker holds; the first in the plan's order.
  /// @param is_held  whether some worker holds the checkpoint of a train cell
  std::optional<std::size_t> take(const Worker& worker,
                                  const std::function<bool(std::size_t)>& is_held);

  /// Take all cells of a kind, in the plan's order.
  std::vector<std::size_t> take_all(const std::function<bool(std::size_t)>& is_wanted);

  /// Take a cell that wants to be alone; there must be one.
  std::size_t take_alone();

 private:
  const std::vector<wire::Cell>& plan_;
  const Needs& needs_;
  std::set<std::size_t> fresh_, alone_, trainings_;
  std::map<std::optional<std::size_t>, std::set<std::size_t>> by_checkpoint_;
  std::size_t n_evaluations_ = 0;
};

}  // namespace unmask::run
