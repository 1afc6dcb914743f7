// unmask plugins: list, show and check plugins.

#include <algorithm>
#include <iostream>

#include "catalog/describe.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;
using catalog::Catalog;
using catalog::PluginRecord;

int list(const Catalog& catalog, const std::string& format) {
  if (format == "json") {
    std::cout << nlohmann::json(catalog).dump(2) << "\n";
  } else if (format == "markdown") {
    std::cout << catalog::markdown_reference(catalog);
  } else {
    std::cout << catalog::list_text(catalog);
  }
  // A refused library is no reason to refuse the others, but somebody must hear of it.
  return catalog.refusals.empty() ? 0 : static_cast<int>(ExitCode::kPlugin);
}

// "dopri5", or "solver/dopri5" where an id exists in several kinds.
std::vector<const PluginRecord*> find(const Catalog& catalog, const std::string& wanted) {
  std::vector<const PluginRecord*> found;
  for (const PluginRecord& plugin : catalog.plugins) {
    if (plugin.id == wanted || plugin.kind + "/" + plugin.id == wanted) found.push_back(&plugin);
  }
  return found;
}

int show(const Catalog& catalog, const std::string& wanted, const std::string& format) {
  const auto found = find(catalog, wanted);
  if (found.empty()) {
    std::vector<std::string> ids;
    for (const PluginRecord& plugin : catalog.plugins) ids.push_back(plugin.id);
    throw PluginError("no plugin \"" + wanted + "\"\n" +
                      words::help_for_unknown(wanted, ids, "installed"));
  }
  for (const PluginRecord* plugin : found) {
    if (format == "json") {
      std::cout << catalog::params_schema(*plugin).dump(2) << "\n";
    } else {
      std::cout << catalog::show_text(*plugin);
    }
  }
  return 0;
}

int check(const HostContext& host, const std::string& file) {
  const Catalog catalog = host.inspect({std::filesystem::absolute(file)});
  for (const catalog::PluginRefusal& refusal : catalog.refusals) {
    throw PluginError(refusal.file.string() + " " + refusal.reason);
  }
  for (const PluginRecord& plugin : catalog.plugins) std::cout << catalog::show_text(plugin);
  return 0;
}

}  // namespace

int command_plugins(const Arguments& arguments) {
  CommandLine line(
      "plugins list | show ID | check FILE [options]",
      "list: all plugins that were found, and libraries that were refused, with the reason.\n"
      "show ID: all that a manifest may set for a plugin (ID as dopri5 or solver/dopri5).\n"
      "check FILE: load one library in a child process and say whether it would be accepted.");
  line.positional("action", "list, show or check");
  line.positional("subject", "plugin id or library file");
  line.options().add_options()(
      "format", po::value<std::string>()->default_value("text"), "text, json, or (list) markdown");
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  const HostContext host(line.plugin_dirs());
  const std::string format = line.get<std::string>("format");
  if (format != "text" && format != "json" && format != "markdown") {
    throw UsageError("--format must be text, json or markdown, not \"" + format + "\"");
  }
  const std::string action = line.required("action");
  if (action == "list") return list(host.catalog(), format);
  if (action == "show") return show(host.catalog(), line.required("subject"), format);
  if (action == "check") return check(host, line.required("subject"));
  throw UsageError("unmask plugins " + action + ": the action must be list, show or check");
}

}  // namespace unmask::cli
