#pragma once
// Files that stand for a training until its result is in the database. The worker writes them, the
// host removes them, and only after the commit: recovery data go last.

#include <filesystem>
#include <string>

namespace unmask::wire {

/// The folder of both, below that of the checkpoints.
inline std::filesystem::path unfinished_folder(const std::filesystem::path& checkpoints) {
  return checkpoints / "unfinished";
}

/// What a training needs to go on in the middle.
inline std::filesystem::path snapshot_file(const std::filesystem::path& checkpoints,
                                           const std::string& key) {
  return unfinished_folder(checkpoints) / (key + ".safetensors");
}

/// The result of a training that came to its end: {"key", "result"}. A host that finds one whose
/// checkpoint is whole records it instead of training again.
inline std::filesystem::path finished_file(const std::filesystem::path& checkpoints,
                                           const std::string& key) {
  return unfinished_folder(checkpoints) / (key + ".result.json");
}

}  // namespace unmask::wire
