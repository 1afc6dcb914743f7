#pragma once
// The training loop of a train cell: optimiser, schedule, augmentation, records per epoch.

#include <functional>
#include <string>

#include "engine/data.hpp"
#include "engine/network.hpp"
#include "plan/result.hpp"
#include "unmask/objective.hpp"
#include "unmask/params.hpp"

namespace unmask::engine {

/// How far a cell is: done, total, and a note for people ("loss 0.31").
using ProgressCallback =
    std::function<void(std::int64_t done, std::int64_t total, const std::string& note)>;

/// Options of training, from the host's table for objectives (manifest/host_options.hpp).
struct TrainingOptions {
  std::int64_t epochs = 0;
  std::int64_t batch_size = 0;
  double learning_rate = 0;
  double momentum = 0;
  double weight_decay = 0;
  std::string schedule;  ///< "constant", "step", "cosine"
  std::vector<std::int64_t> milestones;
  std::vector<double> factors;
  std::int64_t crop_padding = 0;
  bool horizontal_flip = false;

  static TrainingOptions from(const Params& params);
};

/// Learning rate of a training step.
/// @param step   index of the step, from 0
/// @param steps  steps per epoch
/// constant: lr; step: lr times the factor of every milestone epoch that has begun; cosine:
/// lr/2 (1 + cos(pi step / (epochs * steps))), Loshchilov and Hutter 2017 without restarts.
double learning_rate_at(const TrainingOptions& options, std::int64_t step, std::int64_t steps);

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
};

/// Train the model in place and leave it in evaluation mode. Bit-identical on the CPU for equal
/// input and thread count. Fills series (train_loss, train_accuracy, learning_rate per epoch),
/// metrics, counters and solve statistics of `result`.
/// @throws NumericError when a loss is not finite: which epoch, which step
void train(const TrainingInput& input,
           const TrainingOptions& options,
           plan::CellResult& result,
           const ProgressCallback& progress);

}  // namespace unmask::engine
