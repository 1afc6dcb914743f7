#include "store/row_values.hpp"

#include <cstdint>
#include <variant>

#include <nlohmann/json.hpp>
#include <sqlite3.h>

namespace unmask::store {

Row row_of(const Statement& statement) {
  Row row;
  for (int column = 0; column < statement.column_count(); ++column) {
    switch (statement.column_type(column)) {
      case SQLITE_NULL: row.emplace_back(); break;
      case SQLITE_INTEGER: row.emplace_back(statement.integer(column)); break;
      case SQLITE_FLOAT: row.emplace_back(statement.real(column)); break;
      default: row.emplace_back(statement.text(column));
    }
  }
  return row;
}

void bind_value(Statement& statement, const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    statement.bind(*integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    statement.bind(*real);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    statement.bind(*text);
  } else {
    statement.bind_null();
  }
}

void bind_row(Statement& statement, const Row& row, std::size_t first) {
  for (std::size_t i = first; i < row.size(); ++i) bind_value(statement, row[i]);
}

std::string to_text(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  // The shortest text that reads back to the same number.
  if (const auto* real = std::get_if<double>(&value)) return nlohmann::json(*real).dump();
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "";
}

std::string to_text(const Row& row) {
  std::string text;
  for (const Value& value : row) {
    if (std::holds_alternative<std::monostate>(value)) continue;
    if (!text.empty()) text += ", ";
    text += to_text(value);
  }
  return text;
}

}  // namespace unmask::store
