#include "cli/lost_results.hpp"

#include <filesystem>

#include "base/counted.hpp"
#include "unmask/sha256.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;

// "" when the file is what it was when it was written.
std::string problem_of(const fs::path& file, const wire::ResultFile& written) {
  if (!fs::exists(file)) return "is missing";
  return sha256_file(file) == written.sha256 ? "" : "is damaged (its hash differs)";
}

}  // namespace

std::vector<LostResult> find_lost_results(const store::Store& store,
                                          const std::vector<wire::Cell>& cells,
                                          const store::ResultFolders& folders) {
  // Others have no file.
  std::vector<std::string> keys;
  for (const wire::Cell& cell : cells) {
    if (cell.kind == wire::CellKind::kTrain || cell.keeps_adversarials) keys.push_back(cell.key);
  }
  const store::DoneCells done = store.lookup(keys);
  std::vector<LostResult> lost;
  for (const wire::Cell& cell : cells) {
    const auto found = done.find(cell.key);
    if (found == done.end() || !found->second) continue;
    const fs::path file = folders.checkpoints / found->second->path;
    const std::string problem = problem_of(file, *found->second);
    if (!problem.empty()) lost.push_back({cell.key, true, file.string(), problem});
  }
  for (const wire::Cell& cell : cells) {
    if (!cell.keeps_adversarials || !done.contains(cell.key)) continue;
    const auto kept = store.adversarials_of(cell.key);
    const std::string problem =
        kept ? problem_of(folders.adversarials / kept->path, *kept) : "were not kept";
    if (!problem.empty()) lost.push_back({cell.key, false, "", problem});
  }
  return lost;
}

std::string to_text(const std::vector<LostResult>& lost) {
  std::string text;
  std::size_t without_images = 0;
  for (const LostResult& item : lost) {
    if (item.is_training) {
      text += "note: checkpoint " + item.file + " " + item.problem + "; it will be trained again\n";
    } else {
      ++without_images;
    }
  }
  if (without_images > 0) {
    text += "note: " + base::counted(without_images, "stored attack") +
            (without_images == 1 ? " has no file of adversarial images; it will run again\n"
                                 : " have no file of adversarial images; they will run again\n");
  }
  return text;
}

}  // namespace unmask::cli
