#include "base/file_stamp.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <system_error>
#include <utility>

#include "unmask/sha256.hpp"

namespace unmask::base {
namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;

constexpr std::size_t kMostFiles = 2'000'000;

nanoseconds time_of(const timespec& time) {
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

FileStamp stamp_from(const struct stat& status) {
  const nanoseconds modified = time_of(status.st_mtim), changed = time_of(status.st_ctim);
  return {std::to_string(status.st_size) + " " + std::to_string(modified.count()) + " " +
              std::to_string(changed.count()) + " " + std::to_string(status.st_ino),
          std::max(modified, changed)};
}

// Collects "name NUL stamp LF" of all files below a folder.
class TreeWalk {
 public:
  explicit TreeWalk(std::chrono::system_clock::time_point rested_at) : rested_at_(rested_at) {}

  bool walk(const fs::path& path, const std::string& name) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return false;
    if (S_ISREG(status.st_mode)) {
      const FileStamp stamp = stamp_from(status);
      lines_.push_back(name + '\0' + stamp.text + '\n');
      return stamp.had_rested(rested_at_) && lines_.size() <= kMostFiles;
    }
    // A folder that contains itself through a link would have no end.
    const auto identity = std::pair(status.st_dev, status.st_ino);
    if (!S_ISDIR(status.st_mode) || !open_folders_.insert(identity).second) return false;
    std::error_code error;
    for (fs::directory_iterator i(path, error), end; !error && i != end; i.increment(error)) {
      if (!walk(i->path(), name + "/" + i->path().filename().native())) return false;
    }
    open_folders_.erase(identity);
    return !error;
  }

  std::string text() {
    std::sort(lines_.begin(), lines_.end());
    Sha256 hash;
    for (const std::string& line : lines_) hash.update(line);
    return std::to_string(lines_.size()) + " files " + hash.hex();
  }

 private:
  std::chrono::system_clock::time_point rested_at_;
  std::vector<std::string> lines_;
  std::set<std::pair<dev_t, ino_t>> open_folders_;
};

}  // namespace

bool FileStamp::had_rested(std::chrono::system_clock::time_point at) const {
  return time + std::chrono::seconds(2) <= at.time_since_epoch();
}

std::optional<FileStamp> stamp_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return stamp_from(status);
}

std::optional<std::string> tree_stamp(const fs::path& root,
                                      std::chrono::system_clock::time_point rested_at) {
  TreeWalk walk(rested_at);
  if (!walk.walk(root, "")) return std::nullopt;
  return walk.text();
}

}  // namespace unmask::base
