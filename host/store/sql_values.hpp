#pragma once
// Small helps between C++ values and statements.

#include <cstdint>
#include <string>

#include "store/database.hpp"

namespace unmask::store {

/// A number that may be none: the value and the flag beside it.
void bind_with_flag(Statement& statement, double value);

void bind_finite_or_null(Statement& statement, double value);

/// The id that a statement with one row and one column yields.
/// @throws InternalError when there is no row; it says that `what` is not in the database
std::int64_t only_integer(Statement& statement, const std::string& what);

}  // namespace unmask::store
