#include "cli/cell_filter.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "text/suggest.hpp"
#include "unmask/errors.hpp"
#include "wire/labels.hpp"

namespace unmask::cli {
namespace {

using Condition = std::pair<std::string, std::string>;  // axis, pattern

std::vector<Condition> parse_filter(const std::string& filter) {
  std::vector<Condition> conditions;
  std::size_t first = 0;
  while (first <= filter.size()) {
    const std::size_t last = std::min(filter.find(',', first), filter.size());
    const std::string part = filter.substr(first, last - first);
    const std::size_t equals = part.find('=');
    if (equals == std::string::npos) {
      throw UsageError("the filter \"" + filter + "\": \"" + part + "\" is not axis=pattern");
    }
    const std::string axis = part.substr(0, equals);
    const std::vector<std::string> axes = wire::filter_axes();
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) {
      throw UsageError("the filter \"" + filter + "\": unknown axis \"" + axis + "\"\n" +
                       words::help_for_unknown(axis, axes, "axes"));
    }
    conditions.emplace_back(axis, part.substr(equals + 1));
    first = last + 1;
  }
  return conditions;
}

bool matches(const wire::Cell& cell, const std::vector<Condition>& conditions) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const Condition& condition) {
    const auto value = wire::filter_value(cell, condition.first);
    return value && ::fnmatch(condition.second.c_str(), value->c_str(), 0) == 0;
  });
}

}  // namespace

namespace {

std::vector<wire::Cell> chosen_cells(const std::vector<wire::Cell>& cells,
                                     const std::vector<std::string>& filters,
                                     bool with_needs) {
  if (filters.empty()) return cells;
  std::set<std::string> chosen;
  for (const std::string& filter : filters) {
    const auto conditions = parse_filter(filter);
    bool found = false;
    for (const wire::Cell& cell : cells) {
      if (!matches(cell, conditions)) continue;
      found = true;
      chosen.insert(cell.key);
      if (!with_needs) continue;
      for (const std::string& key : cell.all_needs()) chosen.insert(key);
    }
    if (!found)
      throw UsageError("the filter \"" + filter +
                       "\" matches no cell of the plan (unmask plan --list)");
  }
  std::vector<wire::Cell> result;
  std::copy_if(cells.begin(), cells.end(), std::back_inserter(result), [&](const wire::Cell& cell) {
    return chosen.contains(cell.key);
  });
  return result;
}

}  // namespace

std::vector<wire::Cell> filter_cells(const std::vector<wire::Cell>& cells,
                                     const std::vector<std::string>& filters) {
  return chosen_cells(cells, filters, true);
}

std::vector<wire::Cell> matching_cells(const std::vector<wire::Cell>& cells,
                                       const std::vector<std::string>& filters) {
  return chosen_cells(cells, filters, false);
}

}  // namespace unmask::cli
