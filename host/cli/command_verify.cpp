// unmask verify: execute stored cells again and compare.

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/counted.hpp"
#include "cli/answer.hpp"
#include "cli/cell_filter.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "cli/verification.hpp"
#include "text/shell_words.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

// Differences of one cell that a person looks at; files for programs have all that are kept.
constexpr std::size_t kDifferencesShown = 3;

void declare_verify_options(CommandLine& line) {
  line.positional("filters", "cells or filters", true);
  line.options().add_options()("sample",
                               po::value<std::string>()->default_value("5%"),
                               "how many of the stored cells that fit: a share (5%) or a number")(
      "seed", po::value<std::int64_t>()->default_value(0), "of the choice")(
      "trainings", "train again, too, and compare the weights: costly")(
      "manifest",
      po::value<std::vector<std::string>>()->composing(),
      "a manifest that asks for the cells; default: those that the database was filled from; may "
      "be "
      "repeated")("no-record", "write nothing: the only way with a sealed database")(
      "device", po::value<std::string>()->default_value("auto"), "as for run")(
      "workers", po::value<int>(), "as for run")("format",
                                                 po::value<std::string>()->default_value("table"),
                                                 "table, csv, json, markdown or latex")(
      "progress", po::value<std::string>()->default_value("auto"), "auto, terminal, plain or none");
  line.add_database();
  line.add_plugin_dir();
  line.add_kernels();
}

VerifyOptions verify_options(const CommandLine& line) {
  const auto words = [&](const char* name) {
    return line.find<std::vector<std::string>>(name).value_or(std::vector<std::string>{});
  };
  VerifyOptions options;
  options.database = line.database();
  for (const std::string& file : words("manifest")) options.manifests.emplace_back(file);
  for (const std::string& word : words("filters")) options.filters.push_back(filter_of_word(word));
  options.sample = parse_sample(line.get<std::string>("sample"));
  options.seed = line.get<std::int64_t>("seed");
  options.trainings = line.has("trainings");
  options.records = !line.has("no-record");
  options.device = line.get<std::string>("device");
  options.workers = line.find<int>("workers");
  options.plugin_dirs = words("plugin-dir");
  return options;
}

void print_report(const VerifyReport& report, table::Format format, const VerifyOptions& options) {
  const bool is_for_people = format == table::Format::kTable;
  table::Table table = verification_table(
      report, is_for_people ? kDifferencesShown : store::Comparison::kDifferencesKept);
  if (is_for_people) {
    for (const char* column : {"name", "sample", "field", "stored", "now", "in"}) {
      drop_empty_column(table, column);
    }
  }
  table::print(std::cout, table, format);
  for (const std::string& note : report.notes) std::cerr << "note: " << note << "\n";
  const std::size_t differing = report.count("differs");
  std::cerr << base::counted(report.cells.size() - report.count(""), "cell")
            << " executed again: " << report.count("equal") << " equal, " << differing
            << (differing == 1 ? " differs" : " differ");
  if (report.count("failed") > 0) std::cerr << ", " << report.count("failed") << " failed";
  if (report.count("") > 0) std::cerr << "; " << report.count("") << " not executed";
  std::cerr << "\n";
  if (options.records && report.count("") < report.cells.size()) {
    std::cerr << "what was found is kept: "
              << words::shell_command(
                     {"unmask", "query", "verifications", "--db", options.database.string()})
              << "\n";
  }
}

}  // namespace

int command_verify(const Arguments& arguments) {
  CommandLine line(
      "verify [CELL|FILTER]... [options]",
      "Executes stored cells again and compares rows, metrics, curves, counters and seeds with "
      "what "
      "is stored, to\nthe last bit. Stored results stay as they are; what differs is recorded with "
      "both machines. Which cells follows\nfrom --sample and --seed. CELL is the beginning of a "
      "key, FILTER as for run --only. A cell whose checkpoint is\nmissing is named, not trained "
      "again. On the CPU equal kernels give equal bits; where they are others, it is said.\nExit "
      "code 1: something differs, failed or could not be executed.");
  declare_verify_options(line);
  if (!line.parse(arguments)) return 0;
  const VerifyOptions options = verify_options(line);
  const table::Format format = table::parse_format(line.get<std::string>("format"));
  const run::ProgressMode mode = run::parse_progress_mode(line.get<std::string>("progress"));
  if (mode == run::ProgressMode::kJson) {
    throw UsageError("--progress json is not possible: standard output is for the answer");
  }
  // A missing file is not made.
  const bool is_there = std::filesystem::exists(options.database);
  store::Store store = options.records && is_there ? store::Store::open_writer(options.database)
                                                   : store::Store::open_reader(options.database);
  const HostContext host(line.plugin_dirs(), line.kernels());
  const auto progress = run::make_progress(mode);
  const VerifyReport report = verify_cells(host, store, options, *progress);
  print_report(report, format, options);
  return static_cast<int>(report.is_flawless() ? ExitCode::kDone : ExitCode::kCellsFailed);
}

}  // namespace unmask::cli
