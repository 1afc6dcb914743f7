#pragma once
// Care of a database file and of the files beside it: what it is, copies of it, what nobody needs.
// Behind `unmask db`.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "store/result_folders.hpp"
#include "store/store.hpp"
#include "table/table.hpp"

namespace unmask::store {

/// What can be said about a file: columns "property" and "value", one row each.
/// @param is_thorough  look for damage everywhere (reads the whole file) instead of quickly
table::Table describe(const Store& store, bool is_thorough);

/// What a copy is for.
enum class CopyKind {
  kBackup,  ///< to be written again
  kSealed   ///< to travel and to be read: nobody writes to it any more, and it needs no file beside
};

/// Copy what is committed now, also while another process writes. The copy appears under its name
/// when it is whole, is one file in the rollback mode, and was looked through for damage.
/// @param may_replace  an existing file at `target`
/// @throws StoreError when it exists, is the database itself, or cannot be made
void copy_to(const Store& store,
             const std::filesystem::path& target,
             CopyKind kind,
             bool may_replace);

/// A file or folder that nothing refers to.
struct Garbage {
  std::filesystem::path path;
  std::uintmax_t bytes = 0;
  std::string why;
};

/// The results databases in a folder, whatever their names: backups and sealed copies, too, since
/// all of them share the folders beside them.
std::vector<std::filesystem::path> databases_in(const std::filesystem::path& folder);

/// What lies beside a database and none of the databases of its folder refers to: checkpoints,
/// adversarial images, snapshots of trainings that are recorded or that nobody asks for, logs of
/// runs that no failure refers to, temporary files of processes that were killed. Meaningful while
/// nobody writes.
/// @throws StoreError when one of the databases cannot be read: then nobody knows what it refers to
std::vector<Garbage> find_garbage(const ResultFolders& folders);

}  // namespace unmask::store
