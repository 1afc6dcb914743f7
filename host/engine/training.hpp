#pragma once
// The training of a train cell: epochs and steps, records per epoch, validation, and going on after
// an interruption. Optimiser, schedule, averaging, batches and snapshots have files of their own.

#include <functional>
#include <optional>
#include <string>

#include "engine/data.hpp"
#include "engine/network.hpp"
#include "engine/training_options.hpp"
#include "engine/training_snapshot.hpp"
#include "unmask/objective.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// How far a cell is: done, total, and a note for people ("loss 0.31").
using ProgressCallback =
    std::function<void(std::int64_t done, std::int64_t total, const std::string& note)>;

/// What a training is made of.
struct TrainingInput {
  Model& model;
  Objective& objective;
  const SolverSetup& solver;
  const LoadedSplit& data;
  std::int64_t num_classes = 0;
  std::string device;
  at::ScalarType dtype = at::kFloat;
  std::uint64_t seed = 0;  ///< of the cell; each purpose derives its own
  std::optional<SnapshotPlace> snapshots = std::nullopt;  ///< nullopt: start anew, leave none
};

/// Train the model in place and leave it in evaluation mode, with the weights that the options ask
/// for. Bit-identical on the CPU for equal input and thread count, also when a training is
/// interrupted at any moment and continued from its snapshot. Fills series, metrics, counters and
/// solve statistics of `result` (docs/training.md lists them).
/// @throws NumericError when a loss is not finite: which epoch, which step
/// @throws ParamError when options do not fit the data, the device or the solver
/// @throws TrainingStopped when the snapshots' is_stopping says so
void train(const TrainingInput& input,
           const TrainingOptions& options,
           wire::CellResult& result,
           const ProgressCallback& progress);

}  // namespace unmask::engine
