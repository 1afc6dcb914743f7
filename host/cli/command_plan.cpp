// unmask plan: what a manifest asks for, what is stored, what will run.

#include <algorithm>
#include <iostream>

#include "base/counted.hpp"
#include "cli/answer.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/cost.hpp"
#include "cli/execution.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "cli/plan_summary.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

void print_axes(const char* stage, const std::map<std::string, std::vector<std::string>>& axes) {
  constexpr std::size_t kNames = 14;  // columns, blanks around them included
  std::cout << stage << "\n";
  for (const auto& [axis, values] : axes) {
    std::string line = "  " + axis;
    line.resize(std::max(kNames, line.size() + 1), ' ');
    for (std::size_t i = 0; i < values.size(); ++i) line += (i > 0 ? ", " : "") + values[i];
    std::cout << table::wrapped(line, kAnswerWidth, kNames) << "\n";
  }
}

std::string combination(const manifest::ExcludedRow& row) {
  std::string text;
  for (const auto& [axis, value] : row.axes) text += (text.empty() ? "" : " ") + axis + "=" + value;
  return text;
}

void print_excluded(const manifest::Study& study, bool all) {
  std::map<std::string, std::size_t> by_reason;
  for (const manifest::ExcludedRow& row : study.excluded) ++by_reason[row.stage + ": " + row.why];
  if (!by_reason.empty()) std::cout << "\nexcluded by rules\n";
  for (const auto& [reason, count] : by_reason)
    std::cout << "  " << count << "  " << reason << "\n";
  if (all) {
    for (const manifest::ExcludedRow& row : study.excluded) {
      std::cout << "  " << row.stage << " " << combination(row) << "\n";
    }
  }
  const std::size_t collapsed = study.train_duplicates + study.evaluate_duplicates;
  if (collapsed > 0)
    std::cout << "\n"
              << base::counted(collapsed, "row")
              << (collapsed == 1 ? " equal to another one was collapsed\n"
                                 : " equal to another one were collapsed\n");
}

void print_list(const plan::Plan& plan, const PlanSummary& summary) {
  std::cout << "\n";
  for (const wire::Cell& cell : plan.cells) {
    std::cout << cell.key.substr(0, 12) << "  "
              << (summary.done.contains(cell.key) ? "stored" : "to run") << "  "
              << wire::title(cell) << "\n";
  }
}

json as_json(const PlannedStudy& planned,
             const PlanSummary& summary,
             const Execution& execution,
             const CostEstimate& cost) {
  json cells = json::array();
  for (const wire::Cell& cell : planned.plan.cells) {
    cells.push_back({{"key", cell.key},
                     {"kind", wire::to_string(cell.kind)},
                     {"title", wire::title(cell)},
                     {"stored", summary.done.contains(cell.key)},
                     {"spec", cell.spec}});
  }
  json excluded = json::array();
  for (const manifest::ExcludedRow& row : planned.study.excluded) {
    excluded.push_back({{"stage", row.stage}, {"axes", row.axes}, {"why", row.why}});
  }
  return {
      {"study", planned.study.name},
      {"manifest_sha256", planned.study.sha256},
      {"axes", {{"train", planned.study.train_axes}, {"evaluate", planned.study.evaluate_axes}}},
      {"total", summary.total()},
      {"stored", summary.stored()},
      {"unrecorded", summary.unrecorded},
      {"workers", execution.sure_workers()},
      {"most_workers", execution.devices.size()},
      {"threads", execution.threads},
      {"devices", execution.devices},
      {"estimated_s", cost.known_cells == 0 ? json() : json(cost.wall_s.median)},
      {"estimated_low_s", cost.known_cells == 0 ? json() : json(cost.wall_s.low)},
      {"estimated_high_s", cost.known_cells == 0 ? json() : json(cost.wall_s.high)},
      {"cells_without_estimate", cost.unknown_cells},
      {"dataset_problems", planned.plan.dataset_problems},
      {"excluded", excluded},
      {"collapsed", planned.study.train_duplicates + planned.study.evaluate_duplicates},
      {"cells", cells}};
}

}  // namespace

int command_plan(const Arguments& arguments) {
  CommandLine line(
      "plan MANIFEST [options]",
      "Shows what a manifest asks for: axes, numbers of cells, what is stored, what will run, "
      "what is excluded\nand why, where it would run, and how long that took before. Runs "
      "nothing.");
  line.positional("manifest", "the manifest");
  line.options().add_options()("list", "also list every cell with its key")(
      "excluded", "also list every excluded combination")(
      "format", po::value<std::string>()->default_value("text"), "text or json")(
      "device", po::value<std::string>()->default_value("auto"), "as for run")(
      "workers", po::value<int>(), "as for run");
  line.add_database();
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  const auto format = line.get<std::string>("format");
  if (format != "text" && format != "json")
    throw UsageError("--format must be text or json, not \"" + format + "\"");

  const HostContext host(line.plugin_dirs());
  const PlannedStudy planned = plan_study(line.required("manifest"), host);
  const PlanSummary summary = summarize(planned.plan, line.database());
  const Execution execution = decide_execution(line.get<std::string>("device"),
                                               line.find<int>("workers"),
                                               planned.study.run,
                                               planned.catalog.cuda_devices);
  const bool is_complete = summary.stored() == summary.total();
  const CostEstimate cost = estimate_cost(
      planned.plan,
      summary.done,
      is_complete ? Precedents() : read_precedents(line.database(), execution.devices.front()),
      execution.sure_workers());
  if (format == "json") {
    std::cout << as_json(planned, summary, execution, cost)
                     .dump(2, ' ', false, json::error_handler_t::replace)
              << "\n";
    return 0;
  }
  std::cout << "study " << planned.study.name << "\n";
  if (!planned.study.description.empty()) std::cout << planned.study.description << "\n";
  std::cout << "\n";
  print_axes("train", planned.study.train_axes);
  print_axes("evaluate", planned.study.evaluate_axes);
  std::cout << "\n" << to_text(summary) << to_text(summary.lost);
  print_excluded(planned.study, line.has("excluded"));
  std::cout << "\nruns as   " << execution.text() << "\ntakes     " << to_text(cost) << "\n";
  for (const auto& [name, problem] : planned.plan.dataset_problems) {
    std::cout << "\nwarning: data set \"" << name << "\" cannot be used here: " << problem << "\n";
  }
  if (line.has("list")) print_list(planned.plan, summary);
  return 0;
}

}  // namespace unmask::cli
