#pragma once
// Tensors in a file, in the safetensors format, which Python's safetensors package reads as well:
// eight bytes with the length of a JSON header, the header, the tensors' bytes. The header maps a
// name to dtype, shape and the range of its bytes; `__metadata__` maps strings to strings. All
// little endian. Dtypes that can be written and read: F32 F64 F16 BF16 I64 I32 U8 BOOL.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// What such a file holds.
struct UNMASK_API TensorFile {
  std::vector<NamedTensor> tensors;  ///< on the CPU, contiguous, in the order of the header
  std::map<std::string, std::string> metadata;

  /// The tensor of that name, or nullptr.
  const Tensor* find(std::string_view name) const;
};

/// The header lists tensors in the given order. Their bytes are laid out by falling size of an
/// element (in the given order where sizes are equal), so that every tensor is aligned to its
/// elements. Equal input gives equal bytes.
/// @throws DataError on a name that is given twice, "__metadata__", or not UTF-8; on another dtype
UNMASK_API std::string safetensors_bytes(const std::vector<NamedTensor>& tensors,
                                         const std::map<std::string, std::string>& metadata = {});

/// @param origin  what messages call the bytes: a path
/// @throws DataError naming the origin, the tensor where there is one, and the violated rule
UNMASK_API TensorFile parse_safetensors(std::string_view bytes, const std::string& origin);

/// @throws DataError when the file cannot be read or is malformed
UNMASK_API TensorFile read_safetensors(const std::filesystem::path& path);

/// One tensor of a file, as the header describes it.
struct TensorEntry {
  std::string name;
  at::ScalarType dtype = at::ScalarType::Undefined;  ///< Undefined: one that cannot be read
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  ///< of its bytes, counted from the end of the header
  std::uint64_t end = 0;
  std::string dtype_name;  ///< as written, "U32"
};

/// A file of which only the header is read; tensors are read one by one when they are asked for. A
/// tensor of a dtype that cannot be read does no harm until then.
class UNMASK_API TensorFileReader {
 public:
  /// @throws DataError when the file cannot be read or its header is malformed
  explicit TensorFileReader(std::filesystem::path path);

  const std::vector<TensorEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// The entry of that name, or nullptr.
  const TensorEntry* find(std::string_view name) const;

  /// On the CPU, contiguous. @throws DataError when its dtype cannot be read, or the file changed or
  /// cannot be read any more
  Tensor read(const TensorEntry& entry) const;

 private:
  std::filesystem::path path_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, std::string> metadata_;
  std::uint64_t data_begin_ = 0;
};

}  // namespace v1
}  // namespace unmask
