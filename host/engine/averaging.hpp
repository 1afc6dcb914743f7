#pragma once
// A running average of a network's weights during training.
//
// ema: after every training step from the start epoch on, average <- d average + (1 - d) w; the
//      first such step begins with average = w.                       Polyak and Juditsky 1992
// swa: after every epoch from the start epoch on, average <- average + (w - average) / k at the
//      k-th of them.                                                  Izmailov et al. 2018
//
// Buffers of floating dtype (running statistics of normalisation) are averaged like weights, others
// are copied.

#include <cstdint>
#include <vector>

#include "engine/training_options.hpp"
#include "unmask/tensor.hpp"

namespace unmask::engine {

class WeightAverage {
 public:
  /// @param tensors  parameters and buffers of the network
  WeightAverage(const TrainingOptions& options, std::vector<NamedTensor> tensors);

  /// @param epoch  from 0
  void after_step(std::int64_t epoch);
  void after_epoch(std::int64_t epoch);

  /// False as long as nothing has been averaged.
  bool has_value() const { return count_ > 0; }

  /// What has been averaged: steps (ema) or epochs (swa).
  std::int64_t count() const { return count_; }

  /// The average, one tensor for each of the network's, in the same order; empty without a value.
  const std::vector<Tensor>& values() const { return average_; }

  /// Continue from an earlier average.
  void restore(std::int64_t count, std::vector<Tensor> values);

 private:
  void begin();

  AveragingKind kind_;
  double decay_;
  std::int64_t start_;
  std::vector<NamedTensor> tensors_;
  std::vector<Tensor> average_;
  std::int64_t count_ = 0;
};

}  // namespace unmask::engine
