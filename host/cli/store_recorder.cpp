#include "cli/store_recorder.hpp"

#include <unistd.h>

#include <iostream>
#include <optional>
#include <system_error>

#include "base/files.hpp"
#include "cli/unrecorded.hpp"
#include "wire/unfinished.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;

// What stood for a training until now. A file that cannot be removed costs room, nothing else.
void remove_recovery_files(const store::ResultFolders& folders, const std::string& key) {
  for (const fs::path& file : {wire::snapshot_file(folders.checkpoints, key),
                               wire::finished_file(folders.checkpoints, key)}) {
    std::error_code error;
    fs::remove(file, error);
    if (error)
      std::cerr << "note: cannot remove " << file.string() << ": " << error.message() << "\n";
  }
}

// Keys of trainings that left something in the folder.
std::vector<std::string> keys_in(const fs::path& folder) {
  std::vector<std::string> keys;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    keys.push_back(name.substr(0, name.find('.')));
  }
  return keys;
}

}  // namespace

std::string StoreRecorder::attempt_started(const wire::Cell& cell,
                                           int pid,
                                           const std::string& device) {
  return store_.begin_attempt(run_, cell.key, pid, device);
}

run::Recorded StoreRecorder::cell_done(const std::string& attempt,
                                       const wire::Cell& cell,
                                       const wire::CellResult& result) {
  run::Recorded recorded;
  try {
    recorded.discarded = store_.commit_result(attempt, result);
  } catch (const store::RefusedResult& error) {
    recorded.refusal = error.what();
    return recorded;
  }
  if (cell.kind == wire::CellKind::kTrain) remove_recovery_files(folders_, cell.key);
  return recorded;
}

void StoreRecorder::cell_failed(const std::string& attempt,
                                const wire::Cell&,
                                const wire::CellFailure& failure,
                                bool) {
  wire::CellFailure recorded = failure;
  if (!failure.log_file.empty()) {
    if (!recorded.log_tail.empty()) recorded.log_tail += "\n";
    recorded.log_tail += "(all of it: " + failure.log_file + ")";
  }
  if (!failure.command.empty()) recorded.log_tail += "\n(alone: " + failure.command + ")";
  store_.fail_attempt(attempt, recorded);
}

void StoreRecorder::cell_skipped(const wire::Cell& cell, const std::string& reason) {
  store_.skip_cell(run_, cell.key, reason);
}

std::map<std::string, wire::StoredParts> StoreRecorder::stored_parts() {
  return store_.usable_parts(run_);
}

void StoreRecorder::part_done(const wire::Cell& cell, const wire::CellPart& part) {
  store_.record_part(run_, cell.key, part);
}

std::vector<wire::CellPart> StoreRecorder::parts(const wire::Cell& cell) {
  return store_.parts(cell.key);
}

void remove_abandoned_files(const store::ResultFolders& folders) {
  base::remove_abandoned(folders.checkpoints);
  base::remove_abandoned(folders.adversarials);
}

Adopted adopt_finished_trainings(store::Store& store,
                                 std::int64_t run,
                                 const std::vector<wire::Cell>& cells,
                                 const store::ResultFolders& folders) {
  Adopted adopted;
  const std::vector<std::string> left = keys_in(folders.unfinished);
  for (const auto& [key, checkpoint] : store.lookup(left)) remove_recovery_files(folders, key);
  std::vector<std::string> trainings;
  for (const wire::Cell& cell : cells) {
    if (cell.kind == wire::CellKind::kTrain) trainings.push_back(cell.key);
  }
  const store::DoneCells done = store.lookup(trainings);
  for (const wire::Cell& cell : cells) {
    if (cell.kind != wire::CellKind::kTrain || done.contains(cell.key)) continue;
    const std::optional<wire::CellResult> result = unrecorded_result(cell, folders);
    if (!result) continue;
    const std::string attempt = store.begin_attempt(run, cell.key, ::getpid(), result->device);
    for (const std::string& key : store.commit_result(attempt, *result)) {
      adopted.discarded.push_back(key);
    }
    remove_recovery_files(folders, cell.key);
    ++adopted.trainings;
  }
  return adopted;
}

}  // namespace unmask::cli
