#pragma once
// Carrying the files of results (checkpoints, adversarial images) from beside one database to beside
// another, and a database as one sealed file.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/result_folders.hpp"
#include "store/store.hpp"

namespace unmask::store {

/// Copy the files of stored results that another database names, too, and lacks. Each arrives whole
/// or not at all, and only when its bytes are the recorded ones.
/// @param target  the other database: of the same cells, files are wanted that have the same hash
/// @return sentences about files that are missing or damaged beside the source
/// @throws DataError when a file cannot be written
std::vector<std::string> copy_result_files(const Store& source, const Store& target);

/// Copy all files of stored results into folders that lie elsewhere. @return as above
std::vector<std::string> copy_result_files(const Store& source, const ResultFolders& folders);

/// Write the database as one file without a log, that any number of processes may read from a
/// network file system: made locally, copied, renamed. Readers of the former file keep it.
/// @param store  a writer outside of a transaction
/// @throws StoreError, DataError; then `file` is as it was
void write_sealed_copy(const Store& store, const std::filesystem::path& file);

/// Whether a path lies on a file system that several machines share (NFS, Lustre, SMB, GPFS, ...):
/// a database in use must not. Of a path that does not exist, where it would be made.
bool is_on_network(const std::filesystem::path& path);

}  // namespace unmask::store
