#pragma once

#include <filesystem>
#include <string>

namespace unmask::wire {

/// What is remembered of the manifest of a study.
struct ManifestRecord {
  std::filesystem::path file;
  std::string text;    ///< the manifest verbatim, comments included
  std::string sha256;  ///< of `text`
  std::string name;    ///< of the study
  std::string description;
};

}  // namespace unmask::wire
