#pragma once
// Slurm, through its commands: sbatch and scontrol. Accounting (sacct) is never asked, since many
// sites have none.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unmask::cli {

/// What a site allows, as far as it says so.
struct SlurmLimits {
  std::optional<std::size_t> max_array;  ///< numbers of tasks are below it (MaxArraySize)
  std::optional<std::size_t> max_jobs;   ///< jobs that Slurm keeps at a time (MaxJobCount)

  /// How many tasks one array may have when their numbers begin at 1.
  std::size_t most_tasks() const;
};

/// From what `scontrol show config` prints.
SlurmLimits parse_limits(std::string_view config);

/// @throws UsageError when there is no Slurm here, or it does not answer
SlurmLimits ask_limits();

/// "1-3,7" for numbers in ascending order.
std::string array_of(const std::vector<std::size_t>& numbers);

/// Submit with sbatch. @return the id of the job  @throws Error with what sbatch said
std::string submit_job(const std::vector<std::string>& command);

}  // namespace unmask::cli
