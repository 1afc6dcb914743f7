// unmask status: how much of a manifest is done, and what failed.

#include <iostream>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "cli/plan_summary.hpp"
#include "store/queries.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

void print_query(const store::Store& store, const char* heading, const char* name) {
  const table::Table table = store::run_query(store, store::find_query(name)->sql);
  if (table.rows.empty()) return;
  std::cout << "\n" << heading << "\n";
  table::print(std::cout, table, table::Format::kTable);
}

}  // namespace

int command_status(const Arguments& arguments) {
  CommandLine line(
      "status [MANIFEST] [options]",
      "With a manifest: how many of its cells are stored. Without: the runs of the database. "
      "Both: what failed\nand why.");
  line.positional("manifest", "the manifest");
  line.add_database();
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
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
