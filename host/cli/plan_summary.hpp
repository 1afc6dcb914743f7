#pragma once
// Counting a plan against the store: what plan and status print.

#include <array>
#include <string>
#include <vector>

#include "cli/lost_results.hpp"
#include "plan/planner.hpp"
#include "store/store.hpp"
#include "wire/cell.hpp"

namespace unmask::cli {

struct PlanSummary {
  struct Count {
    std::size_t total = 0;
    std::size_t stored = 0;
  };
  std::array<Count, 3> of_kind;  ///< by wire::CellKind
  store::DoneCells done;         ///< what a run need not do: see summarize()
  std::vector<LostResult> lost;  ///< stored, but run again because of their files
  std::size_t unrecorded = 0;    ///< of `done`, trainings that the next run records
  std::size_t outdated = 0;      ///< stored results of other weights of those: they run again

  std::size_t total() const;
  std::size_t stored() const;
};

/// What a run would find: what is stored and has files that are what they were, and trainings that
/// ended but were not recorded, which it takes over.
/// @param database  a file that need not exist: then nothing is stored
PlanSummary summarize(const plan::Plan& plan, const std::filesystem::path& database);

/// A table: kind, total, stored, to run; and a note about what is not recorded yet.
std::string to_text(const PlanSummary& summary);

}  // namespace unmask::cli
