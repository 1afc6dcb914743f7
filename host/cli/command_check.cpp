// unmask check: validate a manifest.

#include <iostream>

#include "base/counted.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "cli/load_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace po = boost::program_options;

int command_check(const Arguments& arguments) {
  CommandLine line(
      "check MANIFEST [options]",
      "Validates a manifest against the installed plugins and names every error in it. Data "
      "sets are not\nread: a manifest may be checked on a machine that does not have them.");
  line.positional("manifest", "the manifest");
  line.options().add_options()(
      "format", po::value<std::string>()->default_value("text"), "text or json");
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  const std::string file = line.required("manifest");
  const auto format = line.get<std::string>("format");
  if (format != "text" && format != "json")
    throw UsageError("--format must be text or json, not \"" + format + "\"");

  const HostContext host(line.plugin_dirs());
  const manifest::Study study = load_study(file, host, Deadly::kRefuse, format == "json");
  if (format == "json") {
    std::cout << nlohmann::json{{"errors", nlohmann::json::array()}}.dump() << "\n";
  } else {
    std::cout << file << ": no errors; " << base::counted(study.train.size(), "training") << ", "
              << base::counted(study.evaluate.size(), "evaluation") << "\n";
  }
  return 0;
}

}  // namespace unmask::cli
