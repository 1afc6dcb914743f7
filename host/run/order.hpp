#pragma once
// In which order cells should begin: the longest first, so that nobody waits for one that began last.
// No result depends on it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "run/needs.hpp"
#include "wire/cell.hpp"

namespace unmask::run {

/// What a cell will take.
struct CellCost {
  double seconds = 0;
  bool is_recorded =
      false;  ///< cells of its kind took so long before; else a guess, for the order alone
  /// The most memory of a GPU that cells of its kind took; none: none was measured.
  std::optional<std::int64_t> device_bytes = std::nullopt;
};

/// Recorded costs by key of the cell [s].
using RecordedCosts = std::unordered_map<std::string, double>;

class Order {
 public:
  /// By what each cell keeps waiting: an evaluation itself, a training itself and the longest of what
  /// needs it. Cells of equal length are in the plan's order.
  /// @param costs  one for each cell of the plan; empty: the plan's order
  Order(const std::vector<wire::Cell>& plan,
        const Needs& needs,
        const std::vector<CellCost>& costs);

  /// 0 for the cell that should begin first.
  std::size_t rank(std::size_t cell) const { return rank_[cell]; }
  std::size_t cell(std::size_t rank) const { return cell_[rank]; }

  /// Seconds that a cell takes; 0 when nothing is known.
  double seconds(std::size_t cell) const { return seconds_[cell]; }

 private:
  std::vector<double> seconds_;
  std::vector<std::size_t> rank_, cell_;
};

/// Whether a worker may go on with a checkpoint that it has loaded although a longer cell waits
/// elsewhere: that costs nothing as long as the longer one can begin later and still not be the last to
/// end, which is when the work left keeps every worker busy for as long as it takes.
/// @param longest_elsewhere  [s]  @param left  seconds of all cells that wait, that one included
bool may_stay(double longest_elsewhere, double left, std::size_t workers);

}  // namespace unmask::run
