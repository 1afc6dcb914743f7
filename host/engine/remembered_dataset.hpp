#pragma once
// A data set whose hash and images are kept between processes: reading and decoding fifty thousand
// pictures takes as long as a small study.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>

#include <nlohmann/json.hpp>

#include "base/cache.hpp"
#include "catalog/catalog.hpp"
#include "unmask/dataset.hpp"

namespace unmask::engine {

/// Where it is kept, and how much of it.
struct DatasetMemory {
  base::Cache answers;
  /// Folder for decoded images, each split in a file with its SHA-256 in front; empty: none are kept.
  std::filesystem::path pictures;
  /// What is read within this, and the time in which a copy of it would be read at 500 MB/s, is not
  /// worth a copy.
  std::chrono::milliseconds worth_keeping{300};
  /// Bytes that the folder may hold; what was not used for longest goes when it holds more. A split
  /// of more than half of it is not kept.
  std::uintmax_t most_bytes = std::uintmax_t{4} << 30;
  /// Files that changed less than two seconds before this are not vouched for.
  std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
};

/// A data set that answers from memory what it can: its hash and description for as long as the
/// files that its parameters name are what they were, its images for as long as the hash is. Only
/// for data sets with the capability content_from_params; others are given back as they are.
/// @param plugin   its record; must outlive it
/// @param params   its own parameters and the host's, paths included
std::unique_ptr<Dataset> remembered(std::unique_ptr<Dataset> dataset,
                                    const catalog::PluginRecord& plugin,
                                    const nlohmann::json& params,
                                    DatasetMemory memory);

}  // namespace unmask::engine
