// unmask exec: execute one stored cell in this process, for a debugger or to check a number.

#include <algorithm>
#include <iostream>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "store/result_folders.hpp"
#include "store/store.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace po = boost::program_options;

int command_exec(const Arguments& arguments) {
  CommandLine line(
      "exec MANIFEST --cell KEY [options]",
      "Executes one cell of a manifest without recording it and prints its result as JSON. An "
      "attack or probe\nneeds the stored checkpoint of its training. KEY may be shortened as "
      "long as it is unique.\nTo debug: gdb --args unmask exec MANIFEST --cell KEY --in-process");
  line.positional("manifest", "the manifest");
  line.options().add_options()(
      "cell", po::value<std::string>()->required(), "key of the cell (unmask plan --list)")(
      "device", po::value<std::string>()->default_value("cpu"), "cpu or cuda:N")(
      "in-process",
      "execute it in this process instead of a child: for debuggers and profilers. What ends or "
      "crashes the cell ends this program");
  line.add_database();
  line.add_plugin_dir();
  line.add_kernels();
  if (!line.parse(arguments)) return 0;

  const HostContext host(line.plugin_dirs(), line.kernels());
  const PlannedStudy planned = plan_study(line.required("manifest"), host);
  const auto wanted = line.get<std::string>("cell");
  const wire::Cell* cell = nullptr;
  for (const wire::Cell& candidate : planned.plan.cells) {
    if (!candidate.key.starts_with(wanted)) continue;
    if (cell != nullptr)
      throw UsageError("--cell " + wanted + " names several cells; give more digits");
    cell = &candidate;
  }
  if (cell == nullptr)
    throw UsageError("--cell " + wanted + " names no cell of the plan (unmask plan --list)");

  const store::ResultFolders folders = store::ResultFolders::of(line.database());
  nlohmann::json request = {{"key", cell->key},
                            {"spec", cell->spec},
                            {"locals", cell->locals},
                            {"device", line.get<std::string>("device")},
                            {"threads", cell->spec.value("threads", 1)},
                            {"checkpoints", folders.checkpoints.string()},
                            {"plugins", host.plugin_files()}};
  const auto checkpoint_of = [&](const std::string& key) {
    const auto& cells = planned.plan.cells;
    const wire::Cell& training =
        *std::find_if(cells.begin(), cells.end(), [&](const auto& one) { return one.key == key; });
    const auto stored = store::Store::open_reader(line.database()).lookup(std::span(&training, 1));
    const auto found = stored.find(training.key);
    if (found == stored.end() || !found->second) {
      throw StoreError("the cell needs a checkpoint that is not stored yet: " +
                       wire::title(training));
    }
    return *found->second;
  };
  if (cell->needs) request["checkpoint"] = checkpoint_of(*cell->needs);
  if (cell->needs_source) request["source"] = checkpoint_of(*cell->needs_source);
  if (line.has("in-process")) return host.become_engine("execute", request);
  constexpr double kADay = 86400;
  std::cout << host.ask_engine("execute", request, kADay)
                   .dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
            << "\n";
  return 0;
}

}  // namespace unmask::cli
