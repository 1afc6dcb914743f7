// unmask status: how much of a manifest is done, and what failed.

#include <unistd.h>

#include <iostream>

#include "base/terminal.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/follow.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "cli/plan_summary.hpp"
#include "store/queries.hpp"
#include "table/elide.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;

void print_query(const store::Store& store, const char* heading, const char* name) {
  table::Table table = store::run_query(store, store::find_query(name)->sql);
  if (table.rows.empty()) return;
  std::cout << "\n" << heading << "\n";
  if (::isatty(STDOUT_FILENO) == 1) {
    const auto width = static_cast<std::size_t>(base::terminal_columns(STDOUT_FILENO));
    return table::print(std::cout, table::elided(std::move(table), width), table::Format::kTable);
  }
  table::print(std::cout, table, table::Format::kTable);
}

int follow_study(const CommandLine& line) {
  const auto interval = line.get<double>("interval");
  if (!(interval >= 0.05 && interval <= 86400)) {
    throw UsageError("--interval is a number of seconds from 0.05 to 86400");
  }
  std::string study;
  if (line.has("manifest")) {
    study = plan_study(line.required("manifest"), HostContext(line.plugin_dirs())).study.name;
  }
  return follow(line.database(), study, interval);
}

}  // namespace

int command_status(const Arguments& arguments) {
  CommandLine line(
      "status [MANIFEST] [options]",
      "With a manifest: how many of its cells are stored. Without: the runs of the database. "
      "Both: what failed\nand why. With --follow: how far its run is, or the latest one, until it "
      "ends; ends with the exit code\nof that run, or with 1 when its process is gone.");
  line.positional("manifest", "the manifest");
  line.options().add_options()("follow", "go on until the run ends")(
      "interval", po::value<double>()->default_value(1.0), "--follow: seconds between two looks");
  line.add_database();
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  if (line.has("follow")) return follow_study(line);
  bool is_complete = true;
  if (line.has("manifest")) {
    const HostContext host(line.plugin_dirs());
    const PlannedStudy planned = plan_study(line.required("manifest"), host);
    const PlanSummary summary = summarize(planned.plan, line.database());
    std::cout << "study " << planned.study.name << "\n"
              << to_text(summary) << to_text(summary.lost);
    is_complete = summary.stored() == summary.total();
    if (!std::filesystem::exists(line.database())) {
      std::cout << "\n" << line.database().string() << " does not exist yet: nothing is stored\n";
      return static_cast<int>(ExitCode::kCellsFailed);
    }
  }
  const store::Store store = store::Store::open_reader(line.database());
  if (const std::string newer = store.newer_than_this(); !newer.empty()) {
    std::cerr << "note: " << newer << "\n";
  }
  if (!line.has("manifest")) print_query(store, "runs", "runs");
  print_query(store, "failures", "failures");
  return static_cast<int>(is_complete ? ExitCode::kDone : ExitCode::kCellsFailed);
}

}  // namespace unmask::cli
