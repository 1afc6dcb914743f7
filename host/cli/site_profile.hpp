#pragma once
// What a site wants of jobs: partition, account, modules. A JSON file of the user; nothing of it is
// part of a key.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace unmask::cli {

struct SiteProfile {
  std::string partition, account, qos, constraint, gres, memory, time, merge_time;
  std::optional<int> cpus_per_task;
  std::optional<int> max_parallel;    ///< tasks of the array at the same time
  int stop_before_s = 600;            ///< how long before its time limit a task is told to end
  int max_requeues = 100;             ///< how often a task that was stopped goes on by itself
  std::vector<std::string> modules;   ///< `module load`
  std::vector<std::string> prologue;  ///< lines of bash before the program
  std::vector<std::string> sbatch;    ///< further options of sbatch, "--exclusive"
};

/// @throws ManifestError naming the file and the member that is wrong; it lists the known ones
SiteProfile read_site_profile(const std::filesystem::path& file);

/// @param name  of the file, for messages
SiteProfile site_profile_from(const nlohmann::json& json, const std::string& name);
nlohmann::json to_json(const SiteProfile& profile);

}  // namespace unmask::cli
