#pragma once
// Attack and probe cells of which parts are done: which samples are, which a worker has, which are
// open. Cells are indices into the plan, workers numbers of slots.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wire/cell.hpp"
#include "wire/part.hpp"

namespace unmask::run {

class DividedCells {
 public:
  /// @param stored   by key  @param part_s  seconds that a part is to take; 0: cells are not divided
  ///                 any further
  DividedCells(const std::vector<wire::Cell>& plan,
               const std::map<std::string, wire::StoredParts>& stored,
               double part_s);

  /// What a worker is to do of a cell, which nobody else gets from now on: all of a cell of which
  /// nothing is known, for as long as a part takes.
  /// @param sharers  workers that are to share what is open
  wire::PartOrder take(std::size_t cell, int worker, std::size_t sharers);

  /// The worker will not do what it took.
  void release(int worker) { taken_.erase(worker); }

  /// Why a worker's part is not the one that was ordered; nullopt: it is.
  std::optional<std::string> complaint(std::size_t cell,
                                       int worker,
                                       const wire::CellPart& part) const;

  /// Whether this part is the only one that is missing.
  bool completes(std::size_t cell, const wire::CellPart& part) const;

  /// A part is stored. The worker has nothing to do any more.
  void add(std::size_t cell, int worker, const wire::CellPart& part);

  /// The cell has its result.
  void forget(std::size_t cell) { cells_.erase(cell); }

  /// A cell with open samples of which some worker has taken others.
  /// @param may_help  whether a cell may be shared
  std::optional<std::size_t> shareable(const std::function<bool(std::size_t)>& may_help) const;

  /// How many parts of such cells are open.
  std::size_t open_parts(const std::function<bool(std::size_t)>& may_help) const;

  /// Whether samples of it are open, that is neither done nor taken.
  bool has_open(std::size_t cell) const;

  /// Whether some worker has taken samples of the cell.
  bool is_taken(std::size_t cell) const;

  /// Samples of a cell that are done when this worker says that it has come to sample `next`.
  std::int64_t done(std::size_t cell, int worker, std::int64_t next) const;

 private:
  struct Divided {
    std::int64_t total = 0;
    std::int64_t unit = 1;
    std::map<std::int64_t, std::int64_t> spans;  // that are done: first sample -> how many
    double seconds = 0;                          // that they took

    std::int64_t samples() const;
  };
  struct Taken {
    std::size_t cell = 0;
    std::int64_t first = 0;
    std::optional<std::int64_t> count;
  };

  // Samples that are neither done nor taken, in order.
  std::vector<wire::PartSpan> gaps(std::size_t cell, const Divided& divided) const;
  std::int64_t samples_per_part(const Divided& divided) const;

  const std::vector<wire::Cell>& plan_;
  double part_s_;
  std::map<std::size_t, Divided> cells_;
  std::map<int, Taken> taken_;  // by worker
};

}  // namespace unmask::run
