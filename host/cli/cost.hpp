#pragma once
// How long the missing cells of a plan will take, judged by what equal kinds of cells took before.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/planner.hpp"
#include "run/order.hpp"
#include "store/store.hpp"

namespace unmask::cli {

/// Seconds that cells of one kind took.
struct CostRange {
  double low = 0, median = 0, high = 0;
};

/// What cells of one kind took.
struct Precedent : CostRange {
  std::optional<std::int64_t>
      device_bytes;  ///< the most memory of a GPU; nullopt: none was measured
};

/// What cells took before, by all that decides how long one takes: kind, model, solvers and method
/// with their parameters, data set and number of samples; not seeds and radii.
class Precedents {
 public:
  Precedents() = default;
  /// @param device  "cpu" or "cuda:0": cells that ran on the other kind of device tell nothing;
  ///                empty: all of them count
  Precedents(const std::vector<store::TimedCell>& cells, const std::string& device);
  /// Of all that is stored there. Cells are read one by one: a database may hold 100,000.
  Precedents(const store::Store& store, const std::string& device);

  /// nullopt: no such cell ran before.
  std::optional<Precedent> of(const wire::Spec& spec) const;

  /// A guess where none ran before, for order alone: planned passes at the pace of the same network,
  /// else of all networks, else at any.
  double guess(const wire::Spec& spec) const;

 private:
  using Visitor = std::function<void(const store::TimedCell&)>;
  Precedents(const std::function<void(const Visitor&)>& for_each_cell, const std::string& device);

  std::map<std::string, Precedent> known_;
  std::map<std::string, double> paces_;  // seconds of a planned pass, by network and by kind
};

/// Of a database.
/// @param database  a file that need not exist: then nothing is known
Precedents read_precedents(const std::filesystem::path& database, const std::string& device);

/// Forward and backward passes that a specification plans, as far as its numbers of steps, queries,
/// restarts, epochs and samples tell: to compare cells, not to count them.
double planned_passes(const wire::Spec& spec);

struct CostEstimate {
  std::size_t known_cells = 0;    ///< cells to run with a precedent in the database
  std::size_t unknown_cells = 0;  ///< cells to run without one
  CostRange wall_s = {};          ///< of the known ones, divided among the workers
};

CostEstimate estimate_cost(const plan::Plan& plan,
                           const store::DoneCells& done,
                           const Precedents& precedents,
                           std::size_t workers);

/// What each of some cells will take: its precedent, or else a guess.
std::vector<run::CellCost> costs_of_cells(const std::vector<wire::Cell>& cells,
                                          const Precedents& precedents);

/// "3m20s to 4m10s", "about 3m20s, and 4 cells of kinds that never ran here", "unknown: ..."
std::string to_text(const CostEstimate& estimate);

}  // namespace unmask::cli
