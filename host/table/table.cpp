#include "table/table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "table/latex.hpp"
#include "text/utf8.hpp"
#include "unmask/errors.hpp"

namespace unmask::table {
namespace {

struct NamedFormat {
  std::string_view name;
  Format format;
};

constexpr NamedFormat kFormats[] = {{"table", Format::kTable},
                                    {"text", Format::kTable},
                                    {"csv", Format::kCsv},
                                    {"json", Format::kJson},
                                    {"markdown", Format::kMarkdown},
                                    {"latex", Format::kLatex}};

bool is_null(const Value& value) {
  return std::holds_alternative<std::monostate>(value);
}
bool is_text(const Value& value) {
  return std::holds_alternative<std::string>(value);
}

// Six significant digits: what a person reads.
std::string short_real(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.6g", value);
  return buffer.data();
}

// The shortest text that reads back to the same double, whatever the locale.
std::string exact_real(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

std::string plain(const Value& value, bool exact) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) {
    return exact ? exact_real(*real) : short_real(*real);
  }
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "";
}

// Control characters would break lines and alignment, or command the terminal.
std::string terminal_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      std::array<char, 8> buffer{};
      std::snprintf(buffer.data(), buffer.size(), "\\x%02x", static_cast<unsigned>(byte));
      result += buffer.data();
    } else {
      result += c;
    }
  }
  return result;
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of("\",\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + "\"";
}

std::string markdown_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '\\' || c == '<' || c == '*' || c == '`') result += '\\';
    if (c == '\n') {
      result += "<br>";
    } else {
      result += c;
    }
  }
  return result;
}

// A column of numbers is aligned to the right. A column without any value is not.
std::vector<bool> right_aligned(const Table& table) {
  std::vector<bool> result(table.columns.size(), false);
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    bool has_value = false;
    bool has_text = false;
    for (const auto& row : table.rows) {
      has_value = has_value || !is_null(row[c]);
      has_text = has_text || is_text(row[c]);
    }
    result[c] = has_value && !has_text;
  }
  return result;
}

std::string padded(const std::string& text, std::size_t width, bool to_the_right) {
  const std::size_t own = display_width(text);
  const std::string space(width > own ? width - own : 0, ' ');
  return to_the_right ? space + text : text + space;
}

// Texts of all fields and the widths of their columns; row 0 is the header.
struct Grid {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> widths;
};

Grid make_grid(const Table& table, std::string (*escape)(std::string_view)) {
  Grid grid;
  grid.widths.assign(table.columns.size(), 0);
  const auto add = [&](std::vector<std::string> fields) {
    for (std::size_t c = 0; c < fields.size(); ++c) {
      grid.widths[c] = std::max(grid.widths[c], display_width(fields[c]));
    }
    grid.rows.push_back(std::move(fields));
  };
  std::vector<std::string> header;
  header.reserve(table.columns.size());
  for (const std::string& name : table.columns) header.push_back(escape(name));
  add(std::move(header));
  for (const auto& row : table.rows) {
    std::vector<std::string> fields;
    fields.reserve(row.size());
    for (const Value& value : row) fields.push_back(escape(plain(value, false)));
    add(std::move(fields));
  }
  return grid;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const char c : text) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  while (lines.size() > 1 && lines.back().empty()) lines.pop_back();
  return lines;
}

// Rows of which every field is one line: a row with texts of several lines becomes several rows,
// whose other fields are empty.
// @param starts  gets for each of the given rows which of the new ones is its first
Table with_single_lines(const Table& table, std::vector<std::size_t>& starts) {
  Table result{table.columns, {}};
  for (const auto& row : table.rows) {
    const std::size_t first = result.rows.size();
    starts.push_back(first);
    result.rows.push_back(row);
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (!is_text(row[c])) continue;
      const std::vector<std::string> lines = lines_of(std::get<std::string>(row[c]));
      for (std::size_t i = 0; i < lines.size(); ++i) {
        if (first + i == result.rows.size()) result.rows.emplace_back(row.size());
        result.rows[first + i][c] = lines[i];
      }
    }
  }
  return result;
}

