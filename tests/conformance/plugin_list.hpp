#pragma once
// What the conformance tests run over: every plugin of a kind that lies in the plugin folder.

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/plugins.hpp"

namespace unmask::test {

/// Ids of all plugins of a kind, sorted. Read from the file names, so that listing loads nothing.
inline std::vector<std::string> plugin_ids(const std::string& kind) {
  std::vector<std::string> ids;
  const std::string prefix = kind + "_";
  std::error_code ignored;
  const auto folder = plugin_file(kind, "x").parent_path();
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".so" && stem.starts_with(prefix)) {
      ids.push_back(stem.substr(prefix.size()));
    }
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

inline std::string id_of(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace unmask::test
