#pragma once
// `unmask status --follow`: how far a run is, until it ends.

#include <filesystem>
#include <string>

namespace unmask::cli {

/// Print the state of a study's latest run to standard output whenever it changes: drawn again on a
/// terminal, as lines elsewhere. Only reads the database.
/// @param study     empty: the one that ran last
/// @param interval  seconds between two looks
/// @return when the run has ended: its exit code, or 1 when its process is gone without a word
/// @throws StoreError when the database, or the study in it, is missing
int follow(const std::filesystem::path& database, const std::string& study, double interval);

}  // namespace unmask::cli
