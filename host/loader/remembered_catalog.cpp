// What is kept of earlier looks at libraries, and when it still holds.

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "base/file_stamp.hpp"
#include "loader/discover.hpp"
#include "unmask/sha256.hpp"

namespace unmask::loader {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;
using Moment = std::chrono::system_clock::time_point;

constexpr const char* kKind = "plugins";

std::string stamp_text(const fs::path& file) {
  const auto stamp = base::stamp_of(file);
  return stamp ? stamp->text : "";
}

// Files with their stamps, as an object; nullopt when one is not there or had not rested.
std::optional<json> stamps_of(const std::vector<std::string>& files, Moment rested_at) {
  json stamps = json::object();
  for (const std::string& file : files) {
    const auto stamp = base::stamp_of(file);
    if (!stamp || !stamp->had_rested(rested_at)) return std::nullopt;
    stamps[file] = stamp->text;
  }
  return stamps;
}

bool are_unchanged(const json& stamps) {
  for (const auto& [file, stamp] : stamps.items()) {
    if (stamp.get_ref<const std::string&>() != stamp_text(file)) return false;
  }
  return true;
}

// A library with the stamp that it had before it was looked at.
struct Known {
  std::string stamp;
  catalog::PluginRecord record;
};

// One entry of the cache:
// {"engine": {file: stamp}, "cuda_devices": n, "libraries": {file: {"stamp", "found"}}}
struct Memory {
  json engine = json::object();
  int cuda_devices = 0;
  std::map<std::string, Known> libraries;  // that are what they were
};

std::optional<Memory> recall(const base::Cache& cache, const json& question) {
  const std::optional<json> stored = cache.find(kKind, question);
  if (!stored) return std::nullopt;
  try {
    Memory memory;
    memory.engine = stored->at("engine");
    stored->at("cuda_devices").get_to(memory.cuda_devices);
    if (memory.engine.empty() || !are_unchanged(memory.engine)) return std::nullopt;
    for (const auto& [file, entry] : stored->at("libraries").items()) {
      const auto stamp = entry.at("stamp").get<std::string>();
      if (stamp_text(file) != stamp) continue;
      auto found = entry.at("found").get<catalog::Catalog>();
      memory.libraries.emplace(file, Known{stamp, std::move(found.plugins.at(0))});
    }
    return memory;
  } catch (const std::exception&) {
    return std::nullopt;  // of a version that wrote otherwise
  }
}

// Libraries that changed while they were looked at, or just before, are left out.
void keep(const base::Cache& cache, const json& question, const Memory& memory, Moment start) {
  json libraries = json::object();
  for (const auto& [file, known] : memory.libraries) {
    const auto stamp = base::stamp_of(file);
    if (!stamp || stamp->text != known.stamp || !stamp->had_rested(start)) continue;
    catalog::Catalog alone;
    alone.plugins.push_back(known.record);
    libraries[file] = {{"stamp", known.stamp}, {"found", alone}};
  }
  cache.store(kKind,
              question,
              {{"engine", memory.engine},
               {"cuda_devices", memory.cuda_devices},
               {"libraries", std::move(libraries)}});
}

}  // namespace

catalog::Catalog remembered_catalog(const base::Cache& cache,
                                    const json& host,
                                    const std::vector<fs::path>& files,
                                    const Inspect& inspect) {
  json question = {{"host", host}, {"files", json::array()}};
  for (const fs::path& file : files) question["files"].push_back(file.string());

  std::optional<Memory> recalled = recall(cache, question);
  Memory memory = recalled ? std::move(*recalled) : Memory{};
  std::vector<fs::path> unknown;
  for (const fs::path& file : files) {
    if (!memory.libraries.contains(file.string())) unknown.push_back(file);
  }
  std::vector<catalog::PluginRefusal> refusals;
  if (!recalled || !unknown.empty()) {
    const Moment start = std::chrono::system_clock::now();
    std::map<fs::path, std::string> stamps;
    for (const fs::path& file : unknown) stamps[file] = stamp_text(file);
    Inspection found = inspect(unknown);
    memory.cuda_devices = found.cuda_devices;
    memory.engine = stamps_of(found.engine_files, start).value_or(json::object());
    for (catalog::PluginRecord& record : found.records) {
      const std::string file = record.file.string();
      memory.libraries.insert_or_assign(file, Known{stamps.at(file), std::move(record)});
    }
    refusals = std::move(found.refusals);
    keep(cache, question, memory, start);
  }

  std::vector<catalog::PluginRecord> records;
  for (const fs::path& file : files) {
    const auto known = memory.libraries.find(file.string());
    if (known != memory.libraries.end()) records.push_back(known->second.record);
  }
  catalog::Catalog catalog = assemble_catalog(std::move(records), std::move(refusals));
  catalog.cuda_devices = memory.cuda_devices;
  if (!memory.engine.empty()) {
    catalog.engine = sha256_hex(json{{"host", host}, {"files", memory.engine}}.dump());
  }
  return catalog;
}

}  // namespace unmask::loader
