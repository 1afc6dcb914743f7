#pragma once
// Files of tensors for the host: the SDK reads them, and here they are written whole or not at all.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "unmask/safetensors.hpp"

namespace unmask::engine {

using unmask::parse_safetensors;
using unmask::read_safetensors;
using unmask::safetensors_bytes;
using unmask::TensorFile;

/// Write a file that is whole or absent, whatever happens in between.
/// @throws DataError as safetensors_bytes, and when the file cannot be written
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace unmask::engine
