// unmask query: ask the database.

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "base/terminal.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "store/queries.hpp"
#include "table/elide.hpp"
#include "table/table.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

// Where nobody looks at a terminal: that of a page.
constexpr std::size_t kPageWidth = 100;

// Files and pipes get the same text from every terminal.
std::size_t output_width() {
  if (::isatty(STDOUT_FILENO) != 1) return kPageWidth;
  return static_cast<std::size_t>(base::terminal_columns(STDOUT_FILENO));
}

void print_names() {
  table::Table table{{"name", "answers"}, {}};
  for (const store::NamedQuery& query : store::named_queries()) {
    table.rows.push_back({std::string(query.name), std::string(query.description)});
  }
  table::print(std::cout, table, table::Format::kTable);
}

std::vector<std::string> query_names() {
  std::vector<std::string> names;
  for (const store::NamedQuery& query : store::named_queries()) names.emplace_back(query.name);
  return names;
}

// A single word is the name of a query, anything else is SQL.
bool is_name(const std::string& question) {
  return question.find_first_of(" \t\n;(") == std::string::npos;
}

std::string sql_of(const std::string& question) {
  if (!is_name(question)) return question;
  if (const store::NamedQuery* query = store::find_query(question)) return std::string(query->sql);
  throw UsageError("no query is named \"" + question + "\"\n" +
                   words::help_for_unknown(question, query_names(), "named queries"));
}

// model=so_*,attack=pgd*: conditions on columns of the query that must all hold.
std::vector<store::ColumnFilter> parse_only(const std::vector<std::string>& texts,
                                            const std::vector<std::string>& columns) {
  std::vector<store::ColumnFilter> filters;
  for (const std::string& text : texts) {
    for (std::size_t first = 0; first <= text.size();) {
      const std::size_t last = std::min(text.find(',', first), text.size());
      const std::string part = text.substr(first, last - first);
      const std::size_t equals = part.find('=');
      if (equals == std::string::npos) {
        throw UsageError("--only \"" + text + "\": \"" + part + "\" is not column=pattern");
      }
      const std::string column = part.substr(0, equals);
      if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
        throw UsageError("--only \"" + text + "\": the answer has no column \"" + column + "\"\n" +
                         words::help_for_unknown(column, columns, "columns"));
      }
      filters.push_back({column, part.substr(equals + 1)});
      first = last + 1;
    }
  }
  return filters;
}

// Notes are too long for a column of a terminal: the column keeps numbers, the notes come below.
std::string take_notes(table::Table& table, std::size_t width) {
  const auto column = std::find(table.columns.begin(), table.columns.end(), "note");
  if (column == table.columns.end()) return "";
  const auto at = column - table.columns.begin();
  std::string below;
  std::map<std::string, std::size_t> numbers;
  for (auto& row : table.rows) {
    table::Value& value = row[static_cast<std::size_t>(at)];
    const auto* note = std::get_if<std::string>(&value);
    if (note == nullptr) continue;
    const auto [number, is_new] = numbers.emplace(*note, numbers.size() + 1);
    const std::string mark = "(" + std::to_string(number->second) + ")";
    if (is_new) below += table::wrapped(mark + " " + *note, width) + "\n";
    value = mark;
  }
  if (numbers.empty()) {
    table.columns.erase(column);
    for (auto& row : table.rows) row.erase(row.begin() + at);
  }
  return below;
}

void print_answer(table::Table table, table::Format format, const store::NamedQuery* named) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  const std::size_t width = output_width();
  if (format == table::Format::kTable && named == nullptr && is_terminal) {
    return table::print(std::cout, table::elided(std::move(table), width), format);
  }
  if (format != table::Format::kTable || named == nullptr) {
    const table::Style style = named == nullptr ? table::Style() : store::style_of(*named);
    return table::print(std::cout, table, format, style);
  }
  const std::string common = table::take_common_columns(table, store::label_columns());
  if (!common.empty()) std::cout << table::wrapped(common, width) << "\n\n";
  const std::string notes = take_notes(table, width);
  const auto print = is_terminal ? table::print_elided : table::print_fitting;
  print(std::cout, table, store::network_columns(), width);
  if (!notes.empty()) std::cout << "\n" << notes;
}

}  // namespace

int command_query(const Arguments& arguments) {
  CommandLine line(
      "query NAME | \"SQL\" [options]",
      "Answers a named query (see --list) or one SQL statement that only reads. The views and "
      "tables are\ndescribed in docs/database.md. In the format table, what is the same in every "
      "row of a named query\nstands once above it, notes stand below it, and where it were wider "
      "than "
      "the terminal (100 columns in a\nfile or pipe) the network of several rows is a heading "
      "above "
      "them; on a terminal texts are cut, if\nthey must be, and end in ~.");
  line.positional("question", "name or SQL");
  line.choices("question", query_names());
  line.options().add_options()("list", "list the named queries")(
      "sql", "print the SQL of a named query instead of asking it")(
      "only",
      po::value<std::vector<std::string>>()->composing(),
      "only rows whose columns match, e.g. model=so_*,attack=pgd*; may be repeated")(
      "run",
      po::value<std::int64_t>(),
      "show its study as this run planned it (unmask query runs); default: the latest run")(
      "against",
      po::value<std::int64_t>(),
      "the run that the query changes compares with; default: the one before with another plan")(
      "format",
      po::value<std::string>()->default_value("table"),
      "table, csv, json, markdown or latex");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  if (line.has("list")) {
    print_names();
    return 0;
  }
  const std::string question = line.required("question");
  const std::string sql = sql_of(question);
  if (line.has("sql")) {
    std::cout << sql << "\n";
    return 0;
  }
  const table::Format format = table::parse_format(line.get<std::string>("format"));
  store::Store store = store::Store::open_reader(line.database());
  if (const std::string newer = store.newer_than_this(); !newer.empty()) {
    std::cerr << "note: " << newer << "\n";
  }
  if (line.has("run") || line.has("against")) {
    store.look_from_run(line.find<std::int64_t>("run"), line.find<std::int64_t>("against"));
  }
  std::vector<store::ColumnFilter> filters;
  if (const auto only = line.find<std::vector<std::string>>("only")) {
    filters = parse_only(*only, store::query_columns(store, sql));
  }
  print_answer(store::run_query(store, sql, filters),
               format,
               is_name(question) ? store::find_query(question) : nullptr);
  return 0;
}

}  // namespace unmask::cli
