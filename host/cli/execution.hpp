#pragma once
// Where cells run: devices, worker processes, threads.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "manifest/study.hpp"

namespace unmask::cli {

/// One device per worker slot, and LibTorch threads of each worker.
struct Execution {
  std::vector<std::string> devices;  ///< entry i is the device of slot i: "cpu", "cuda:0"
  int threads = 1;
  /// Nobody said how many workers a GPU is to have: there are slots for all that might share one, and
  /// its memory decides how many get a worker (run/device_shares.hpp).
  bool by_memory = false;

  /// Workers that there are in any case: slots, or devices.
  std::size_t sure_workers() const;
  /// "2 workers x 1 thread on cpu", "1 to 4 workers x 1 thread on cuda:0, as memory allows"
  std::string text() const;
};

/// Decide from --device, --workers and the manifest's run settings.
///
/// On the CPU the default is one worker per processor with one thread each: measured, a second
/// worker shortens a study much more than a second thread (bench/RESULTS.md), and results do not
/// depend on the number of workers. On CUDA it is one worker per device to begin with, and up to
/// four when memory allows and there are processors for them: a worker of small networks leaves a
/// large GPU idle between launches.
/// @param device   "auto", "cpu", "cuda" (all devices) or "cuda:N"
/// @throws UsageError for another device, or one that is not there
Execution decide_execution(const std::string& device,
                           std::optional<int> workers,
                           const manifest::RunSettings& settings,
                           int cuda_devices);

}  // namespace unmask::cli
