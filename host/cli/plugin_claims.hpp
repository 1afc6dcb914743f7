#pragma once
// `unmask plugins check` and `unmask plugins test`: one library, looked at and tried in a child
// process.

#include <filesystem>
#include <optional>
#include <string>

#include "cli/host_context.hpp"

namespace unmask::cli {

/// What to try a plugin with; nothing: the examples beside the library, else the defaults.
struct ClaimRequest {
  std::filesystem::path file;
  std::optional<std::string> params;              ///< a JSON object
  std::optional<std::filesystem::path> examples;  ///< a file of several
  bool as_json = false;
};

/// Whether the host would accept the library, and what its declaration and its constructor show.
/// Prints what the plugin offers.
/// @throws PluginError naming everything that is wrong
int check_plugin(const HostContext& host, const ClaimRequest& request);

/// Try everything that a plugin of its kind must keep, and print it in words.
/// @return  0, or the exit code for plugins when something does not hold
int test_plugin(const HostContext& host, const ClaimRequest& request);

}  // namespace unmask::cli
