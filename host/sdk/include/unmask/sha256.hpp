#pragma once
// SHA-256 (FIPS 180-4): keys of cells, fingerprints, content hashes.

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "unmask/export.hpp"

namespace unmask {
inline namespace v1 {

/// Incremental hash. Feed bytes with `update`, then ask once for the digest. OpenSSL computes it, with
/// the processor's own instructions where there are any.
class UNMASK_API Sha256 {
 public:
  /// @throws InternalError when OpenSSL has no memory or refuses the algorithm
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& update(const void* data, std::size_t size);
  Sha256& update(std::string_view text) { return update(text.data(), text.size()); }

  /// The digest as 64 lower-case hexadecimal digits. The object is used up afterwards.
  std::string hex();

 private:
  void* context_ = nullptr;  // EVP_MD_CTX; plugins need no header of OpenSSL
};

/// Digest of a text.
UNMASK_API std::string sha256_hex(std::string_view text);

/// Digest of a file's bytes. @throws DataError when it cannot be read.
UNMASK_API std::string sha256_file(const std::filesystem::path& file);

}  // namespace v1
}  // namespace unmask
