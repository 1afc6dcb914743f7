#pragma once
// Counting a plan against the store: what plan and status print.

#include <array>
#include <string>

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
  store::DoneCells done;

  std::size_t total() const;
  std::size_t stored() const;
};

/// @param database  a file that need not exist: then nothing is stored
PlanSummary summarize(const plan::Plan& plan, const std::filesystem::path& database);

/// A table: kind, total, stored, to run.
std::string to_text(const PlanSummary& summary);

}  // namespace unmask::cli
