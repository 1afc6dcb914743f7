#include "table/table.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <set>
#include <sstream>
#include <utility>

#include <nlohmann/json.hpp>

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

using Range = std::pair<char32_t, char32_t>;

// Unicode 15: marks that combine with what stands before them, and invisible characters.
constexpr Range kZeroWidth[] = {{0x0300, 0x036F},
                                {0x0483, 0x0489},
                                {0x0591, 0x05BD},
                                {0x1AB0, 0x1AFF},
                                {0x1DC0, 0x1DFF},
                                {0x200B, 0x200F},
                                {0x2060, 0x2064},
                                {0x20D0, 0x20FF},
                                {0xFE00, 0xFE0F},
                                {0xFE20, 0xFE2F},
                                {0xE0100, 0xE01EF}};

// East Asian wide and full-width characters, and emoji.
constexpr Range kWide[] = {{0x1100, 0x115F},
                           {0x2E80, 0x303E},
                           {0x3041, 0x33FF},
                           {0x3400, 0x4DBF},
                           {0x4E00, 0x9FFF},
                           {0xA000, 0xA4CF},
                           {0xAC00, 0xD7A3},
                           {0xF900, 0xFAFF},
                           {0xFE30, 0xFE6F},
                           {0xFF00, 0xFF60},
                           {0xFFE0, 0xFFE6},
                           {0x1F300, 0x1F64F},
                           {0x1F680, 0x1F6FF},
                           {0x1F900, 0x1F9FF},
                           {0x20000, 0x3FFFD}};

template <std::size_t N>
bool is_in(const Range (&ranges)[N], char32_t value) {
  return std::any_of(std::begin(ranges), std::end(ranges), [&](const Range& range) {
    return range.first <= value && value <= range.second;
  });
}

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

std::string latex_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}':
        result += '\\';
        result += c;
        break;
      case '~': result += "\\textasciitilde{}"; break;
      case '^': result += "\\textasciicircum{}"; break;
      case '\\': result += "\\textbackslash{}"; break;
      case '\n': result += ' '; break;
      default: result += c;
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
  for (const std::string& name : table.columns) header.push_back(escape(name));
  add(std::move(header));
  for (const auto& row : table.rows) {
    std::vector<std::string> fields;
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
Table with_single_lines(const Table& table) {
  Table result{table.columns, {}};
  for (const auto& row : table.rows) {
    const std::size_t first = result.rows.size();
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

void print_table(std::ostream& out, const Table& given) {
  const Table table = with_single_lines(given);
  const Grid grid = make_grid(table, terminal_text);
  const std::vector<bool> right = right_aligned(table);
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
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

void print_json(std::ostream& out, const Table& table) {
  const std::vector<std::string> names = distinct_names(table.columns);
  out << '[';
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    out << (r > 0 ? ",\n  {" : "\n  {");
    for (std::size_t c = 0; c < names.size(); ++c) {
      out << (c > 0 ? ", " : "") << json_text(names[c]) << ": " << json_value(table.rows[r][c]);
    }
    out << '}';
  }
  out << (table.rows.empty() ? "]\n" : "\n]\n");
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

void print_latex(std::ostream& out, const Table& table) {
  const Grid grid = make_grid(table, latex_text);
  const std::vector<bool> right = right_aligned(table);
  out << "\\begin{tabular}{";
  for (const bool is_right : right) out << (is_right ? 'r' : 'l');
  out << "}\n\\hline\n";
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    for (std::size_t c = 0; c < grid.widths.size(); ++c) {
      if (c > 0) out << " & ";
      out << padded(grid.rows[r][c], grid.widths[c], right[c]);
    }
    out << " \\\\\n";
    if (r == 0) out << "\\hline\n";
  }
  out << "\\hline\n\\end{tabular}\n";
}

}  // namespace

Format parse_format(std::string_view text) {
  for (const NamedFormat& known : kFormats) {
    if (known.name == text) return known.format;
  }
  throw UsageError("format \"" + std::string(text) +
                   "\" is unknown; choose one of table, csv, json, markdown, latex");
}

void print(std::ostream& out, const Table& table, Format format) {
  for (const auto& row : table.rows) {
    UNMASK_CHECK(row.size() == table.columns.size(), "a row has another length than the header");
  }
  switch (format) {
    case Format::kTable: return print_table(out, table);
    case Format::kCsv: return print_csv(out, table);
    case Format::kJson: return print_json(out, table);
    case Format::kMarkdown: return print_markdown(out, table);
    case Format::kLatex: return print_latex(out, table);
  }
}

std::string to_text(const Table& table, Format format) {
  std::ostringstream out;
  print(out, table, format);
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

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const words::CodePoint point = words::code_point_at(text, at);
    at += point.bytes;
    if (point.is_valid && is_in(kZeroWidth, point.value)) continue;
    width += point.is_valid && is_in(kWide, point.value) ? 2 : 1;
  }
  return width;
}

}  // namespace unmask::table
