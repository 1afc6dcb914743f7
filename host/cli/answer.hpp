#pragma once
// What commands do to a table before a person reads it.

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "table/table.hpp"

namespace unmask::cli {

/// Columns of a terminal that is not wide, and of a page.
inline constexpr std::size_t kAnswerWidth = 100;

/// Columns of these names go.
void drop_columns(table::Table& table, const std::vector<std::string_view>& names);

/// The column goes when it holds nothing but NULL and 0.
void drop_empty_column(table::Table& table, std::string_view name);

/// Reals with so many significant digits.
void round_reals(table::Table& table, int digits);

/// Take those columns out that have one value throughout, and return them as
/// "model = resnet, norm = linf"; those without any value go unmentioned.
std::string take_constant_labels(table::Table& table,
                                 const std::function<bool(const std::string&)>& is_label);

}  // namespace unmask::cli
