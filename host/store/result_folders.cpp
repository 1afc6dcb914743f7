#include "store/result_folders.hpp"

#include <system_error>

#include "base/files.hpp"
#include "unmask/errors.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

fs::path real_name(const fs::path& given) {
  // weakly_canonical() stops at a link that leads nowhere; a database made through it would lie
  // beside the link.
  const fs::path file = base::behind_links(fs::absolute(given));
  std::error_code error;
  if (fs::is_symlink(fs::symlink_status(file, error))) {
    throw StoreError(given.string() + " is a symbolic link that leads in a circle");
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
