#pragma once
// What the installed plugins offer, as plain data: read by the host, which itself never loads a
// plugin. A short-lived child process fills it (see loader/discover.hpp) and prints it as JSON.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "unmask/params.hpp"

namespace unmask::catalog {

/// The six kinds, spelled as in manifests: "solver", "model", "attack", "dataset", "objective",
/// "probe".
inline constexpr const char* kKinds[] = {
    "solver", "model", "attack", "dataset", "objective", "probe"};

/// One usable plugin.
struct PluginRecord {
  std::string kind;
  std::string id;
  std::string version;
  std::string summary;
  std::string source;                  ///< the paper or book it comes from
  std::vector<ParamSpec> params;       ///< what the plugin itself declares
  std::set<std::string> capabilities;  ///< e.g. "adaptive" (solver), "deterministic"
  std::string fingerprint;             ///< SHA-256 over its sources; part of every key
  std::filesystem::path file;
  std::string file_sha256;  ///< provenance only
  std::string build_tag;
};

/// A library that was found and refused, with the one sentence that says why.
struct PluginRefusal {
  std::filesystem::path file;
  std::string reason;
};

/// A plugin that is not used because another library offers the same kind and id.
struct PluginNote {
  std::string kind;
  std::string id;
  std::string text;  ///< one sentence that names both files
};

/// Everything found in the plugin folders.
struct Catalog {
  std::vector<PluginRecord> plugins;  ///< sorted by kind (order of kKinds), then id
  std::vector<PluginRefusal> refusals;
  std::vector<PluginNote> notes;
  int cuda_devices = 0;  ///< as LibTorch sees them in the child
  /// Stands for everything but plugins that answers of a child depend on: program, engine, LibTorch
  /// as files. Empty: not known. Not part of the JSON.
  std::string engine;

  /// The plugin, or nullptr.
  const PluginRecord* find(std::string_view kind, std::string_view id) const;
  std::vector<std::string> ids(std::string_view kind) const;
};

void to_json(nlohmann::json& json, const Catalog& catalog);
void from_json(const nlohmann::json& json, Catalog& catalog);

}  // namespace unmask::catalog
