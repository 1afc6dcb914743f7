#pragma once
// Answers that cost time, kept between calls of the program. A cache may always be deleted, be
// damaged, or not be there: then things are worked out again.

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace unmask::base {

/// Environment variable that names the folder of the cache.
inline constexpr const char* kCacheVariable = "UNMASK_CACHE_DIR";

/// UNMASK_CACHE_DIR, else XDG_CACHE_HOME/unmask, else HOME/.cache/unmask; empty when none of them is
/// set. As the XDG specification says, a folder of its own that is not absolute counts as not set.
std::filesystem::path cache_folder();

/// A folder of entries, one file each. Never throws for what happens to its files.
class Cache {
 public:
  /// @param folder  made when the first entry is stored; empty: nothing is kept
  explicit Cache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// What was stored of this kind under an equal question; nullopt when there is no such entry or it
  /// is damaged.
  /// @param kind  part of the file's name: letters and '-'
  std::optional<nlohmann::json> find(const std::string& kind, const nlohmann::json& question) const;

  /// Keep an answer, whole or not at all, in place of an earlier one. The entries that were not
  /// used for longest go when there are more than kMostEntries.
  void store(const std::string& kind,
             const nlohmann::json& question,
             const nlohmann::json& answer) const;

  static constexpr std::size_t kMostEntries = 1000;

 private:
  std::filesystem::path file_of(const std::string& kind, const std::string& question) const;
  void prune() const;

  std::filesystem::path folder_;
};

}  // namespace unmask::base
