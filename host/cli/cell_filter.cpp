#include "cli/cell_filter.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "text/conditions.hpp"
#include "text/globs.hpp"
#include "unmask/errors.hpp"
#include "wire/labels.hpp"

namespace unmask::cli {
namespace {

bool matches(const wire::Cell& cell, const std::vector<words::Condition>& conditions) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const words::Condition& condition) {
    const auto value = wire::filter_value(cell, condition.axis);
    return value && words::glob_matches(condition.pattern, *value);
  });
}

// By any of its names: equal definitions are one cell.
bool is_meant(const wire::Cell& cell, const std::vector<words::Condition>& conditions) {
  return matches(cell, conditions) ||
         std::any_of(cell.aliases.begin(), cell.aliases.end(), [&](const wire::CellLabels& labels) {
           wire::Cell named;
           named.kind = cell.kind;
           named.key = cell.key;
           named.labels = labels;
           return matches(named, conditions);
         });
}

std::vector<wire::Cell> chosen_cells(const std::vector<wire::Cell>& cells,
                                     const std::vector<std::string>& filters,
                                     bool with_needs) {
  if (filters.empty()) return cells;
  std::set<std::string> chosen;
  for (const std::string& filter : filters) {
    const auto conditions = words::parse_conditions(filter, wire::filter_axes(), "the filter ");
    bool found = false;
    for (const wire::Cell& cell : cells) {
      if (!is_meant(cell, conditions)) continue;
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

std::string filter_of_word(const std::string& word) {
  if (word.find('=') != std::string::npos) return word;
  if (word.empty() || word.find_first_not_of("0123456789abcdef") != std::string::npos) {
    throw UsageError("\"" + word +
                     "\" is neither the beginning of a key (unmask plan --list) nor a filter like "
                     "attack=pgd*");
  }
  return "key=" + word + "*";
}

}  // namespace unmask::cli
