// unmask plugins: list and show plugins, begin a new one, check and try a library.

#include <algorithm>
#include <iostream>

#include "catalog/describe.hpp"
#include "catalog/param_schema.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "cli/plugin_claims.hpp"
#include "cli/plugin_folder.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace po = boost::program_options;
using catalog::Catalog;
using catalog::PluginRecord;

int list(const Catalog& catalog, const std::string& format) {
  if (format == "json") {
    std::cout << nlohmann::json(catalog).dump(
                     2, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
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

ClaimRequest claim_request(const CommandLine& line, const std::string& format) {
  ClaimRequest request;
  request.file = line.required("subject");
  request.params = line.find<std::string>("params");
  request.examples = line.find<std::string>("examples");
  if (request.params && request.examples) {
    throw UsageError("give --params or --examples, not both");
  }
  request.as_json = format == "json";
  return request;
}

}  // namespace

int command_plugins(const Arguments& arguments) {
  CommandLine line(
      "plugins list | show ID | new KIND ID | check FILE | test FILE [options]",
      "list: all plugins that were found, and libraries that were refused, with the reason.\n"
      "show ID: all that a manifest may set for a plugin (ID as dopri5 or solver/dopri5).\n"
      "new KIND ID: write a folder with a plugin that builds, and everything that belongs to it.\n"
      "check FILE: whether a library would be accepted, and its plugin can be constructed.\n"
      "test FILE: try everything that a plugin of its kind must keep, and say what does not hold.\n"
      "check and test use the examples.json of the plugin's folder, or --params or --examples.");
  line.positional("action", "list, show, new, check or test");
  line.choices("action", {"list", "show", "new", "check", "test"});
  line.positional("subject", "plugin id, kind, or library file");
  line.positional("id", "id of a new plugin");
  line.options().add_options()(
      "format", po::value<std::string>()->default_value("text"), "text, json, or (list) markdown")(
      "dir", po::value<std::string>(), "new: the folder to write; default: the id")(
      "params", po::value<std::string>(), "check, test: parameters as a JSON object")(
      "examples", po::value<std::string>(), "check, test: a file of examples");
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  const HostContext host(line.plugin_dirs());
  const auto format = line.get<std::string>("format");
  if (format != "text" && format != "json" && format != "markdown") {
    throw UsageError("--format must be text, json or markdown, not \"" + format + "\"");
  }
  const std::string action = line.required("action");
  if (action != "new" && line.has("id")) {
    throw UsageError("unmask plugins " + action + " takes one argument; \"" +
                     line.get<std::string>("id") + "\" is too much");
  }
  if (action == "list") return list(host.catalog(), format);
  if (action == "show") return show(host.catalog(), line.required("subject"), format);
  if (action == "new") {
    const std::string id = line.required("id");
    return new_plugin(host.executable(),
                      line.required("subject"),
                      id,
                      line.has("dir") ? line.get<std::string>("dir") : id);
  }
  if (action == "check" || action == "test") {
    const ClaimRequest request = claim_request(line, format);
    return action == "check" ? check_plugin(host, request) : test_plugin(host, request);
  }
  throw UsageError("unmask plugins " + action +
                   ": the action must be list, show, new, check or test");
}

}  // namespace unmask::cli
