#pragma once
// `unmask import`: a safetensors file from elsewhere becomes one under a model's own names.

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/weights.hpp"
#include "loader/registry.hpp"

namespace unmask::engine {

struct ImportRequest {
  std::string model;      ///< plugin id
  nlohmann::json params;  ///< of a definition: complete, checked
  ModelContext context;
  WeightsFile weights;
  std::filesystem::path output;
};

struct ImportReport {
  std::string sha256;  ///< of the written file
  std::int64_t tensors = 0;
  std::int64_t values = 0;                ///< in all tensors
  std::vector<std::string> unused_rules;  ///< of the table of names
};

/// Check the file against the model and write its tensors, values and dtypes as they are, under the
/// names and in the order of the model. A file that is there already and holds the same bytes is
/// left alone.
/// @throws DataError for everything that does not fit, all at once, and when `output` exists with
///         other bytes: keys of studies that use it would change without a word
ImportReport import_weights(loader::Registry& registry, const ImportRequest& request);

}  // namespace unmask::engine
