#pragma once
// A stored result is only as good as its files: which results of a plan cannot be used any more.

#include <string>
#include <vector>

#include "store/result_folders.hpp"
#include "store/store.hpp"
#include "wire/cell.hpp"

namespace unmask::cli {

struct LostResult {
  std::string key;
  bool is_training = false;  ///< else: an attack whose images were to be kept
  std::string file;          ///< the file of a training
  std::string problem;       ///< "is missing", "is damaged (its hash differs)", "were not kept"
};

/// Stored trainings whose checkpoint is missing or damaged, and stored attacks that shall keep
/// their images and have no good file of them. `run` computes them again; `plan` and `status` count
/// them as missing. Reads and hashes those files.
std::vector<LostResult> find_lost_results(const store::Store& store,
                                          const std::vector<wire::Cell>& cells,
                                          const store::ResultFolders& folders);

/// "note: ..." lines that tell a user of them; empty when there are none.
std::string to_text(const std::vector<LostResult>& lost);

}  // namespace unmask::cli
