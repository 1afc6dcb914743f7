#pragma once
// The questions that a report asks of the database, in the order of their tables.

#include <cstddef>
#include <span>
#include <string_view>

namespace unmask::report {

/// What a table is made of: a named query, or SQL of the report itself where no query has its name.
struct Source {
  std::string_view name;
  std::string_view sql = {};    ///< empty: that of the named query
  std::string_view about = {};  ///< likewise
  std::size_t most_rows = 0;    ///< that the page holds; 0: all
};

std::span<const Source> sources();

struct Question {
  std::string_view sql, about;
  bool is_named = false;
};

/// @throws InternalError when the named query is gone
Question question_of(const Source& source);

}  // namespace unmask::report
