#pragma once
// From a manifest file to a study.

#include <filesystem>
#include <optional>
#include <vector>

#include "catalog/catalog.hpp"
#include "manifest/study.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {

/// Either a study or at least one error.
struct ReadResult {
  std::optional<Study> study;
  std::vector<Diagnostic> errors;  ///< in the order of the files, then of their text
};

/// Read, check and resolve a manifest and the files that it extends. Nothing is executed, no data
/// is looked at. All errors come at once. Never throws for what a file holds.
ReadResult read_study(const std::filesystem::path& file, const catalog::Catalog& catalog);

}  // namespace unmask::manifest
