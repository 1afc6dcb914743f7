#include "store/result_files.hpp"

#include <sys/vfs.h>

#include <algorithm>
#include <functional>
#include <system_error>

#include "base/files.hpp"
#include "store/database.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

struct FileRow {
  std::string key, sha256, path;
  std::uintmax_t bytes = 0;
};

std::vector<FileRow> files_of(Database& database, const std::string& table) {
  Statement read = database.prepare("list files of " + table,
                                    "SELECT c.key, f.sha256, f.path, f.bytes FROM " + table +
                                        " f JOIN cell c ON c.id = f.cell_id ORDER BY c.key");
  std::vector<FileRow> rows;
  while (read.step()) {
    rows.push_back(
        {read.text(0), read.text(1), read.text(2), static_cast<std::uintmax_t>(read.integer(3))});
  }
  return rows;
}

// A path of a database must not lead out of its folder: databases travel between people.
bool stays_inside(const fs::path& path) {
  return path.is_relative() &&
         std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

bool is_there(const fs::path& file, const FileRow& row) {
  std::error_code error;
  return fs::file_size(file, error) == row.bytes && !error && sha256_file(file) == row.sha256;
}

// @return what is wrong with the source; "" when the file is there now
std::string carry(const FileRow& row, const fs::path& from, const fs::path& to) {
  if (!stays_inside(row.path)) return "its name " + row.path + " leads out of its folder";
  const fs::path source = from / row.path, target = to / row.path;
  if (source == target || is_there(target, row)) return "";
  std::error_code error;
  if (!fs::exists(source, error)) return source.string() + " is missing";
  if (!is_there(source, row)) return source.string() + " is damaged (its hash differs)";
  base::copy_file_atomically(source, target);
  return "";
}

// @param is_wanted  decides by key and hash
std::vector<std::string> copy_files(
    const Store& source,
    const ResultFolders& to,
    const std::function<bool(const std::string& table, const FileRow&)>& is_wanted) {
  const ResultFolders from = ResultFolders::of(source.file());
  std::vector<std::string> problems;
  for (const std::string table : {"checkpoint", "adversarials"}) {
    const bool is_checkpoint = table == "checkpoint";
    for (const FileRow& row : files_of(source.database(), table)) {
      if (!is_wanted(table, row)) continue;
      const std::string problem = carry(row,
                                        is_checkpoint ? from.checkpoints : from.adversarials,
                                        is_checkpoint ? to.checkpoints : to.adversarials);
      if (!problem.empty()) problems.push_back(problem);
    }
  }
  return problems;
}

}  // namespace

std::vector<std::string> copy_result_files(const Store& source, const Store& target) {
  const auto is_wanted = [&](const std::string& table, const FileRow& row) {
    Statement find = target.database().prepare(
        "is the file wanted",
        "SELECT 1 FROM " + table +
            " f JOIN cell c ON c.id = f.cell_id WHERE c.key = ? AND f.sha256 = ?");
    return find.bind(row.key).bind(row.sha256).step();
  };
  return copy_files(source, ResultFolders::of(target.file()), is_wanted);
}

std::vector<std::string> copy_result_files(const Store& source, const ResultFolders& folders) {
  return copy_files(source, folders, [](const std::string&, const FileRow&) { return true; });
}

void write_sealed_copy(const Store& store, const fs::path& file) {
  const base::TempFolder scratch("unmask-seal-", store.file().parent_path());
  const fs::path copy = scratch.path() / "copy.sqlite";
  store.database().prepare("write a sealed copy", "VACUUM INTO ?").bind(copy.string()).run();
  base::copy_file_atomically(copy, file);
}

bool is_on_network(const fs::path& path) {
  fs::path folder = fs::absolute(path);
  std::error_code error;
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return false;
  // Of linux/magic.h and the manual page statfs(2), and of file systems that are not in the kernel.
  constexpr unsigned long kShared[] = {0x6969,       // NFS
                                       0x517b,       // SMB
                                       0xff534d42,   // CIFS
                                       0xfe534d42,   // SMB2
                                       0x0bd00bd0,   // Lustre
                                       0x47504653,   // GPFS
                                       0x19830326,   // BeeGFS
                                       0x00c36400,   // Ceph
                                       0xaad7aaea,   // PanFS
                                       0x5346414f,   // AFS
                                       0x01021997,   // 9p
                                       0x7461636f,   // OCFS2
                                       0x01161970,   // GFS2
                                       0x65735546};  // FUSE: sshfs, GlusterFS and others
  const auto type = static_cast<unsigned long>(info.f_type) & 0xffffffffUL;
  return std::find(std::begin(kShared), std::end(kShared), type) != std::end(kShared);
}

}  // namespace unmask::store
