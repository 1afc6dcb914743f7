#pragma once
// The sources of the tree, as the tests of its layout see them.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace unmask::house {

/// C++ sources and headers below a folder, sorted; none where there is no such folder.
inline std::vector<std::filesystem::path> sources_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> result;
  if (!std::filesystem::exists(folder)) return result;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".cpp" || extension == ".hpp") result.push_back(entry.path());
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace unmask::house
