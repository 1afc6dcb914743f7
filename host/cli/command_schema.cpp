// unmask schema: the JSON Schema of manifests, for editors.

#include <iostream>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/host_context.hpp"
#include "manifest/schema.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {

int command_schema(const Arguments& arguments) {
  CommandLine line("schema [options] > manifest.schema.json",
                   "Prints the JSON Schema (draft 7) of manifests, made from the plugins that are\n"
                   "there. Name the file in \"$schema\" of a manifest, and an editor completes,\n"
                   "explains and checks it while you write.");
  line.add_plugin_dir();
  if (!line.parse(arguments)) return 0;
  const catalog::Catalog catalog = HostContext(line.plugin_dirs()).catalog();
  std::cout << manifest::manifest_schema(catalog).dump(1) << "\n";
  for (const catalog::PluginRefusal& refusal : catalog.refusals) {
    std::cerr << "unmask: left out: '" << refusal.file.string() << "' " << refusal.reason << "\n";
  }
  return catalog.refusals.empty() ? 0 : static_cast<int>(ExitCode::kPlugin);
}

}  // namespace unmask::cli
