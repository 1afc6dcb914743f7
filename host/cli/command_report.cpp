// unmask report: everything about a study as one page.

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "report/report.hpp"
#include "report/report_data.hpp"
#include "store/store.hpp"
#include "store/views.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

// "quickstart" is short for "study=quickstart".
std::vector<std::string> filters_of(std::vector<std::string> words) {
  for (std::string& word : words) {
    if (word.find('=') == std::string::npos) word.insert(0, "study=");
  }
  return words;
}

}  // namespace

int command_report(const Arguments& arguments) {
  CommandLine line(
      "report [STUDY|FILTER...] [--out FILE] [options]",
      "Writes one HTML file that shows a study: verdicts, tables, figures, evidence, training, "
      "cost, "
      "samples,\nfailures and how to reproduce it. The file needs nothing else, no network either, "
      "and changes\nnothing in the database. STUDY is a name; FILTER is e.g. "
      "model=so_*,solver=rk4, "
      "of study, dataset,\nmodel, objective, train_solver, train_seed and solver; several add up. "
      "Without any, everything is\nshown. docs/report.md describes the sections.");
  line.positional("filter", "a study, or which networks", true);
  line.options().add_options()("out",
                               po::value<std::string>()->default_value("report.html"),
                               "the file to write; an existing one is replaced");
  line.add_database();
  if (!line.parse(arguments)) return 0;
  report::ReportOptions options;
  options.selection = results::parse_selection(
      filters_of(
          line.find<std::vector<std::string>>("filter").value_or(std::vector<std::string>())),
      report::filter_axes());
  options.command = arguments;
  options.command.insert(options.command.begin(), {"unmask", "report"});

  const store::Store store = store::Store::open_reader(line.database());
  // Of a newer unmask its own views fit its tables, and are asked each time.
  if (store.newer_than_this().empty()) store::remember_answers(store.database());
  const std::filesystem::path file = line.get<std::string>("out");
  base::write_file_atomically(file, report::page_of(report::report_data(store, options)));
  std::cout << file.string() << "\n";
  return 0;
}

}  // namespace unmask::cli
