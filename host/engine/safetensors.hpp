#pragma once
// Tensors in a file, in the safetensors format, which Python's safetensors package reads as well:
// eight bytes with the length of a JSON header, the header, the tensors' bytes. The header maps a
// name to dtype, shape and the range of its bytes; `__metadata__` maps strings to strings. All
// little endian.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "unmask/tensor.hpp"

namespace unmask::engine {

/// What such a file holds.
struct TensorFile {
  std::vector<NamedTensor> tensors;  ///< on the CPU, contiguous, in the order of the header
  std::map<std::string, std::string> metadata;

  /// The tensor of that name, or nullptr.
  const Tensor* find(std::string_view name) const;
};

/// Dtypes that can be written and read: F32 F64 F16 BF16 I64 I32 U8 BOOL.
/// The header lists tensors in the given order. Their bytes are laid out by falling size of an
/// element (in the given order where sizes are equal), so that every tensor is aligned to its
/// elements. Equal input gives equal bytes.
/// @throws DataError on a name that is given twice, "__metadata__", or not UTF-8; on another dtype
std::string safetensors_bytes(const std::vector<NamedTensor>& tensors,
                              const std::map<std::string, std::string>& metadata = {});

/// Write a file that is whole or absent, whatever happens in between.
/// @throws DataError as safetensors_bytes, and when the file cannot be written
void write_safetensors(const std::filesystem::path& path,
                       const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// @param origin  what messages call the bytes: a path
/// @throws DataError naming the origin, the tensor where there is one, and the violated rule
TensorFile parse_safetensors(std::string_view bytes, const std::string& origin);

/// @throws DataError when the file cannot be read or is malformed
TensorFile read_safetensors(const std::filesystem::path& path);

}  // namespace unmask::engine
