#pragma once
// A number of every attack or network as a table of two axes: models by attacks, solvers by radii.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/selection.hpp"
#include "store/store.hpp"
#include "table/table.hpp"

namespace unmask::results {

/// What can stand in a field.
struct PivotValue {
  std::string_view name;     ///< as typed: "worst_case"
  std::string_view meaning;  ///< one line, with the unit
  int better = 0;            ///< 1: the larger, -1: the smaller is the better network; 0: neither
};

std::span<const PivotValue> pivot_values();

enum class Aggregate { kMean, kMin, kMax };

/// @throws UsageError that lists the names
Aggregate parse_aggregate(const std::string& text);

struct PivotQuestion {
  std::vector<std::string> rows, columns;  ///< axes
  std::string value;                       ///< of pivot_values(), or "metric:NAME"
  std::vector<std::string> over;  ///< axes over which the cells of a field are put together
  Aggregate aggregate = Aggregate::kMean;
  Selection selection;
};

/// One field.
struct PivotField {
  std::size_t n = 0;  ///< results behind it; 0: there is none
  double value = 0, least = 0, largest = 0;
  std::optional<double> lower, upper;  ///< 95 % Wilson interval, of one result that is a share
  std::size_t n_missing = 0;  ///< cells of it that the study asks for and that have no result
  bool is_bound = false;      ///< a worst case of which attacks are missing: it may still fall
};

struct Pivot {
  std::vector<std::string> row_axes, column_axes;
  std::vector<std::vector<std::string>> row_labels, column_labels;
  std::vector<std::vector<PivotField>> fields;  ///< [row][column]
  std::string common;                           ///< what is the same in all cells: "norm = linf"
  int better = 0;
};

/// @throws UsageError for axes or values that are none, axes that the value does not have, a field of
///         several cells that differ in an axis which `over` does not name, or nothing that matches
Pivot make_pivot(const store::Store& store, const PivotQuestion& question);

/// For people (text, markdown, latex): a text in each field, "0.265 (n = 2, 0.250 to 0.280)"; "-":
/// nothing of the kind was asked for, "missing": it has no result yet.
/// @param intervals  with the interval of one result behind it
table::Table readable(const Pivot& pivot, bool intervals);

/// For machines (csv, json): numbers, NULL without a result, and for each column what is behind it:
/// "pgd 8/255", "pgd 8/255 n", and where a field has more than one result "... min" and "... max",
/// where one has an interval "... lower" and "... upper", where one is not complete "... missing".
table::Table for_machines(const Pivot& pivot);

/// The best of every column of readable(), as its columns are called.
std::vector<std::vector<bool>> best_fields(const Pivot& pivot);

}  // namespace unmask::results
