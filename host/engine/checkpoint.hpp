#pragma once
// Trained networks on disk: safetensors files named by the hash of their bytes.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/safetensors.hpp"
#include "unmask/model.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Write the state of a model as `<folder>/ab/abcdef….safetensors`. The file is whole or absent:
/// temporary file, fsync, rename, fsync of the folder.
/// @param state  see model_state()
wire::CheckpointFile save_checkpoint(const std::filesystem::path& folder,
                                     const std::vector<NamedTensor>& state,
                                     const std::map<std::string, std::string>& metadata);

/// Read a checkpoint and make sure that it is the one that was written.
/// @throws DataError when it is missing or its hash differs
TensorFile load_checkpoint(const std::filesystem::path& folder,
                           const wire::CheckpointFile& checkpoint);

}  // namespace unmask::engine
