#pragma once
// A data set whose hash and images are kept between processes: reading and decoding fifty thousand
// pictures takes as long as a small study.

#include <chrono>
#include <filesystem>
#include <memory>

#include <nlohmann/json.hpp>

#include "base/cache.hpp"
#include "catalog/catalog.hpp"
#include "unmask/dataset.hpp"

namespace unmask::engine {

/// Where it is kept.
struct DatasetMemory {
  base::Cache answers;
  /// Folder for decoded images, each split in a file with its SHA-256 in front; empty: none are kept.
  /// What was not used for longest goes when it holds more than 4 GiB.
  std::filesystem::path pictures;
  /// What is read faster than this is not worth a copy.
  std::chrono::milliseconds worth_keeping{300};
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
