#pragma once
// One task of a cluster: take over what was done before, execute a shard of a frozen plan on a
// database of this machine, publish it.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/host_context.hpp"
#include "cli/plan_folder.hpp"
#include "cli/session.hpp"
#include "run/progress.hpp"

namespace unmask::cli {

/// The exit code of a task that was stopped before its end: the same command goes on. It is that of
/// sysexits.h for "try again", which Slurm may be told to requeue (RequeueExit).
inline constexpr int kStoppedEarly = 75;

struct ShardOptions {
  std::filesystem::path plan;
  ShardName shard;
  /// Of this machine; nullopt: in a folder for temporary files, removed once it is published.
  std::optional<std::filesystem::path> database;
  double publish_every_s = 300;
  SessionOptions session;  ///< device, workers, argv, ...
};

/// @return the exit code: 0 when all cells of the shard are done, 1 when some failed or wait for a
///         training of another shard, kStoppedEarly
int run_shard(const HostContext& host, ShardOptions options, run::Progress& progress);

}  // namespace unmask::cli
