#pragma once
// Parameters with which an author wants a plugin to be tried: examples.json, an object of names and
// parameters, written as in a manifest.
//
//   { "defaults": {}, "many steps": { "steps": 100 } }

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"

namespace unmask::manifest {

/// One set of parameters; complete only with the plugin's defaults.
struct PluginExample {
  std::string name;
  nlohmann::json params = nlohmann::json::object();
};

/// The file that unmask_add_plugin() puts beside the library ("attack_pgd.examples.json" beside
/// "attack_pgd.so"); nullopt when there is none.
std::optional<std::filesystem::path> examples_beside(const std::filesystem::path& library);

/// Read examples of a plugin.
/// @throws ManifestError with all errors, each with file, line and column
std::vector<PluginExample> read_examples(const std::filesystem::path& file,
                                         const catalog::PluginRecord& plugin);

/// One example from the command line: a JSON object of parameters.
/// @throws ManifestError as read_examples()
PluginExample parse_example(const std::string& text, const catalog::PluginRecord& plugin);

/// What to try when nobody gave examples: the defaults; nullopt when there are required parameters.
std::optional<PluginExample> default_example(const catalog::PluginRecord& plugin);

/// "\"a\", \"b\"": the parameters without a default.
std::string required_parameters(const catalog::PluginRecord& plugin);

}  // namespace unmask::manifest
