#pragma once
// The values of one cell's result: into the tables, and out again.

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "store/database.hpp"
#include "wire/result.hpp"

namespace unmask::store {

/// Names of the tables that hold values; the first column of each is the cell.
std::span<const char* const> value_tables();

/// Execute a statement that takes what a plugin or its network made. Whatever that is, it must not
/// look like a fault of the database.
/// @param what  names it: metric "loss"
/// @throws RefusedResult when a rule of the schema forbids it
void insert_checked(Statement& statement, const std::function<std::string()>& what);

/// @throws RefusedResult for values that cannot be
void insert_values(Database& database, std::int64_t cell, const wire::CellResult& result);

/// Delete the values of a cell and mark its attempt as discarded.
void discard_values(Database& database, std::int64_t cell, const std::string& reason);

}  // namespace unmask::store
