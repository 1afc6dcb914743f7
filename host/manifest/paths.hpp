#pragma once
// The "paths" object, and the values of path and file parameters.

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "manifest/text.hpp"

namespace unmask::manifest {

/// Resolves the values of path parameters: ${paths.NAME}, ${env:NAME}, relative paths.
class Paths {
 public:
  /// @param folders  the folder of each file, to which its relative paths refer
  Paths(const Node* paths,
        std::map<const Source*, std::filesystem::path> folders,
        Reporter& reporter);

  /// The path that a string value stands for. A placeholder whose environment variable is not set
  /// stays as written: a manifest can be checked without its data, and running reports the literal
  /// text. An empty text stays empty.
  std::string resolve(const Node& value);

 private:
  std::string substitute(const Node& value, std::vector<std::string>& chain);

  std::map<std::string, const Node*> named_;
  std::map<const Source*, std::filesystem::path> folders_;
  std::set<std::string> in_cycle_;  // reported once
  Reporter& reporter_;
};

}  // namespace unmask::manifest
