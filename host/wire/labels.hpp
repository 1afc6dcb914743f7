#pragma once
// The axes by which a study tells its cells apart, once: filters of the command line, the columns of
// the database and the JSON form of a cell's labels iterate this table. A new axis is a member of
// CellLabels, a row here, and its meaning in the planner.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "wire/cell.hpp"

namespace unmask::wire {

struct LabelAxis {
  using Member = std::variant<std::string CellLabels::*,
                              std::int64_t CellLabels::*,
                              std::optional<double> CellLabels::*>;

  const char* column;  ///< in the database and in JSON
  Member member;
  /// What filters call it, by kind of cell (train, attack, probe); "": such a cell has no such axis.
  std::array<const char*, 3> filter;
  const char* absent = "";  ///< how manifests write that there is none: "@eval"
};

inline constexpr std::array<LabelAxis, 12> kLabelAxes = {
    {{"dataset", &CellLabels::dataset, {"dataset", "dataset", "dataset"}},
     {"model", &CellLabels::model, {"model", "model", "model"}},
     {"objective", &CellLabels::objective, {"objective", "objective", "objective"}},
     {"train_solver", &CellLabels::train_solver, {"train_solver", "train_solver", "train_solver"}},
     {"train_seed", &CellLabels::train_seed, {"train_seed", "train_seed", "train_seed"}},
     {"solver", &CellLabels::solver, {"", "solver", "solver"}},
     {"gradient", &CellLabels::gradient, {"", "gradient", "gradient"}, "@eval"},
     {"source", &CellLabels::source, {"", "source", "source"}, "@self"},
     {"method", &CellLabels::method, {"", "attack", "probe"}},
     {"epsilon", &CellLabels::epsilon, {"", "", ""}},
     {"epsilon_text", &CellLabels::epsilon_text, {"", "epsilon", "epsilon"}},
     {"seed", &CellLabels::seed, {"", "seed", "seed"}}}};

/// Adds the text that the JSON form of labels has, what is not UTF-8 in it replaced: what dump() gives,
/// ten times as fast, since plans of many cells are told apart by it.
void append_json(const CellLabels& labels, std::string& text);

/// What filters may name: the axes, "kind" and "key".
std::vector<std::string> filter_axes();

/// What a filter compares its pattern with; nullopt when the cell has no such axis.
std::optional<std::string> filter_value(const Cell& cell, const std::string& axis);

}  // namespace unmask::wire
