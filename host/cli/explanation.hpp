#pragma once
// Why cells of a plan are stored, or will run.

#include <filesystem>
#include <string>
#include <vector>

#include "plan/planner.hpp"
#include "wire/cell.hpp"

namespace unmask::cli {

/// Cells with one and the same reason.
struct Explanation {
  bool is_stored = false;
  std::string reason;  ///< a sentence without its end: "stored: ...", "will run: ..."
  std::vector<wire::Cell> cells;
};

/// Group cells by the reason why a run would take their results or compute them: who computed it;
/// that it was never tried, failed, was interrupted or discarded, or lost its file; and, where it is
/// new, in which component of its key it differs from the stored cell that had its name before, or
/// else from the nearest one.
/// @param plan      of the study, for the trainings that cells refer to
/// @param study     its name
/// @param database  a file that need not exist: then nothing is stored
std::vector<Explanation> explain(const plan::Plan& plan,
                                 const std::string& study,
                                 const std::vector<wire::Cell>& cells,
                                 const std::filesystem::path& database);

}  // namespace unmask::cli
