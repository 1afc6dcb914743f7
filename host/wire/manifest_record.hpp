#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace unmask::wire {

/// What is remembered of the manifest of a study.
struct ManifestRecord {
  std::filesystem::path file;
  std::string text;    ///< the manifest verbatim, comments included
  std::string sha256;  ///< of `text`
  std::string name;    ///< of the study
  std::string description;
  /// Thresholds of verdicts that it sets (catalog/verdict_thresholds.hpp), by name.
  std::map<std::string, double> thresholds = {};
};

}  // namespace unmask::wire
