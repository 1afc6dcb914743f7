#pragma once
// Random numbers that belong to a sample, not to a batch: the draws for a sample depend on the
// seed, on the sample's index in its data set and on the number of the draw, on nothing else.
// Results therefore do not depend on how samples are batched, ordered or dropped, nor on the
// device.

#include <cstdint>
#include <string_view>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// 64-bit finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection that scrambles every bit.
UNMASK_API std::uint64_t mix64(std::uint64_t z);

/// A seed for one purpose, derived from another seed: derive_seed(s, "restart", 2).
UNMASK_API std::uint64_t derive_seed(std::uint64_t seed,
                                     std::string_view purpose,
                                     std::uint64_t number = 0);

/// Generator for the samples of one batch. Copying it copies its position.
class UNMASK_API SampleRandom {
 public:
  /// @param seed        seed of the purpose, see derive_seed
  /// @param sample_ids  index of each row's sample in its data set; row i of every result belongs
  ///                    to sample_ids[i]
  SampleRandom(std::uint64_t seed, std::vector<std::int64_t> sample_ids);

  /// Uniform between low and high, shape, dtype and device of `like` ([B, ...]). Drawn in [low,
  /// high) as float64; rounding to the dtype can reach high.
  /// @param rows  int64 [B], rows of the batch that `like` holds; undefined: all, in order
  Tensor uniform(const Tensor& like, double low, double high, const Tensor& rows = {});

  /// Independent signs, -1 or +1 with probability 1/2 each (Rademacher).
  Tensor signs(const Tensor& like, const Tensor& rows = {});

  /// Standard normal (Box-Muller).
  Tensor normal(const Tensor& like, const Tensor& rows = {});

  /// An independent generator for the same samples, e.g. stream("restart", 3). Does not advance
  /// this one.
  SampleRandom stream(std::string_view purpose, std::uint64_t number = 0) const;

  std::int64_t rows() const { return static_cast<std::int64_t>(sample_ids_.size()); }

 private:
  template <class Fill>
  Tensor draw(const Tensor& like, const Tensor& rows, Fill fill);

  std::uint64_t seed_;
  std::vector<std::int64_t> sample_ids_;
  std::uint64_t draws_ = 0;  ///< calls so far; every row advances with every call
};

}  // namespace v1
}  // namespace unmask
