#include "cli/answer.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "results/selection.hpp"

namespace unmask::cli {
namespace {

void erase_column(table::Table& table, std::size_t column) {
  const auto at = static_cast<std::ptrdiff_t>(column);
  table.columns.erase(table.columns.begin() + at);
  for (auto& row : table.rows) row.erase(row.begin() + at);
}

bool is_nothing(const table::Value& value) {
  const auto* integer = std::get_if<std::int64_t>(&value);
  return std::holds_alternative<std::monostate>(value) || (integer != nullptr && *integer == 0);
}

}  // namespace

void drop_columns(table::Table& table, const std::vector<std::string_view>& names) {
  for (std::size_t c = table.columns.size(); c-- > 0;) {
    if (std::find(names.begin(), names.end(), table.columns[c]) != names.end()) {
      erase_column(table, c);
    }
  }
}

void drop_empty_column(table::Table& table, std::string_view name) {
  const auto found = std::find(table.columns.begin(), table.columns.end(), name);
  if (found == table.columns.end()) return;
  const auto c = static_cast<std::size_t>(found - table.columns.begin());
  if (std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
        return is_nothing(row[c]);
      })) {
    erase_column(table, c);
  }
}

void round_reals(table::Table& table, int digits) {
  for (auto& row : table.rows) {
    for (table::Value& value : row) {
      auto* real = std::get_if<double>(&value);
      if (real == nullptr) continue;
      char text[40];
      std::snprintf(text, sizeof text, "%.*g", digits, *real);
      *real = std::strtod(text, nullptr);
    }
  }
}

std::string take_constant_labels(table::Table& table,
                                 const std::function<bool(const std::string&)>& is_label) {
  std::string common;
  if (table.rows.empty()) return common;
  for (std::size_t c = table.columns.size(); c-- > 0;) {
    if (!is_label(table.columns[c])) continue;
    const table::Value first = table.rows.front()[c];
    if (std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
          return row[c] != first;
        })) {
      continue;
    }
    if (const std::string text = results::text_of(first); !text.empty()) {
      common = table.columns[c] + " = " + text + (common.empty() ? "" : ", ") + common;
    }
    erase_column(table, c);
  }
  return common;
}

}  // namespace unmask::cli
