#include "table/latex.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <vector>

#include "text/utf8.hpp"

namespace unmask::table {
namespace {

// Characters of ASCII that mean something else, or print as something else in some encoding or
// language. Braces around a bracket or a star: behind \\ they would be its options.
std::string_view ascii_command(char c) {
  switch (c) {
    case '&': return "\\&";
    case '%': return "\\%";
    case '$': return "\\$";
    case '#': return "\\#";
    case '_': return "\\_";
    case '{': return "\\{";
    case '}': return "\\}";
    case '~': return "\\textasciitilde{}";
    case '^': return "\\textasciicircum{}";
    case '\\': return "\\textbackslash{}";
    case '"': return "\\textquotedbl{}";
    case '\'': return "\\textquotesingle{}";
    case '`': return "\\textasciigrave{}";
    case '<': return "\\textless{}";
    case '>': return "\\textgreater{}";
    case '|': return "\\textbar{}";
    case '-': return "-{}";
    case '[': return "{[}";
    case ']': return "{]}";
    case '*': return "{*}";
    case '\n':
    case '\r':
    case '\t': return " ";
    default: return "";
  }
}

struct Sign {
  char32_t code;
  std::string_view command;
};

constexpr Sign kSigns[] = {{0xA0, "~"},
                           {0xB0, "\\textdegree{}"},
                           {0xB1, "$\\pm$"},
                           {0xB2, "$^2$"},
                           {0xB3, "$^3$"},
                           {0xB5, "$\\mu$"},
                           {0xB7, "$\\cdot$"},
                           {0xD7, "$\\times$"},
                           {0xF7, "$\\div$"},
                           {0x2010, "-{}"},
                           {0x2013, "\\textendash{}"},
                           {0x2014, "\\textemdash{}"},
                           {0x2018, "`"},
                           {0x2019, "'"},
                           {0x201C, "\\textquotedblleft{}"},
                           {0x201D, "\\textquotedblright{}"},
                           {0x2026, "\\ldots{}"},
                           {0x20AC, "\\texteuro{}"},
                           {0x2190, "$\\leftarrow$"},
                           {0x2192, "$\\to$"},
                           {0x2207, "$\\nabla$"},
                           {0x2208, "$\\in$"},
                           {0x2212, "$-$"},
                           {0x221E, "$\\infty$"},
                           {0x2248, "$\\approx$"},
                           {0x2260, "$\\neq$"},
                           {0x2264, "$\\leq$"},
                           {0x2265, "$\\geq$"},
                           {0x3B1, "$\\alpha$"},
                           {0x3B2, "$\\beta$"},
                           {0x3B3, "$\\gamma$"},
                           {0x3B4, "$\\delta$"},
                           {0x3B5, "$\\varepsilon$"},
                           {0x3B6, "$\\zeta$"},
                           {0x3B7, "$\\eta$"},
                           {0x3B8, "$\\theta$"},
                           {0x3BA, "$\\kappa$"},
                           {0x3BB, "$\\lambda$"},
                           {0x3BC, "$\\mu$"},
                           {0x3BD, "$\\nu$"},
                           {0x3BE, "$\\xi$"},
                           {0x3C0, "$\\pi$"},
                           {0x3C1, "$\\rho$"},
                           {0x3C3, "$\\sigma$"},
                           {0x3C4, "$\\tau$"},
                           {0x3C6, "$\\varphi$"},
                           {0x3C7, "$\\chi$"},
                           {0x3C8, "$\\psi$"},
                           {0x3C9, "$\\omega$"},
                           {0x3F5, "$\\epsilon$"},
                           {0x393, "$\\Gamma$"},
                           {0x394, "$\\Delta$"},
                           {0x398, "$\\Theta$"},
                           {0x39B, "$\\Lambda$"},
                           {0x3A0, "$\\Pi$"},
                           {0x3A3, "$\\Sigma$"},
                           {0x3A6, "$\\Phi$"},
                           {0x3A8, "$\\Psi$"},
                           {0x3A9, "$\\Omega$"}};

// Letters of Latin-1 and Latin Extended-A that LaTeX sets up for T1. Those that it does not (such as
// h with a stroke) are few.
bool is_latin_letter(char32_t code) {
  constexpr char32_t kUnknown[] = {0x126, 0x127, 0x138, 0x13F, 0x140, 0x149, 0x166, 0x167, 0x17F};
  return code >= 0xC0 && code <= 0x17F && code != 0xD7 && code != 0xF7 &&
         std::find(std::begin(kUnknown), std::end(kUnknown), code) == std::end(kUnknown);
}

std::string written_out(const char* format, unsigned value) {
  std::array<char, 24> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

std::string code_command(char32_t code, std::string_view bytes) {
  const auto sign = std::find_if(
      std::begin(kSigns), std::end(kSigns), [&](const Sign& s) { return s.code == code; });
  if (sign != std::end(kSigns)) return std::string(sign->command);
  if (is_latin_letter(code)) return std::string(bytes);
  return written_out("{[}U+%04X{]}", static_cast<unsigned>(code));
}

}  // namespace

std::string latex_text(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x80) {
      const words::CodePoint point = words::code_point_at(text, i);
      result += point.is_valid ? code_command(point.value, text.substr(i, point.bytes))
                               : written_out("{[}byte %02X{]}", byte);
      i += point.bytes;
      continue;
    }
    ++i;
    if (const std::string_view command = ascii_command(static_cast<char>(byte)); !command.empty()) {
      result += command;
    } else if (byte < 0x20 || byte == 0x7F) {
      result += written_out("{[}U+%04X{]}", byte);
    } else {
      result += static_cast<char>(byte);
    }
  }
  return result;
}

