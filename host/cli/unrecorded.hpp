#pragma once
// Trainings that came to their end while the database could not be written (a full disk, a host
// that was killed). The next run records them instead of training again; `plan` counts them so.

#include <optional>

#include "store/result_folders.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::cli {

/// The result that a worker left of a training; nothing when there is none, or none that can be
/// used: then the training goes on from its last snapshot, and a note on standard error says why.
/// Reads and hashes the checkpoint.
/// @param cell  a training that has no result in the database
std::optional<wire::CellResult> unrecorded_result(const wire::Cell& cell,
                                                  const store::ResultFolders& folders);

}  // namespace unmask::cli
