#pragma once
// One process writes to a database at a time.

#include <filesystem>
#include <string>

#include "base/unique_fd.hpp"

namespace unmask::store {

/// The right to write: a lock on a file beside the database. The kernel releases it when the process
/// ends, however it ends, so nobody ever has to remove it. Readers do not look at it.
/// @param file  the database by its real name (ResultFolders): one file, one lock
/// @throws WriterBusy that names the process that holds it
base::UniqueFd take_writer_lock(const std::filesystem::path& file);

/// "process 7 on host since ..." while somebody has that right, else empty. Only looks: whoever
/// wants the right meanwhile gets it.
std::string writer_of(const std::filesystem::path& file);

}  // namespace unmask::store
