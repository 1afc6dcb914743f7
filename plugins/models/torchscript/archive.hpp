#pragma once
// The zip archive that torch.jit.save writes, looked at before LibTorch sees it: LibTorch checks no
// checksums, and a storage that was cut is read beyond its end.

#include <cstdint>
#include <string>
#include <vector>

namespace unmask {

/// A file in an archive.
struct ArchiveEntry {
  std::string name;         ///< "net/data/0"
  std::uint64_t bytes = 0;  ///< unpacked
};

/// All files of a TorchScript archive, each of them whole.
/// @throws DataError that says what the file is instead, where it ends too early, or which of its
///         files does not have its checksum
std::vector<ArchiveEntry> checked_archive(const std::string& file);

}  // namespace unmask
