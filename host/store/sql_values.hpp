#pragma once
// Small helps between C++ values and statements.

#include <cstdint>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "store/database.hpp"

namespace unmask::store {

/// A number that may be none: the value and the flag beside it.
void bind_with_flag(Statement& statement, double value);

void bind_finite_or_null(Statement& statement, double value);

/// JSON text, whatever bytes its strings hold.
std::string json_text(const nlohmann::json& value);

/// A member of an object as text: a text as it is, anything else as JSON; nothing when it is absent.
std::optional<std::string> member_text(const nlohmann::json& object, const std::string& name);

/// The id that a statement with one row and one column yields.
/// @throws InternalError when there is no row; it says that `what` is not in the database
std::int64_t only_integer(Statement& statement, const std::string& what);

}  // namespace unmask::store
