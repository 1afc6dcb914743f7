#pragma once
// The fingerprint of a plugin: SHA-256 over the tokens of its sources and of the headers that they include in quotes. It is part
// of the key of every cell that uses the plugin: editing an attack re-runs exactly those cells, a comment or another
// formatting re-runs nothing.

#include <filesystem>
#include <string>
#include <vector>

namespace unmask::fingerprint {

struct Fingerprint {
  std::string sha256;  ///< 64 hexadecimal digits
  std::vector<std::filesystem::path>
      files;  ///< all that was read: changing one may change the fingerprint
};

/// @param sources  the plugin's files, in the order in which they count
/// @param folders  where a header is looked for that is not beside the file that includes it. One that is found nowhere is
///                 not the plugin's own and does not count; nor do the headers of the SDK ("unmask/...", but for
///                 "unmask/kit/...").
/// @throws std::runtime_error naming a source that cannot be read
Fingerprint fingerprint_of(const std::vector<std::filesystem::path>& sources,
                           const std::vector<std::filesystem::path>& folders);

}  // namespace unmask::fingerprint
