#pragma once
// Rows as values, for carrying them from one database into another and for comparing them there.

#include <string>
#include <vector>

#include "store/database.hpp"
#include "table/table.hpp"

namespace unmask::store {

using table::Value;
using Row = std::vector<Value>;

/// All columns of the row that a statement stands on.
Row row_of(const Statement& statement);

/// @param first  the column to begin with
void bind_row(Statement& statement, const Row& row, std::size_t first = 0);

void bind_value(Statement& statement, const Value& value);

/// "pgd", "0.25", "" for NULL.
std::string to_text(const Value& value);

/// "robust_accuracy, 0.66, 100".
std::string to_text(const Row& row);

}  // namespace unmask::store