// @param headings  what stands above a row
void print_table(std::ostream& out,
                 const Table& given,
                 const std::map<std::size_t, std::string>& headings = {}) {
  std::vector<std::size_t> starts;
  const Table table = with_single_lines(given, starts);
  const Grid grid = make_grid(table, terminal_text);
  const std::vector<bool> right = right_aligned(table);
  std::map<std::size_t, std::string> above;  // a row of the grid
  for (const auto& [row, text] : headings) above[starts[row] + 1] = text;
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    if (const auto heading = above.find(r); heading != above.end()) {
      out << (r > 1 ? "\n" : "") << heading->second << '\n';
    }
    std::string line;
    for (std::size_t c = 0; c < grid.widths.size(); ++c) {
      if (c > 0) line += "  ";
      line += padded(grid.rows[r][c], grid.widths[c], right[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
    if (r > 0) continue;
    line.clear();
    for (std::size_t c = 0; c < grid.widths.size(); ++c) {
      if (c > 0) line += "  ";
      line += std::string(grid.widths[c], '-');
    }
    out << line << '\n';
  }
}

// Columns of a terminal that a table needs without its first columns.
std::size_t width_of(const Grid& grid, std::size_t without) {
  std::size_t width = 0;
  for (std::size_t c = without; c < grid.widths.size(); ++c) {
    width += grid.widths[c] + (c > without ? 2 : 0);
  }
  return width;
}

// The first columns as headings: which stands above which row. Nothing when one would come twice.
std::optional<std::map<std::size_t, std::string>> headings_above(const Table& table,
                                                                 std::size_t columns) {
  std::map<std::size_t, std::string> headings;
  std::set<std::string> seen;
  std::string last;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    std::string text;
    for (std::size_t c = 0; c < columns; ++c) {
      const std::string value = terminal_text(plain(table.rows[r][c], false));
      if (!value.empty()) text += (text.empty() ? "" : ", ") + table.columns[c] + " = " + value;
    }
    if (r > 0 && text == last) continue;
    if (!seen.insert(text).second) return std::nullopt;
    headings[r] = last = text;
  }
  return headings;
}

void print_csv(std::ostream& out, const Table& table) {
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    out << (c > 0 ? "," : "") << csv_text(table.columns[c]);
  }
  out << '\n';
  for (const auto& row : table.rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      if (c > 0) line += ',';
      // An empty text is quoted, so that it differs from NULL.
      const auto* text = std::get_if<std::string>(&row[c]);
      line += text != nullptr && text->empty() ? "\"\"" : csv_text(plain(row[c], true));
    }
    out << line << '\n';
  }
}

std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string json_value(const Value& value) {
  if (is_null(value)) return "null";
  if (const auto* real = std::get_if<double>(&value); real != nullptr && !std::isfinite(*real)) {
    return json_text(exact_real(*real));  // JSON has no infinity
  }
  return is_text(value) ? json_text(std::get<std::string>(value)) : plain(value, true);
}

// Members of an object need distinct names, columns of a query do not have them.
std::vector<std::string> distinct_names(const std::vector<std::string>& columns) {
  std::set<std::string> taken;
  std::vector<std::string> result;
  for (const std::string& column : columns) {
    std::string name = column;
    for (int i = 2; !taken.insert(name).second; ++i) name = column + "_" + std::to_string(i);
    result.push_back(name);
  }
  return result;
}

void print_json_object(std::ostream& out,
                       const std::vector<std::string>& names,
                       const std::vector<Value>& row) {
  out << '{';
  for (std::size_t c = 0; c < names.size(); ++c) {
    out << (c > 0 ? ", " : "") << json_text(names[c]) << ": " << json_value(row[c]);
  }
  out << '}';
}

void print_json(std::ostream& out, const Table& table) {
  const std::vector<std::string> names = distinct_names(table.columns);
  out << '[';
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    out << (r > 0 ? ",\n  " : "\n  ");
    print_json_object(out, names, table.rows[r]);
  }
  out << (table.rows.empty() ? "]\n" : "\n]\n");
}

