#pragma once
// What tells that a file is still the file it was, without reading it.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace unmask::base {

/// Size, times of the last change of content and of inode (in nanoseconds), and inode number.
/// Restoring an old time of modification does not deceive it: the time of the inode's change cannot
/// be set.
struct FileStamp {
  std::string text;               ///< all of it; equal texts, equal files
  std::chrono::nanoseconds time;  ///< the later one of both times, since the epoch

  /// A file that was changed only just now may change again within the resolution of the file
  /// system's clock, and keep its stamp. Only what had rested for two seconds (FAT counts in such
  /// steps) at this time may be relied on.
  bool had_rested(std::chrono::system_clock::time_point at) const;
};

/// Of the file that a path leads to; nullopt when there is none, or it is no regular file.
std::optional<FileStamp> stamp_of(const std::filesystem::path& file);

/// One text for a file, or for a folder with all files in it at any depth: their names and stamps.
/// nullopt when something in it is neither file nor folder, cannot be read, or had not rested; or
/// when there are too many files to look at each time.
std::optional<std::string> tree_stamp(const std::filesystem::path& root,
                                      std::chrono::system_clock::time_point rested_at);

}  // namespace unmask::base
