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

std::int64_t only_integer(Statement& statement, const std::string& what) {
  UNMASK_CHECK(statement.step(), what + " is not in the database");
  const std::int64_t value = statement.integer(0);
  statement.reset();
  return value;
}

}  // namespace unmask::store
