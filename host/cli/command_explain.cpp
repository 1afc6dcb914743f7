// unmask explain: why cells are stored, or will run.

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "base/counted.hpp"
#include "cli/cell_filter.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/explanation.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

// As many cells of a group as show what it is.
constexpr std::size_t kCellsShown = 3;

void print(const Explanation& group, bool shows_all) {
  std::cout << base::counted(group.cells.size(), "cell")
            << (group.is_stored ? (group.cells.size() == 1 ? " is stored: " : " are stored: ")
                                : " will run: ")
            << group.reason << "\n";
  const std::size_t shown =
      shows_all ? group.cells.size() : std::min(kCellsShown, group.cells.size());
  for (std::size_t i = 0; i < shown; ++i) {
    std::cout << "  " << group.cells[i].key.substr(0, 12) << "  " << wire::title(group.cells[i])
              << "\n";
  }
  if (shown < group.cells.size()) {
    std::cout << "  and " << group.cells.size() - shown << " more (--all)\n";
  }
}

json as_json(const std::vector<Explanation>& groups) {
  json list = json::array();
  for (const Explanation& group : groups) {
    json cells = json::array();
    for (const wire::Cell& cell : group.cells) {
      cells.push_back({{"key", cell.key}, {"title", wire::title(cell)}});
    }
    list.push_back({{"stored", group.is_stored}, {"reason", group.reason}, {"cells", cells}});
  }
  return list;
}

}  // namespace

int command_explain(const Arguments& arguments) {
  CommandLine line(
      "explain MANIFEST [CELL|FILTER]... [options]",
      "Says why cells of a manifest are stored (which run computed them) or will run: never tried, "
      "failed,\ninterrupted, discarded, its file lost, or in which component of the key it differs "
      "from the cell that was\nstored under its name, or else from the nearest one. CELL is the "
      "beginning of a key, FILTER as for\nrun --only; default: all cells. Runs nothing.");
  line.positional("manifest", "the manifest");
  line.positional("cells", "cells or filters", true);
  line.options().add_options()("all", "list every cell of a group")(
      "format", po::value<std::string>()->default_value("text"), "text or json");
  line.add_database();
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  const auto format = line.get<std::string>("format");
  if (format != "text" && format != "json") {
    throw UsageError("--format must be text or json, not \"" + format + "\"");
  }
  std::vector<std::string> filters;
  for (const std::string& text :
       line.find<std::vector<std::string>>("cells").value_or(std::vector<std::string>{})) {
    filters.push_back(filter_of_word(text));
  }
  const HostContext host(line.plugin_dirs());
  const PlannedStudy planned = plan_study(line.required("manifest"), host);
  const std::vector<wire::Cell> cells = matching_cells(planned.plan.cells, filters);
  const std::vector<Explanation> groups =
      explain(planned.plan, planned.study.name, cells, line.database());
  if (format == "json") {
    std::cout << as_json(groups).dump(2, ' ', false, json::error_handler_t::replace) << "\n";
    return 0;
  }
  for (const Explanation& group : groups) print(group, line.has("all"));
  return 0;
}

}  // namespace unmask::cli
