#pragma once
// Which network becomes the checkpoint of a training: that of the last epoch, an average of the
// weights along the way, or the one with the highest validation accuracy.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/averaging.hpp"
#include "engine/batches.hpp"
#include "engine/training.hpp"

namespace unmask::engine {

/// What a network answers on the samples held out.
struct Score {
  double loss = 0;
  double accuracy = 0;
};

class Selection {
 public:
  /// @param plan  of the training's batches: the samples behind its count are held out
  /// @param log, counters  take what passes cost
  Selection(const TrainingInput& input,
            const TrainingOptions& options,
            const BatchPlan& plan,
            SolveLog& log,
            wire::Counters& counters);

  /// Parameters and buffers of the network.
  const std::vector<NamedTensor>& tensors() const { return tensors_; }

  /// @param epoch  from 0
  void after_step(std::int64_t epoch) { average_.after_step(epoch); }

  /// Judge the network that would be the checkpoint if the training ended now; nullopt: no samples
  /// are held out.
  /// @param epoch  the one that has ended, from 1
  /// @throws NumericError when the validation loss is not finite
  std::optional<Score> after_epoch(std::int64_t epoch);

  /// False when too many epochs have passed without a higher accuracy.
  bool is_patient(std::int64_t epoch) const;

  /// Leave the selected network in evaluation mode.
  void keep();

  void report(wire::CellResult& result) const;

  /// All of it but the network's own tensors.
  void save(TrainingSnapshot& snapshot) const;
  void restore(const TrainingSnapshot& snapshot);

 private:
  // The network of the epoch with the highest validation accuracy.
  struct Best {
    std::int64_t epoch = 0;  // from 1; 0: none yet
    Score score;
    std::vector<Tensor> values;  // of the network; only when it is to be kept
  };

  void use_average();
  void refresh_statistics();
  Score score_of_validation(std::int64_t epoch);
  Tensor forward(const Tensor& x, const std::string& phase);

  const TrainingInput& input_;
  const TrainingOptions& options_;
  const BatchPlan& plan_;
  SolveLog& log_;
  wire::Counters& counters_;
  std::vector<NamedTensor> tensors_;
  WeightAverage average_;
  ode::Session session_;  // of passes that are no training steps
  Score last_score_;
  Best best_;
};

}  // namespace unmask::engine
