#pragma once
// Writes what happens in a run to the store, at once, and looks after the files that stand for a
// training until then.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "run/runner.hpp"
#include "store/result_folders.hpp"
#include "store/store.hpp"
#include "wire/cell.hpp"

namespace unmask::cli {

class StoreRecorder final : public run::Recorder {
 public:
  StoreRecorder(store::Store& store, std::int64_t run, store::ResultFolders folders)
      : store_(store), run_(run), folders_(std::move(folders)) {}

  std::string attempt_started(const wire::Cell& cell, int pid, const std::string& device) override;
  run::Recorded cell_done(const std::string& attempt,
                          const wire::Cell& cell,
                          const wire::CellResult& result) override;
  void cell_failed(const std::string& attempt,
                   const wire::Cell& cell,
                   const wire::CellFailure& failure,
                   bool will_retry) override;
  void cell_skipped(const wire::Cell& cell, const std::string& reason) override;
  std::map<std::string, wire::StoredParts> stored_parts() override;
  void part_done(const wire::Cell& cell, const wire::CellPart& part) override;
  std::vector<wire::CellPart> parts(const wire::Cell& cell) override;

 private:
  store::Store& store_;
  std::int64_t run_;
  store::ResultFolders folders_;
};

/// Remove what killed processes left half written among the checkpoints and images.
void remove_abandoned_files(const store::ResultFolders& folders);

/// What came of looking through the folder of unfinished trainings.
struct Adopted {
  std::size_t trainings = 0;  ///< had ended, but their result had not been recorded: it is now
  /// Results of former weights of those trainings that were discarded, by key of their cell.
  std::vector<std::string> discarded;
};

/// Record trainings of `cells` that came to their end while the database could not be written (a
/// full disk, a host that was killed), and remove what is left over of trainings that are recorded.
/// @param cells  registered with the run
Adopted adopt_finished_trainings(store::Store& store,
                                 std::int64_t run,
                                 const std::vector<wire::Cell>& cells,
                                 const store::ResultFolders& folders);

}  // namespace unmask::cli
