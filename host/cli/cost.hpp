#pragma once
// How long the missing cells of a plan will take, judged by what equal kinds of cells took before.

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "plan/planner.hpp"
#include "store/store.hpp"

namespace unmask::cli {

struct CostEstimate {
  std::size_t known_cells = 0;    ///< cells to run with a precedent in the database
  std::size_t unknown_cells = 0;  ///< cells to run without one
  double wall_s = 0;              ///< of the known ones, divided among the workers
};

/// The precedent of a cell is the median time of stored cells with the same kind, model, solver and
/// method definitions.
/// @param database  a file that need not exist: then nothing is known
CostEstimate estimate_cost(const plan::Plan& plan,
                           const store::DoneCells& done,
                           const std::filesystem::path& database,
                           std::size_t workers);

/// What each cell of a plan will take [s], for dividing them: its precedent; without one the mean of
/// what its kind takes here; without any, a guess that counts a training ten evaluations.
std::vector<double> costs_of_cells(const plan::Plan& plan, const std::filesystem::path& database);

/// "about 3m20s", "about 3m20s, and 4 cells that never ran before", "unknown: ..."
std::string to_text(const CostEstimate& estimate);

}  // namespace unmask::cli
