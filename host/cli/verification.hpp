#pragma once
// Executing stored cells again, to see whether they still give what is stored.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/host_context.hpp"
#include "run/progress.hpp"
#include "store/store.hpp"
#include "store/verification.hpp"
#include "table/table.hpp"
#include "wire/cell.hpp"

namespace unmask::cli {

/// How many of the stored cells: a share of them, at least one, or a number.
struct SampleSize {
  double share = 0;                  ///< in (0, 1], without a number
  std::optional<std::size_t> count;  ///< at least 1

  /// Of `total` cells.
  std::size_t of(std::size_t total) const;
};

/// "5%", "12.5%", "20". @throws UsageError for anything else, and for none at all
SampleSize parse_sample(const std::string& text);

/// A choice that follows from the keys and the seed alone, in the order of the plan.
std::vector<wire::Cell> choose_cells(const std::vector<wire::Cell>& cells,
                                     const SampleSize& size,
                                     std::int64_t seed);

struct VerifyOptions {
  std::filesystem::path database;
  std::vector<std::filesystem::path> manifests;  ///< empty: those of the database's studies
  std::vector<std::string> filters;              ///< as for --only; empty: all stored cells
  SampleSize sample;
  std::int64_t seed = 0;
  bool trainings = false;  ///< them, too
  bool records = true;     ///< in the database, which is a writer then
  std::string device = "auto";
  std::optional<int> workers;
  std::vector<std::string> plugin_dirs;  ///< as given, for commands that are printed
};

/// One chosen cell and what came of it.
struct VerifiedCell {
  wire::Cell cell;
  store::StoredOrigin origin;
  std::optional<std::string> obstacle;              ///< it was not executed, and why
  std::optional<store::VerificationRecord> record;  ///< nullopt: an obstacle
};

struct VerifyReport {
  std::vector<VerifiedCell> cells;
  nlohmann::json environment;      ///< of now
  std::vector<std::string> notes;  ///< for people

  /// Cells with this outcome: "equal", "differs", "failed"; "" for those with an obstacle.
  std::size_t count(const std::string& outcome) const;
  bool is_flawless() const { return count("equal") == cells.size(); }
};

/// Execute a choice of the stored cells again in workers, compare and record. Stored results stay as
/// they are, and nothing is trained that was not asked for.
/// @param store  a writer when `options.records`
/// @throws UsageError when nothing stored fits; Error of any other kind
VerifyReport verify_cells(const HostContext& host,
                          store::Store& store,
                          const VerifyOptions& options,
                          run::Progress& progress);

/// What rounds: LibTorch and its kernels, or the GPU, of a recorded environment.
std::string arithmetic_of(const nlohmann::json& environment, const std::string& device);

/// One row for each cell, or for each difference that was kept.
/// @param most  differences shown of one cell
table::Table verification_table(const VerifyReport& report, std::size_t most);

}  // namespace unmask::cli
