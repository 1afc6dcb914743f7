#pragma once
// The two scripts of a submission, as text for bash and sbatch: one task of the array, and the merge
// after it. They are meant to be read, and run by hand where there is no Slurm: bash task.sh 3.

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/site_profile.hpp"

namespace unmask::cli {

/// How a frozen plan is executed; kept beside it, so that what is missing is sent again likewise.
struct Submission {
  std::string engine;  ///< "slurm", "local"
  std::size_t shards = 1;
  std::filesystem::path program;  ///< unmask itself
  std::filesystem::path plan;
  std::filesystem::path database;  ///< that everything is merged into
  std::string study;
  std::string device = "auto";
  std::optional<int> workers;
  int threads = 1;  ///< of one worker
  std::vector<std::string> plugin_dirs;
  std::string kernels;  ///< as for run; empty: the default of each machine
  SiteProfile profile;
};

void to_json(nlohmann::json& json, const Submission& submission);
/// @throws nlohmann::json::exception, ManifestError
void from_json(const nlohmann::json& json, Submission& submission);

std::string task_script(const Submission& submission);
std::string merge_script(const Submission& submission);

}  // namespace unmask::cli
