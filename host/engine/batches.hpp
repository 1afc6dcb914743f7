#pragma once
// Batches of a training: their order, their augmentation, and a thread that makes the next ones
// while the device computes.
//
// Every draw depends on the seed, the epoch and the sample alone, so a stream can begin at any step
// and gives what it would have given there.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/data.hpp"

namespace unmask::engine {

/// A permutation of 0 .. n - 1 that depends on the seed alone (Fisher-Yates).
std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed);

/// What augmentation does to each image of a batch: the rows and columns of the image, padded by
/// `padding` zeros on each side, that it is made of.
struct AugmentPlan {
  std::int64_t padding = 0;
  Tensor rows;     ///< int64 [B, H]
  Tensor columns;  ///< int64 [B, W]; falling where the image is mirrored
};

/// Draw a window of the old size at random, one per image, and mirror half of them when `flip` is
/// set. Draws depend on (seed, sample), not on the batch.
AugmentPlan plan_augmentation(const std::vector<std::int64_t>& samples,
                              std::int64_t height,
                              std::int64_t width,
                              std::int64_t padding,
                              bool flip,
                              std::uint64_t seed);

/// Images [B, C, H, W] after augmentation. It only moves values, so every device gives the same.
Tensor augment(const Tensor& images, const AugmentPlan& plan);

/// What batches are made of.
struct BatchPlan {
  std::int64_t count = 0;  ///< the first samples of the split take part
  std::int64_t batch_size = 1;
  std::int64_t crop_padding = 0;
  bool horizontal_flip = false;
  std::uint64_t seed = 0;  ///< of the training
  std::string device = "cpu";
  at::ScalarType dtype = at::kFloat;

  std::int64_t steps() const { return (count + batch_size - 1) / batch_size; }
};

struct Batch {
  std::vector<std::int64_t> samples;  ///< indices in the split
  Tensor x;                           ///< [B, C, H, W] on the device
  Tensor y;                           ///< [B] int64 on the device
};

/// The batch of one step, made here and now.
Batch make_batch(const LoadedSplit& data,
                 const BatchPlan& plan,
                 std::int64_t epoch,
                 std::int64_t step);

/// The batches of epochs, one after the other, made up to two ahead on a thread of their own. For a
/// CUDA device the thread gathers the images as they are stored into pinned memory, and the device
/// converts and augments them.
class BatchStream {
 public:
  /// @param data    must outlive the stream
  /// @param epochs  the stream ends after these
  /// @param epoch, step  where to begin
  BatchStream(const LoadedSplit& data,
              const BatchPlan& plan,
              std::int64_t epochs,
              std::int64_t epoch,
              std::int64_t step);
  ~BatchStream();
  BatchStream(const BatchStream&) = delete;
  BatchStream& operator=(const BatchStream&) = delete;

  /// @throws what making the batch has thrown; InternalError after the last one
  Batch next();

 private:
  class Producer;
  std::unique_ptr<Producer> producer_;
};

}  // namespace unmask::engine
