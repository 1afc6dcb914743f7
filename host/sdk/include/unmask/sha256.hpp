#pragma once
// SHA-256 (FIPS 180-4): keys of cells, fingerprints, content hashes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "unmask/export.hpp"

namespace unmask {
inline namespace v1 {

/// Incremental hash. Feed bytes with `update`, then ask once for the digest.
class UNMASK_API Sha256 {
 public:
  Sha256();
  Sha256& update(const void* data, std::size_t size);
  Sha256& update(std::string_view text) { return update(text.data(), text.size()); }

  /// The digest as 64 lower-case hexadecimal digits. The object is used up afterwards.
  std::string hex();

 private:
  void compress(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_;
  std::array<std::uint8_t, 64> buffer_{};
  std::size_t buffered_ = 0;
  std::uint64_t total_ = 0;
};

/// Digest of a text.
UNMASK_API std::string sha256_hex(std::string_view text);

/// Digest of a file's bytes. @throws DataError when it cannot be read.
UNMASK_API std::string sha256_file(const std::filesystem::path& file);

}  // namespace v1
}  // namespace unmask
