#include "store/sql_values.hpp"

#include <cmath>

namespace unmask::store {

void bind_with_flag(Statement& statement, double value) {
  if (std::isfinite(value)) {
    statement.bind(value).bind_null();
  } else {
    statement.bind_null().bind(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
  }
}

void bind_finite_or_null(Statement& statement, double value) {
  if (std::isfinite(value)) {
    statement.bind(value);
  } else {
    statement.bind_null();
  }
}

std::string json_text(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<std::string> member_text(const nlohmann::json& object, const std::string& name) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->is_string() ? found->get<std::string>() : json_text(*found);
}

std::int64_t only_integer(Statement& statement, const std::string& what) {
  UNMASK_CHECK(statement.step(), what + " is not in the database");
  const std::int64_t value = statement.integer(0);
  statement.reset();
  return value;
}

}  // namespace unmask::store
