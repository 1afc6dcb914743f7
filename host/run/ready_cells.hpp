#pragma once
// Cells that may run now, in the order in which they should.

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "run/needs.hpp"
#include "run/order.hpp"
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
    std::size_t of_workers = 1;        ///< how many there are, itself included
  };

  /// All outlive it.
  ReadyCells(const std::vector<wire::Cell>& plan, const Needs& needs, const Order& order)
      : plan_(plan), needs_(needs), order_(order) {}

  void add(std::size_t cell, Wish wish);

  /// Cells that need not run alone.
  std::size_t shareable() const { return fresh_.size() + trainings_.size() + n_evaluations_; }
  std::size_t size() const { return shareable() + alone_.size(); }

  /// Take the cell that suits this worker best: retries for a new one; trainings, because
  /// evaluations wait for them; evaluations of the checkpoint that it holds, unless a longer one must
  /// not wait (see may_stay); of one that no other worker holds. Of several the longest, of equally
  /// long ones the first in the plan.
  /// @param is_held  whether some worker holds the checkpoint of a train cell
  std::optional<std::size_t> take(const Worker& worker,
                                  const std::function<bool(std::size_t)>& is_held);

  /// Take all cells of a kind, in the plan's order.
  std::vector<std::size_t> take_all(const std::function<bool(std::size_t)>& is_wanted);

  /// Take this cell, if it is here. @return whether it was
  bool drop(std::size_t cell);

  /// Take a cell that wants to be alone; there must be one.
  std::size_t take_alone();

 private:
  using Ranks = std::set<std::size_t>;  // of cells, see Order
  using Groups = std::map<std::optional<std::size_t>, Ranks>;

  std::size_t take_first(Ranks& ranks) const;
  void took_evaluation(std::size_t cell);
  double longest(const Groups::value_type& group) const;
  Groups::iterator group_for(const Worker& worker, const std::function<bool(std::size_t)>& is_held);

  const std::vector<wire::Cell>& plan_;
  const Needs& needs_;
  const Order& order_;
  Ranks fresh_, alone_, trainings_;
  Groups by_checkpoint_;
  std::size_t n_evaluations_ = 0;
  double evaluation_s_ = 0;  // of all groups
};

}  // namespace unmask::run
