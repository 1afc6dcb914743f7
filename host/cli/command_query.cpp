// unmask query: ask the database.

#include <iostream>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "store/queries.hpp"
#include "table/table.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

void print_names() {
  table::Table table{{"name", "answers"}, {}};
  for (const store::NamedQuery& query : store::named_queries()) {
    table.rows.push_back({std::string(query.name), std::string(query.description)});
  }
  table::print(std::cout, table, table::Format::kTable);
}

// A single word is the name of a query, anything else is SQL.
bool is_name(const std::string& question) {
  return question.find_first_of(" \t\n;(") == std::string::npos;
}

std::string sql_of(const std::string& question) {
  if (!is_name(question)) return question;
  if (const store::NamedQuery* query = store::find_query(question)) return std::string(query->sql);
  std::vector<std::string> names;
  for (const store::NamedQuery& query : store::named_queries()) names.emplace_back(query.name);
  throw UsageError("no query is named \"" + question + "\"\n" +
                   words::help_for_unknown(question, names, "named queries"));
}

}  // namespace

int command_query(const Arguments& arguments) {
  CommandLine line(
      "query NAME | \"SQL\" [options]",
      "Answers a named query (see --list) or one SQL statement that only reads. The views and "
      "tables are\ndescribed in docs/database.md. In the format table, what is the same in every "
      "row of a named query\nstands once above it.");
  line.positional("question", "name or SQL");
  line.options().add_options()("list", "list the named queries")(
      "sql", "print the SQL of a named query instead of asking it")(
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
  const store::Store store = store::Store::open_reader(line.database());
  table::Table table = store::run_query(store, sql);
  if (format == table::Format::kTable && is_name(question)) {
    const std::string common = table::take_common_columns(table, store::label_columns());
    if (!common.empty()) std::cout << common << "\n\n";
  }
  table::print(std::cout, table, format);
  return 0;
}

}  // namespace unmask::cli