void print_json_lines(std::ostream& out, const Table& table) {
  const std::vector<std::string> names = distinct_names(table.columns);
  for (const auto& row : table.rows) {
    print_json_object(out, names, row);
    out << '\n';
  }
}

void print_markdown(std::ostream& out, const Table& table) {
  const Grid grid = make_grid(table, markdown_text);
  const std::vector<bool> right = right_aligned(table);
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    out << '|';
    for (std::size_t c = 0; c < grid.widths.size(); ++c) {
      const std::size_t width = std::max<std::size_t>(grid.widths[c], 2);
      out << ' ' << padded(grid.rows[r][c], width, right[c]) << " |";
    }
    out << '\n';
    if (r > 0) continue;
    out << '|';
    for (std::size_t c = 0; c < grid.widths.size(); ++c) {
      const std::size_t width = std::max<std::size_t>(grid.widths[c], 2);
      out << ' ' << std::string(width - 1, '-') << (right[c] ? ":" : "-") << " |";
    }
    out << '\n';
  }
}

}  // namespace

Format parse_format(std::string_view text) {
  for (const NamedFormat& known : kFormats) {
    if (known.name == text) return known.format;
  }
  throw UsageError("format \"" + std::string(text) +
                   "\" is unknown; choose one of table, csv, json, markdown, latex");
}

void print(std::ostream& out, const Table& table, Format format, const Style& style) {
  for (const auto& row : table.rows) {
    UNMASK_CHECK(row.size() == table.columns.size(), "a row has another length than the header");
  }
  switch (format) {
    case Format::kTable: return print_table(out, table);
    case Format::kCsv: return print_csv(out, table);
    case Format::kJson: return print_json(out, table);
    case Format::kJsonLines: return print_json_lines(out, table);
    case Format::kMarkdown: return print_markdown(out, table);
    case Format::kLatex: return print_latex(out, table, style);
  }
}

std::string to_text(const Table& table, Format format, const Style& style) {
  std::ostringstream out;
  print(out, table, format, style);
  return out.str();
}

std::string take_common_columns(Table& table, std::span<const std::string_view> names) {
  if (table.rows.size() < 2) return "";
  std::string common;
  for (std::size_t c = table.columns.size(); c-- > 0;) {
    const Value first = table.rows.front()[c];
    if (std::find(names.begin(), names.end(), table.columns[c]) == names.end() ||
        std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
          return row[c] != first;
        })) {
      continue;
    }
    if (const std::string text = terminal_text(plain(first, false)); !text.empty()) {
      common = table.columns[c] + " = " + text + (common.empty() ? "" : ", ") + common;
    }
    const auto at = static_cast<std::ptrdiff_t>(c);
    table.columns.erase(table.columns.begin() + at);
    for (auto& row : table.rows) row.erase(row.begin() + at);
  }
  return common;
}

void print_fitting(std::ostream& out,
                   const Table& table,
                   std::span<const std::string_view> names,
                   std::size_t width) {
  std::vector<std::size_t> starts;
  const Grid grid = make_grid(with_single_lines(table, starts), terminal_text);
  std::size_t taken = 0;
  std::map<std::size_t, std::string> headings;
  for (std::size_t next = 1; width_of(grid, taken) > width; ++next) {
    const bool may_go =
        next < table.columns.size() &&
        std::find(names.begin(), names.end(), table.columns[next - 1]) != names.end();
    if (!may_go) break;
    // One column may be in the way of side by side, and another one more mend it.
    auto found = headings_above(table, next);
    if (!found) continue;
    headings = std::move(*found);
    taken = next;
  }
  for (auto& [row, text] : headings) text = wrapped(text, width);
  const auto count = static_cast<std::ptrdiff_t>(taken);
  Table rest = table;
  rest.columns.erase(rest.columns.begin(), rest.columns.begin() + count);
  for (auto& row : rest.rows) row.erase(row.begin(), row.begin() + count);
  print_table(out, rest, headings);
}

}  // namespace unmask::table
