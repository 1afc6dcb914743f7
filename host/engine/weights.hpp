#pragma once
// Weights that were made elsewhere: a safetensors file for a model of ours.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "unmask/model.hpp"
#include "unmask/params.hpp"

namespace unmask::engine {

/// A file with weights, and a table of its names where they differ from the model's.
struct WeightsFile {
  std::filesystem::path file;
  std::optional<std::filesystem::path> names;
};

/// The host options "weights" and "weights_names" of an objective. "weights" must be given.
WeightsFile weights_of(const Params& training_options);

/// Read a file and its table, without a model. @throws DataError, ManifestError when one of them is
/// malformed
void expect_readable(const WeightsFile& weights);

/// What was taken from a file.
struct LoadedWeights {
  std::vector<NamedTensor> tensors;       ///< as the model names and orders them, dtypes as read
  std::vector<std::string> unused_rules;  ///< of the table
};

/// Overwrite all parameters and buffers of a model; values are converted to its dtype and device.
/// @throws DataError that lists every tensor which is missing, unknown to the model, given twice,
///         of another shape or not of floating dtype, and says what a table of names would look
///         like where one would help; the model is then unchanged
LoadedWeights load_weights(Model& model, const WeightsFile& weights);

}  // namespace unmask::engine
