#include "store/result_folders.hpp"

#include <system_error>

#include "unmask/errors.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

// As many links as the kernel follows.
constexpr int kMaxLinks = 40;

fs::path real_name(const fs::path& given) {
  fs::path file = fs::absolute(given);
  std::error_code error;
  // weakly_canonical() stops at a link that leads nowhere; a database made through it would lie
  // beside the link.
  for (int links = 0; fs::is_symlink(fs::symlink_status(file, error)); ++links) {
    if (links == kMaxLinks) {
      throw StoreError(given.string() + " is a symbolic link that leads in a circle");
    }
    const fs::path target = fs::read_symlink(file, error);
    if (error) break;
    file = target.is_absolute() ? target : file.parent_path() / target;
  }
  const fs::path real = fs::weakly_canonical(file, error);
  return error ? file : real;
}

}  // namespace

ResultFolders ResultFolders::of(const fs::path& database) {
  ResultFolders folders;
  folders.database = real_name(database);
  const fs::path folder = folders.database.parent_path();
  folders.checkpoints = folder / "checkpoints";
  folders.unfinished = folders.checkpoints / "unfinished";
  folders.adversarials = folder / "adversarials";
  folders.logs = folder / "logs";
  return folders;
}

}  // namespace unmask::store
