#pragma once
// A plan that does not change any more: what machines execute that know nothing of the manifest, its
// files and the order in which they were read.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "manifest/study.hpp"
#include "plan/planner.hpp"
#include "wire/manifest_record.hpp"

namespace unmask::plan {

struct FrozenPlan {
  wire::ManifestRecord study;  ///< for the record of each run
  manifest::RunSettings run;
  std::string git_commit;  ///< of the folder of the manifest; empty: not under git
  std::optional<bool> git_dirty;
  Plan plan;
  std::vector<double> costs;  ///< of each cell, for dividing them: seconds, or a guess
  bool is_split = false;      ///< trainings are shards of their own (plan/shards.hpp)
  std::string tool;           ///< version of unmask that made it
};

/// Write it as `<folder>/plan-<hash>.json`, the hash being that of its bytes. Cells that need what
/// this machine alone has (a data set that cannot be read) are the caller's to refuse.
/// @return the file  @throws DataError when a path is not UTF-8, or the file cannot be written
std::filesystem::path write_frozen_plan(const std::filesystem::path& folder,
                                        const FrozenPlan& frozen);

/// @throws DataError when the file is missing, damaged (its hash is not the one of its name), of
///         another version, or when a key is not that of its specification
FrozenPlan read_frozen_plan(const std::filesystem::path& file);

}  // namespace unmask::plan
