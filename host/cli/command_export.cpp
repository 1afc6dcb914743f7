// unmask export: the database as files for other programs.

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "results/exports.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

results::ExportFormat parse_export_format(const std::string& text) {
  if (text == "csv") return results::ExportFormat::kCsv;
  if (text == "jsonl") return results::ExportFormat::kJsonLines;
  throw UsageError("format \"" + text + "\" is unknown; choose csv or jsonl");
}

}  // namespace

int command_export(const Arguments& arguments) {
  CommandLine line(
      "export --out FOLDER [FILTER...] [options]",
      "Writes a file for each table and view of interest into a new folder, and metadata.json "
      "with\n"
      "titles, descriptions and units, which Datasette reads (datasette results/unmask.sqlite -m\n"
      "FOLDER/metadata.json). A filter (model=so_*,attack=pgd*; of several, one must match) leaves "
      "its\n"
      "rows; a table that lacks an axis of it is left out. The folder is there whole, or not at "
      "all.\n"
      "docs/database.md describes the columns, docs/results.md reads them with pandas.");
  line.positional("filter", "conditions", true);
  line.options().add_options()("out", po::value<std::string>(), "the new folder")(
      "format",
      po::value<std::string>()->default_value("csv"),
      "csv or jsonl (one object per line)");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  if (!line.has("out") || line.get<std::string>("out").empty()) {
    throw UsageError("where to? give --out a folder that is not there yet");
  }
  const results::ExportFormat format = parse_export_format(line.get<std::string>("format"));
  const results::Selection selection = results::parse_selection(
      line.find<std::vector<std::string>>("filter").value_or(std::vector<std::string>()));
  const store::Store store = store::Store::open_reader(line.database());
  const results::ExportReport report =
      results::write_exports(store, selection, format, line.get<std::string>("out"));
  table::Table table{{"file", "rows"}, {}};
  for (const results::WrittenFile& file : report.files) {
    table.rows.push_back({file.name, static_cast<std::int64_t>(file.rows)});
  }
  table.rows.back()[1] = std::monostate{};  // metadata.json has no rows
  table::print(std::cout, table, table::Format::kTable);
  for (const results::LeftOut& left : report.left_out) {
    std::cout << "left out " << left.name << ": " << left.reason << "\n";
  }
  return 0;
}

}  // namespace unmask::cli
