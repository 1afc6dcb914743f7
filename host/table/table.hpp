#pragma once
// A table of values and the ways to print it: what queries yield and what every command that lists
// something prints.

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace unmask::table {

/// One value; std::monostate is SQL's NULL: "there is no value".
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;  ///< each as long as `columns`
};

enum class Format {
  kTable,      ///< aligned columns for a terminal; reals with 6 significant digits
  kCsv,        ///< RFC 4180, one header line, "\n" line ends; reals read back to the same double
  kJson,       ///< an array of objects, one per line; column order kept, NULL is null
  kJsonLines,  ///< one such object per line, without an array around them
  kMarkdown,   ///< a pipe table; reals with 6 significant digits
  /// A tabular environment with the rules of booktabs; reals with 6 significant digits. A column with
  /// "lower" and "upper" behind it is one with them: 0.280 [0.201, 0.375].
  kLatex
};

/// A column in which one value of several is the best.
struct Best {
  std::string column;
  bool is_larger = true;  ///< the larger is the better
};

/// What a table says about its numbers; only kLatex shows it: the best stand out in bold.
struct Style {
  std::vector<Best> best;
  std::vector<std::string> within;  ///< columns that rows must share to be compared
  std::vector<std::pair<std::size_t, std::size_t>> bold;  ///< fields that are the best: row, column
};

/// "table", "csv", "json", "markdown", "latex". "text" is another name of "table".
/// @throws UsageError that lists the names, for anything else
Format parse_format(std::string_view text);

/// Write the table. Numbers are right-aligned and NULL is empty, where the format has alignment and
/// emptiness.
void print(std::ostream& out, const Table& table, Format format, const Style& style = {});

/// The same as text.
std::string to_text(const Table& table, Format format, const Style& style = {});

/// Take those columns out of a table of several rows that have the same value in every row, and
/// return them as "study = quickstart, n = 100". One without any value goes unmentioned.
/// @param names  the columns that may go
std::string take_common_columns(Table& table, std::span<const std::string_view> names);

/// Print for a terminal of `width` columns. A table that is wider gives its first columns, as few as
/// will do, to headings "model = ode, solver = rk4" above the rows that have these values. What
/// stands below them may still be too wide; then all of `names` that come first are headings.
/// @param names  the columns that may go; where rows of equal values are not side by side, none does
void print_fitting(std::ostream& out,
                   const Table& table,
                   std::span<const std::string_view> names,
                   std::size_t width);

/// A line as lines of at most `width` columns, broken at blanks; all but the first begin with `indent`
/// blanks. A longer word stays whole.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent = 2);

/// Columns that a terminal needs for a UTF-8 text: combining marks take none, East Asian wide
/// characters and emoji take two; a byte that is not UTF-8 takes one.
std::size_t display_width(std::string_view text);

}  // namespace unmask::table
