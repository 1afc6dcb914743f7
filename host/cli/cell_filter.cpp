#include "cli/cell_filter.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <optional>

#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

const std::vector<std::string> kAxes = {"kind",
                                        "dataset",
                                        "model",
                                        "objective",
                                        "train_solver",
                                        "train_seed",
                                        "solver",
                                        "gradient",
                                        "source",
                                        "attack",
                                        "probe",
                                        "epsilon",
                                        "seed",
                                        "key"};

// nullopt: the cell has no such axis, so nothing matches.
std::optional<std::string> value_of(const wire::Cell& cell, const std::string& axis) {
  const wire::CellLabels& l = cell.labels;
  const bool evaluates = cell.kind != wire::CellKind::kTrain;
  if (axis == "kind") return wire::to_string(cell.kind);
  if (axis == "dataset") return l.dataset;
  if (axis == "model") return l.model;
  if (axis == "objective") return l.objective;
  if (axis == "train_solver") return l.train_solver;
  if (axis == "train_seed") return std::to_string(l.train_seed);
  if (axis == "key") return cell.key;
  if (!evaluates) return std::nullopt;
  if (axis == "solver") return l.solver;
  if (axis == "gradient") return l.gradient.empty() ? "@eval" : l.gradient;
  if (axis == "source") return l.source.empty() ? "@self" : l.source;
  if (axis == "attack" && cell.kind == wire::CellKind::kAttack) return l.method;
  if (axis == "probe" && cell.kind == wire::CellKind::kProbe) return l.method;
  if (axis == "epsilon") return l.epsilon_text;
  if (axis == "seed") return std::to_string(l.seed);
  return std::nullopt;
}

using Condition = std::pair<std::string, std::string>;  // axis, pattern

std::vector<Condition> parse_filter(const std::string& filter) {
  std::vector<Condition> conditions;
  std::size_t first = 0;
  while (first <= filter.size()) {
    const std::size_t last = std::min(filter.find(',', first), filter.size());
    const std::string part = filter.substr(first, last - first);
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) {
      throw UsageError("--only \"" + filter + "\": \"" + part + "\" is not axis=pattern");
    }
    const std::string axis = part.substr(0, equals);
    if (std::find(kAxes.begin(), kAxes.end(), axis) == kAxes.end()) {
      throw UsageError("--only \"" + filter + "\": unknown axis \"" + axis + "\"\n" +
                       words::help_for_unknown(axis, kAxes, "axes"));
    }
    conditions.emplace_back(axis, part.substr(equals + 1));
    first = last + 1;
  }
  return conditions;
}

bool matches(const wire::Cell& cell, const std::vector<Condition>& conditions) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const Condition& condition) {
    const auto value = value_of(cell, condition.first);
    return value && ::fnmatch(condition.second.c_str(), value->c_str(), 0) == 0;
  });
}

}  // namespace

std::vector<wire::Cell> filter_cells(const std::vector<wire::Cell>& cells,
                                     const std::vector<std::string>& filters) {
  if (filters.empty()) return cells;
  std::vector<bool> is_chosen(cells.size(), false);
  for (const std::string& filter : filters) {
    const auto conditions = parse_filter(filter);
    bool found = false;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (!matches(cells[i], conditions)) continue;
      found = true;
      is_chosen[i] = true;
      for (const std::size_t needs : cells[i].all_needs()) is_chosen[needs] = true;
    }
    if (!found)
      throw UsageError("--only \"" + filter +
                       "\" matches no cell of the plan (unmask plan --list)");
  }
  std::vector<wire::Cell> chosen;
  std::map<std::size_t, std::size_t> new_index;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!is_chosen[i]) continue;
    new_index[i] = chosen.size();
    chosen.push_back(cells[i]);
    for (auto* needs : {&chosen.back().needs, &chosen.back().needs_source}) {
      if (*needs) *needs = new_index.at(**needs);
    }
  }
  return chosen;
}

}  // namespace unmask::cli
