#pragma once
// A data set in memory, and batches of it.

#include <cstdint>
#include <vector>

#include "unmask/dataset.hpp"
#include "unmask/model.hpp"

namespace unmask::engine {

/// One split, checked against what the data set says of itself.
struct LoadedSplit {
  Tensor images;  ///< [N, C, H, W] on the CPU, uint8 or float32
  Tensor labels;  ///< [N] int64 on the CPU

  std::int64_t size() const { return labels.size(0); }
};

/// Load a split and keep its first `limit` samples (0: all).
/// @throws DataError when the data set breaks its own promises: counts, shapes, dtypes, label range
LoadedSplit load_split(Dataset& dataset, Split split, std::int64_t limit);

/// Images [B, C, H, W] in [0, 1] of the given samples, as `dtype` on the CPU.
Tensor gather_images(const LoadedSplit& split,
                     const std::vector<std::int64_t>& samples,
                     at::ScalarType dtype);

/// Labels [B] of the given samples.
Tensor gather_labels(const LoadedSplit& split, const std::vector<std::int64_t>& samples);

/// A permutation of 0 .. n - 1 that depends on the seed alone (Fisher-Yates).
std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed);

/// Pad by `padding` zeros on each side and crop a random window of the old size, one per image,
/// then mirror half of the images when `flip` is set. Draws depend on (seed, sample), not on the
/// batch.
Tensor augment(const Tensor& images,
               const std::vector<std::int64_t>& samples,
               std::int64_t padding,
               bool flip,
               std::uint64_t seed);

}  // namespace unmask::engine