namespace {

// 6 significant digits; 5e-05 as a power of ten; a minus is a sign, not a hyphen.
std::string latex_number(std::string text) {
  if (text == "inf") return "$\\infty$";
  if (text == "-inf") return "$-\\infty$";
  if (text == "nan" || text == "-nan") return "nan";
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text.front() == '-' ? "$" + text + "$" : text;
  const int exponent = std::atoi(text.c_str() + e + 1);
  const std::string mantissa = text.substr(0, e);
  const std::string factor = mantissa == "1" ? "" : mantissa + " \\cdot ";
  return "$" + factor + "10^{" + std::to_string(exponent) + "}$";
}

std::string real_text(const char* format, double value) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

std::string value_text(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return latex_number(std::to_string(*integer));
  }
  if (const auto* real = std::get_if<double>(&value)) return latex_number(real_text("%.6g", *real));
  if (const auto* text = std::get_if<std::string>(&value)) return latex_text(*text);
  return "";
}

std::optional<double> number_of(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&value)) {
    return std::isnan(*real) ? std::nullopt : std::optional<double>(*real);
  }
  return std::nullopt;
}

// Where "lower" and "upper" stand behind a column, all three are one: 0.280 [0.201, 0.375].
bool has_interval(const Table& table, std::size_t column) {
  return column + 2 < table.columns.size() && table.columns[column + 1] == "lower" &&
         table.columns[column + 2] == "upper";
}

std::string interval_text(const Value& value, const Value& lower, const Value& upper) {
  const auto number = number_of(value);
  if (!number) return value_text(value);
  const auto low = number_of(lower);
  const auto high = number_of(upper);
  if (!low || !high) return value_text(value);
  const double largest = std::max({std::abs(*number), std::abs(*low), std::abs(*high)});
  const char* format = largest < 10 ? "%.3f" : "%.4g";
  const auto text = [&](double x) { return latex_number(real_text(format, x)); };
  return text(*number) + " {[}" + text(*low) + ", " + text(*high) + "{]}";
}

// For each row whether its value in the column is the best of the rows that it may be compared with.
std::vector<bool> best_rows(const Table& table,
                            std::size_t column,
                            const Style& style,
                            bool larger) {
  std::map<std::vector<Value>, std::vector<std::size_t>> groups;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    if (!number_of(table.rows[r][column])) continue;
    std::vector<Value> key;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      if (std::find(style.within.begin(), style.within.end(), table.columns[c]) !=
          style.within.end()) {
        key.push_back(table.rows[r][c]);
      }
    }
    groups[key].push_back(r);
  }
  std::vector<bool> result(table.rows.size(), false);
  for (const auto& [key, rows] : groups) {
    if (rows.size() < 2) continue;  // the best of one says nothing
    double best = *number_of(table.rows[rows.front()][column]);
    double worst = best;
    for (const std::size_t r : rows) {
      best = std::max(best, *number_of(table.rows[r][column]));
      worst = std::min(worst, *number_of(table.rows[r][column]));
    }
    if (best == worst) continue;  // nor does the best of equals
    for (const std::size_t r : rows) {
      result[r] = *number_of(table.rows[r][column]) == (larger ? best : worst);
    }
  }
  return result;
}

struct Column {
  std::string heading;
  bool is_right = false;
  std::vector<std::string> fields;
};

Column column_of(const Table& table, std::size_t c, const Style& style) {
  const bool is_interval = has_interval(table, c);
  Column column;
  column.heading = latex_text(table.columns[c]);
  bool has_value = false;
  bool has_text = false;
  const auto best = std::find_if(style.best.begin(), style.best.end(), [&](const Best& b) {
    return b.column == table.columns[c];
  });
  std::vector<bool> is_best(table.rows.size(), false);
  if (best != style.best.end()) is_best = best_rows(table, c, style, best->is_larger);
  for (const auto& [r, of] : style.bold) {
    if (of == c) is_best.at(r) = true;
  }
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    has_value = has_value || !std::holds_alternative<std::monostate>(row[c]);
    has_text = has_text || std::holds_alternative<std::string>(row[c]);
    const std::string text =
        is_interval ? interval_text(row[c], row[c + 1], row[c + 2]) : value_text(row[c]);
    // Bold does not reach into formulas.
    const bool has_formula = text.find('$') != std::string::npos;
    column.fields.push_back(!is_best[r]    ? text
                            : !has_formula ? "\\textbf{" + text + "}"
                                           : "{\\boldmath\\textbf{" + text + "}}");
  }
  column.is_right = has_value && !has_text;
  return column;
}

}  // namespace

void print_latex(std::ostream& out, const Table& table, const Style& style) {
  std::vector<Column> columns;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    columns.push_back(column_of(table, c, style));
    if (has_interval(table, c)) c += 2;
  }
  out << "% \\usepackage[T1]{fontenc} \\usepackage{booktabs}\n\\begin{tabular}{";
  for (const Column& column : columns) out << (column.is_right ? 'r' : 'l');
  out << "}\n\\toprule\n";
  const auto print_row = [&](const auto& field) {
    for (std::size_t c = 0; c < columns.size(); ++c)
      out << (c > 0 ? " & " : "") << field(columns[c]);
    out << " \\\\\n";
  };
  print_row([](const Column& column) { return column.heading; });
  out << "\\midrule\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    print_row([&](const Column& column) { return column.fields[r]; });
  }
  out << "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace unmask::table
