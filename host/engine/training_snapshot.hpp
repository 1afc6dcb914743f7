#pragma once
// A training that is not finished, on disk: everything that it needs to go on as if nothing had
// happened. One safetensors file per train cell, whole or absent, with a hash of its content.

#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "unmask/tensor.hpp"

namespace unmask::engine {

/// Where a training leaves its snapshots, and how often.
struct SnapshotPlace {
  std::filesystem::path file;
  std::string key;         ///< of the train cell
  double interval_s = 30;  ///< at most this much work is lost, apart from what a single step takes
  std::function<bool()> is_stopping = nullptr;  ///< asked after every step: leave one and stop now
};

/// A training has left a snapshot and stopped because it was asked to.
class TrainingStopped : public std::exception {
 public:
  const char* what() const noexcept override { return "the training was asked to stop"; }
};

/// `<checkpoints>/unfinished/<key>.safetensors`
SnapshotPlace snapshot_place(const std::filesystem::path& checkpoints, const std::string& key);

struct TrainingSnapshot {
  nlohmann::json state;              ///< numbers
  std::vector<NamedTensor> tensors;  ///< named "<part>/<name>"

  /// The tensors of a part, by the names that they were given there.
  std::vector<NamedTensor> part(const std::string& name) const;

  void add_part(const std::string& name, const std::vector<NamedTensor>& tensors);
};

/// Write a snapshot in place of the one before.
/// @param device  "cpu", "cuda:0"
void write_snapshot(const SnapshotPlace& place,
                    const std::string& device,
                    const TrainingSnapshot& snapshot);

/// The snapshot of a training; nullopt when there is none, or none that can be used: damaged, of
/// another cell, version, LibTorch or kind of device. Then a warning on stderr says why.
std::optional<TrainingSnapshot> read_snapshot(const SnapshotPlace& place,
                                              const std::string& device);

}  // namespace unmask::engine
