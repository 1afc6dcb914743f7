#pragma once
// Dividing the cells of a plan among machines. The answer follows from the plan and the number of
// shards alone, so that every machine finds its own part without asking another.

#include <cstddef>
#include <vector>

#include "wire/cell.hpp"

namespace unmask::plan {

/// What one machine executes.
struct Shard {
  std::vector<std::size_t> cells;  ///< places in the plan, ascending
  double cost = 0;                 ///< of all of them
  /// Begins after the shards without this mark: trainings that its cells need are theirs.
  bool is_second_stage = false;
};

/// Every cell is in exactly one shard; none is empty, so there may be fewer shards than asked for.
///
/// Whole: cells that share a training are in one shard with it, so none waits for another. Networks
/// that images are transferred between hang together likewise. Groups are dealt out from the
/// dearest to the cheapest, each to the shard that has least.
///
/// Split: trainings in shards of their own, and evaluations in those of a second stage, those of one
/// network side by side as far as the shards are of equal cost. For a study of few networks.
///
/// @param cells   of a plan, each after the trainings that it needs
/// @param costs   of each cell, >= 0, in any unit
/// @param count   >= 1; split: >= 2
/// @throws InternalError when a cell needs something else than a training of the plan
std::vector<Shard> make_shards(const std::vector<wire::Cell>& cells,
                               const std::vector<double>& costs,
                               std::size_t count,
                               bool is_split);

}  // namespace unmask::plan
