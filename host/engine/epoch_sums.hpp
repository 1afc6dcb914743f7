#pragma once
// What an epoch adds up.

#include <cstdint>
#include <string>

#include "unmask/tensor.hpp"

namespace unmask::engine {

/// Loss and right answers of the batches so far, summed on the device where they are computed, and
/// the first step whose loss is not finite. Adding waits for nothing; every question waits for the
/// device.
class EpochSums {
 public:
  EpochSums(const std::string& device, double loss, std::int64_t correct);

  /// @param loss    mean over the batch, 0-dimensional
  /// @param logits  [n, K] whose first rows are those of the batch, n >= B
  /// @param y       int64 [B]
  void add(const Tensor& loss, const Tensor& logits, const Tensor& y, std::int64_t step);

  double loss() const;  ///< sum over samples
  std::int64_t correct() const;
  std::int64_t bad_step() const;  ///< -1: all losses are finite

 private:
  Tensor loss_;
  Tensor correct_;
  Tensor bad_step_;
};

}  // namespace unmask::engine
