#pragma once
// The tasks of a submission without Slurm: the same scripts, on this machine, some at a time.

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "run/stop.hpp"

namespace unmask::cli {

class LocalTasks {
 public:
  /// @param folder  of the plan, with task.sh and merge.sh
  LocalTasks(std::filesystem::path folder, int parallel);

  std::vector<std::string> command(std::size_t number) const;
  std::vector<std::string> merge_command() const;

  /// Run shards to their end; what they print goes to logs/shard-N.log.
  /// @return false when it was stopped: then the others have not begun
  bool run(const std::vector<std::size_t>& numbers);

  /// Run merge.sh. @return its exit code
  int merge() const;

 private:
  struct Running {
    pid_t pid;
    std::size_t number;
  };

  void start(std::size_t number);
  void collect(bool passes_on_stop);

  std::filesystem::path folder_;
  std::size_t parallel_;
  run::StopRequest stop_;
  std::vector<Running> running_;
};

}  // namespace unmask::cli
