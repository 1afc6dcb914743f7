#pragma once
// A part of an attack or probe cell: what a run of its whole batches has yielded. Parts of a cell do
// not need each other; put together in the order of their samples they are the cell's result, bit by
// bit the same however it was divided.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::wire {

/// All solves of one name in one phase, so that those of several parts can be added.
struct SolveTally {
  SolveStats stats;                          ///< its nfe_* are not set
  std::map<std::int64_t, std::int64_t> nfe;  ///< evaluations of a solve -> how many solves
};

/// With nfe_min, nfe_median, nfe_max and nfe_total.
std::vector<SolveStats> rows_of(const std::vector<SolveTally>& tallies);

/// Solves that came later: new names go to the end.
void add_tallies(std::vector<SolveTally>& sum, const std::vector<SolveTally>& more);

/// Samples first .. first + count - 1 of a cell.
struct PartSpan {
  std::int64_t first = 0;
  std::int64_t count = 0;

  std::int64_t last() const { return first + count; }  ///< the first one behind it
};

/// What is known of a cell of which parts are stored.
struct StoredParts {
  std::int64_t total = 0;       ///< samples of the cell
  std::int64_t unit = 1;        ///< see CellPart
  std::vector<PartSpan> spans;  ///< in any order
  double seconds = 0;           ///< that workers spent on them
};

/// What a worker is to do of a cell.
struct PartOrder {
  std::int64_t first = 0;                            ///< where whole batches begin
  std::optional<std::int64_t> count = std::nullopt;  ///< whole batches; nullopt: all that follow
  std::optional<double> seconds = std::nullopt;      ///< stop at a batch's end after so long
};

/// What a cell did one after the other in each batch, where order matters when parts are put
/// together: that of an undivided cell is all of one stage before the next.
enum class Stage { kClean, kMethod, kVerdict };
inline constexpr std::size_t kStages = 3;

struct CellPart {
  CellKind kind = CellKind::kAttack;
  PartSpan span;
  std::int64_t total = 0;  ///< samples of the cell
  std::int64_t unit = 1;   ///< parts begin at multiples of it: whole batches of every kind
  /// Outcomes, values of samples and series of its samples, counters, time, memory, seeds; of the
  /// part that begins at sample 0 also what was measured once, as metrics.
  CellResult found;
  bool is_coupled = false;
  bool has_checks = false;
  std::array<std::vector<SolveTally>, kStages> solves;
  std::array<std::string, kStages> failures;  ///< of a solve, the first one; empty: none
  std::int64_t threat_violations = 0;
  /// Attacked samples of which a gradient was asked; of these, those whose first one was zero; those
  /// of which one was not finite.
  std::array<std::int64_t, 3> gradients = {0, 0, 0};

  bool is_whole() const { return span.first == 0 && span.count == total; }
};

void to_json(nlohmann::json& json, const PartOrder& order);
void from_json(const nlohmann::json& json, PartOrder& order);
void to_json(nlohmann::json& json, const CellPart& part);
void from_json(const nlohmann::json& json, CellPart& part);

/// What is wrong with a part by itself; nullopt: nothing.
std::optional<std::string> complaint(const CellPart& part);

/// The result of a cell.
/// @param parts  all of them, in any order
/// @throws NumericError when no sample has a prediction, or no attacked one could be decided
/// @throws std::runtime_error when a plugin gave other names in one part than in another, or a
///         series of the whole cell twice
/// @throws InternalError when they are not all parts of one cell
CellResult put_together(std::span<const CellPart> parts);

}  // namespace unmask::wire
