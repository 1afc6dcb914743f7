#pragma once
// Several databases into one, with their files: nothing is left out, nothing is there twice, and the
// order does not matter. What two of them hold of the same cell must be the same.

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "store/store.hpp"

namespace unmask::store {

/// What becomes of results that contradict each other.
enum class OnConflict {
  kRefuse,    ///< nothing is merged
  kKeepFirst  ///< what the target holds stays, then what the earlier source brings; the attempt of
              ///< the other result is recorded as discarded
};

struct MergeOptions {
  OnConflict on_conflict = OnConflict::kRefuse;
  /// Take results of these cells alone, by key, and no failed attempts.
  std::optional<std::set<std::string>> only = std::nullopt;
};

/// Two results of one cell that are not the same, or a result of other weights than the stored ones.
struct MergeConflict {
  std::string key;
  std::string kind;            ///< "train", "attack", "probe"
  std::string what;            ///< where they differ, with both values
  std::string target;          ///< where the result in the target was computed
  std::string source;          ///< likewise of the other one
  std::filesystem::path file;  ///< that holds the other one
};

struct MergeReport {
  bool is_merged = false;    ///< false: there were conflicts, and nothing was changed
  std::size_t added = 0;     ///< results that the target did not have
  std::size_t known = 0;     ///< results that were there already, with the same values
  std::size_t attempts = 0;  ///< attempts that the target did not have
  std::vector<MergeConflict> conflicts;
  /// Files of checkpoints and images that a source should have and has not, or damaged.
  std::vector<std::string> missing_files;
};

/// Merge in one transaction: however it ends, the target is as it was or has everything. Files are
/// copied before the commit. Verdicts are not merged: they follow from what is (verdict::renew).
/// Runs are numbered anew by the time of their beginning when they were not in this order.
/// @param target   a writer
/// @param sources  may be in use; a running attempt counts as interrupted until it is merged again
/// @throws StoreError, DataError when a source cannot be read or a file cannot be copied
MergeReport merge(Store& target,
                  std::span<const std::filesystem::path> sources,
                  const MergeOptions& options = {});

/// Which machines and libraries computed the stored results: a sentence for each, with the number of
/// results. Rounding may differ between any two of them.
std::map<std::string, std::size_t> kernels_of_results(const Store& store);

}  // namespace unmask::store
