#pragma once
// The axes of the two stages and what a row is: one value per axis. Also the state that all parts
// of a stage share while it is expanded. Private to matrix.cpp and its parts.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "manifest/definitions.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {

/// Values of an axis are numbers: the index of a definition, a seed, the index of an epsilon, the
/// index of a train row, the index of a source. A gradient is the index of a solver, or the number
/// of solvers plus the index of a mean.
using AxisValue = std::int64_t;
inline constexpr AxisValue kNone = -2;  ///< the row has no such axis
inline constexpr AxisValue kToken =
    -1;  ///< "@train" of solver, "@eval" of gradient, "@self" of source

/// 2^53 - 1: SQLite, JavaScript and jq agree.
inline constexpr std::int64_t kLargestSeed = 9007199254740991;

enum class AxisType { kName, kSeed, kEpsilon, kCheckpoint, kGradient, kSource };

struct Axis {
  const char* name;
  AxisType type;
  const char* kind;       ///< of names
  const char* token;      ///< the special name, or ""
  bool in_matrix = true;  ///< false: only added cells and rules use this key

  bool has_token() const { return *token != '\0'; }
  /// True when values are written as words, which may be globs and take a "!".
  bool is_worded() const { return type != AxisType::kSeed && type != AxisType::kEpsilon; }
  /// True when values are names of definitions, perhaps among others.
  bool is_named() const { return type == AxisType::kName || type == AxisType::kGradient; }
};

inline constexpr std::array<Axis, 5> kTrainAxes = {{{"dataset", AxisType::kName, "dataset", ""},
                                                    {"model", AxisType::kName, "model", ""},
                                                    {"objective", AxisType::kName, "objective", ""},
                                                    {"solver", AxisType::kName, "solver", ""},
                                                    {"seed", AxisType::kSeed, "", ""}}};
enum TrainAxis : std::size_t { kDataset, kModel, kObjective, kTrainSolver, kTrainSeed };

// The matrix lists its probes under "probes".
inline constexpr std::array<Axis, 8> kEvaluateAxes = {
    {{"checkpoint", AxisType::kCheckpoint, "", ""},
     {"solver", AxisType::kName, "solver", "@train"},
     {"attack", AxisType::kName, "attack", ""},
     {"epsilon", AxisType::kEpsilon, "", ""},
     {"seed", AxisType::kSeed, "", ""},
     {"gradient", AxisType::kGradient, "solver", "@eval"},
     {"source", AxisType::kSource, "", "@self"},
     {"probe", AxisType::kName, "probe", "", false}}};
enum EvaluateAxis : std::size_t {
  kCheckpoint,
  kSolver,
  kAttack,
  kEpsilon,
  kSeed,
  kGradient,
  kSource,
  kProbe
};

/// The values of a cell, by axis. A stage with fewer axes leaves the rest at kNone.
using Row = std::array<AxisValue, kEvaluateAxes.size()>;

/// A row without any value but the seed, which is 0 unless a manifest says otherwise.
inline Row row_with_seed(std::size_t seed_axis) {
  Row row;
  row.fill(kNone);
  row[seed_axis] = 0;
  return row;
}

/// What all parts of one stage share.
class StageContext {
 public:
  StageContext(const char* stage_name,
               std::span<const Axis> stage_axes,
               const Definitions& all_definitions,
               Reporter& errors)
      : name(stage_name), axes(stage_axes), definitions(all_definitions), reporter(errors) {}
  StageContext(const StageContext&) = delete;
  StageContext& operator=(const StageContext&) = delete;
  ~StageContext() = default;

  /// A value was dropped because it is wrong: rules may match nothing for that reason alone.
  void taint() { is_tainted_ = true; }
  bool is_tainted() const { return is_tainted_; }

  std::optional<std::size_t> axis_index(std::string_view key) const {
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (key == axes[i].name) return i;
    }
    return std::nullopt;
  }

  const char* const name;  ///< "train" or "evaluate"
  const std::span<const Axis> axes;
  const Definitions& definitions;
  Reporter& reporter;

 private:
  bool is_tainted_ = false;
};

}  // namespace unmask::manifest::matrix
