#include "cli/unrecorded.hpp"

#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "run/complaint.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "wire/unfinished.hpp"

namespace unmask::cli {

std::optional<wire::CellResult> unrecorded_result(const wire::Cell& cell,
                                                  const store::ResultFolders& folders) {
  namespace fs = std::filesystem;
  const fs::path file = wire::finished_file(folders.checkpoints, cell.key);
  if (cell.kind != wire::CellKind::kTrain || !fs::exists(file)) return std::nullopt;
  try {
    const auto content = nlohmann::json::parse(base::read_file(file));
    auto result = content.at("result").get<wire::CellResult>();
    if (content.at("key") != cell.key) return std::nullopt;
    if (const auto wrong = run::complaint(cell, result)) throw DataError(*wrong);
    const fs::path checkpoint = folders.checkpoints / result.checkpoint->path;
    if (!fs::exists(checkpoint) || sha256_file(checkpoint) != result.checkpoint->sha256) {
      throw DataError("its checkpoint " + checkpoint.string() + " is missing or damaged");
    }
    return result;
  } catch (const std::exception& error) {
    std::cerr << "note: the result in " << file.string() << " cannot be used: " << error.what()
              << "; the training goes on from its last snapshot\n";
    return std::nullopt;
  }
}

}  // namespace unmask::cli
