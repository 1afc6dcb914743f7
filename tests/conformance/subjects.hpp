#pragma once
// The shipped plugins as subjects of the claims of host/conformance.

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "catalog/params_json.hpp"
#include "conformance/claim.hpp"
#include "manifest/examples.hpp"
#include "support/plugins.hpp"

namespace unmask::test {

/// Ids of all plugins of a kind in the build folder, sorted. Read from the file names, so that
/// listing loads nothing.
inline std::vector<std::string> plugin_ids(const std::string& kind) {
  std::vector<std::string> ids;
  const std::string prefix = kind + "_";
  std::error_code ignored;
  const auto folder = plugin_file(kind, "x").parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".so" && stem.starts_with(prefix)) {
      ids.push_back(stem.substr(prefix.size()));
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

/// A plugin with values for some of its parameters.
inline conformance::Subject subject_of(const std::string& kind,
                                       const std::string& id,
                                       conformance::Values values) {
  const PluginDescriptor& descriptor = plugin_descriptor(kind, id);
  const PluginInfo info = descriptor.info();
  conformance::Subject subject;
  subject.kind = kind;
  subject.id = id;
  subject.built_as = kind;
  subject.params = info.params;
  subject.capabilities = info.capabilities;
  subject.values = std::move(values);
  subject.create = descriptor.create;
  return subject;
}

/// The examples.json of a plugin's folder: names and values; without one, the defaults.
inline std::vector<std::pair<std::string, conformance::Values>> examples_of(const std::string& kind,
                                                                            const std::string& id) {
  std::filesystem::path file = plugin_file(kind, id);
  file.replace_extension(".examples.json");
  if (!std::filesystem::exists(file)) return {{"defaults", {}}};
  catalog::PluginRecord record;
  record.kind = kind;
  record.id = id;
  record.params = plugin_descriptor(kind, id).info().params;
  std::vector<std::pair<std::string, conformance::Values>> examples;
  for (const manifest::PluginExample& example : manifest::read_examples(file, record)) {
    conformance::Values given;
    const Params complete = catalog::params_from_json(record.params, example.params, {});
    for (const auto& item : example.params.items()) {
      given[item.key()] = complete.values().at(item.key());
    }
    examples.emplace_back(example.name, std::move(given));
  }
  return examples;
}

}  // namespace unmask::test
