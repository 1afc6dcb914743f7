#pragma once
// Tables on terminals that are too narrow for them: texts are cut, numbers never.

#include <cstddef>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

#include "table/table.hpp"

namespace unmask::table {

/// The table with its texts cut so that print() needs at most `width` columns for it: the widest
/// columns of texts first, none to less than 8 columns; numbers stay whole. A cut text ends in "~".
Table elided(Table table, std::size_t width);

/// The first `width` columns of each line; a cut line ends in "~".
std::string elided(std::string_view text, std::size_t width);

/// As print_fitting(), and where that leaves lines wider than the terminal, with texts cut as little
/// as will do.
void print_elided(std::ostream& out,
                  const Table& table,
                  std::span<const std::string_view> names,
                  std::size_t width);

}  // namespace unmask::table
