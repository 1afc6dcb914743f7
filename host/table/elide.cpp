#include "table/elide.hpp"

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "text/utf8.hpp"

namespace unmask::table {
namespace {

// Names are told apart by as much.
constexpr std::size_t kNarrowest = 8;

// As print() lays the columns out: the line of dashes below the names says it.
std::vector<std::size_t> column_widths(const Table& table) {
  const std::string text = to_text(table, Format::kTable);
  const std::size_t begin = text.find('\n') + 1;
  std::vector<std::size_t> widths(1, 0);
  for (std::size_t i = begin; text[i] != '\n'; ++i) {
    if (text[i] == '-') {
      ++widths.back();
    } else if (text[i - 1] == '-') {
      widths.push_back(0);
    }
  }
  return widths;
}

bool has_texts(const Table& table, std::size_t column) {
  return std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
    return std::holds_alternative<std::string>(row[column]);
  });
}

std::size_t width_of(const std::vector<std::size_t>& widths) {
  std::size_t total = 2 * (widths.size() - 1);
  for (const std::size_t one : widths) total += one;
  return total;
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    widest = std::max(widest, display_width(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  return widest;
}

}  // namespace

std::string elided(std::string_view text, std::size_t width) {
  std::string result;
  std::size_t column = 0, kept = 0;  // of the line; bytes of the result that leave room for "~"
  bool is_full = false;
  for (std::size_t at = 0; at < text.size();) {
    const words::CodePoint point = words::code_point_at(text, at);
    const std::string_view character = text.substr(at, point.bytes);
    at += point.bytes;
    if (character == "\n") {
      result += character;
      column = 0;
      kept = result.size();
      is_full = false;
      continue;
    }
    if (is_full) continue;
    const std::size_t size = display_width(character);
    if (column + size > width) {
      result.resize(kept);
      result += '~';
      is_full = true;
      continue;
    }
    result += character;
    column += size;
    if (column < width) kept = result.size();
  }
  return result;
}

Table elided(Table table, std::size_t width) {
  if (table.columns.empty()) return table;
  const std::vector<std::size_t> before = column_widths(table);
  std::vector<std::size_t> widths = before;
  if (widths.size() != table.columns.size()) return table;  // a column without a name
  std::size_t total = width_of(widths);
  // One column less of the widest text, again and again: equal ones shrink together.
  for (; total > width; --total) {
    std::optional<std::size_t> widest;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      if (widths[c] <= kNarrowest || !has_texts(table, c)) continue;
      if (!widest || widths[c] > widths[*widest]) widest = c;
    }
    if (!widest) break;
    --widths[*widest];
  }
  for (std::size_t c = 0; c < widths.size(); ++c) {
    if (widths[c] == before[c]) continue;
    table.columns[c] = elided(table.columns[c], widths[c]);
    for (auto& row : table.rows) {
      if (auto* text = std::get_if<std::string>(&row[c])) *text = elided(*text, widths[c]);
    }
  }
  return table;
}

void print_elided(std::ostream& out,
                  const Table& table,
                  std::span<const std::string_view> names,
                  std::size_t width) {
  const auto fitting = [&](const Table& one) {
    std::ostringstream text;
    print_fitting(text, one, names, width);
    return text.str();
  };
  std::string text = fitting(table);
  if (!table.columns.empty() && widest_line(text) > width) {
    // What goes to headings needs no room, so less may have to be cut than for the whole table.
    std::size_t low = width, high = std::max(width, width_of(column_widths(table)));
    text = fitting(elided(table, low));
    while (low < high) {
      const std::size_t middle = low + (high - low + 1) / 2;
      std::string next = fitting(elided(table, middle));
      if (widest_line(next) <= width) {
        low = middle;
        text = std::move(next);
      } else {
        high = middle - 1;
      }
    }
  }
  out << text;
}

}  // namespace unmask::table
