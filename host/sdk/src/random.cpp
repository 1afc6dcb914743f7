#include "unmask/random.hpp"

#include <cmath>
#include <numbers>

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;

// 53 random bits as a double in [0, 1).
double unit(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

}  // namespace

std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t number) {
  // The offset keeps seed and number apart when the purpose is empty: they would be exchangeable.
  std::uint64_t state = mix64(seed + kGolden) + kGolden;
  for (const char c : purpose) state = mix64(state ^ static_cast<unsigned char>(c)) + kGolden;
  return mix64(state ^ mix64(number + kGolden));
}

SampleRandom::SampleRandom(std::uint64_t seed, std::vector<std::int64_t> sample_ids)
    : seed_(seed), sample_ids_(std::move(sample_ids)) {}

SampleRandom SampleRandom::stream(std::string_view purpose, std::uint64_t number) const {
  return {derive_seed(seed_, purpose, number), sample_ids_};
}

// Made on the CPU and moved, so that every device sees the same numbers.
template <class Fill>
Tensor SampleRandom::draw(const Tensor& like, const Tensor& rows, Fill fill) {
  const std::int64_t batch = like.size(0);
  UNMASK_CHECK(rows.defined() || batch == this->rows(),
               "random numbers for a part of the batch need its rows");
  const Tensor row_index = rows.defined() ? rows.to(at::kCPU, at::kLong).contiguous() : Tensor();
  const Tensor values = at::empty(like.sizes(), at::TensorOptions().dtype(at::kDouble));
  const std::int64_t count = batch == 0 ? 0 : values.numel() / batch;
  double* out = values.data_ptr<double>();
  const std::int64_t* row = rows.defined() ? row_index.data_ptr<std::int64_t>() : nullptr;
  for (std::int64_t i = 0; i < batch; ++i) {
    const std::int64_t r = row ? row[i] : i;
    const auto id = static_cast<std::uint64_t>(sample_ids_.at(static_cast<std::size_t>(r)));
    const std::uint64_t base = derive_seed(derive_seed(seed_, "sample", id), "draw", draws_);
    fill(base, out + i * count, count);
  }
  ++draws_;
  return values.to(like.device(), like.scalar_type());
}

Tensor SampleRandom::uniform(const Tensor& like, double low, double high, const Tensor& rows) {
  return draw(like, rows, [&](std::uint64_t base, double* out, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) {
      const std::uint64_t bits = mix64(base + static_cast<std::uint64_t>(j + 1) * kGolden);
      out[j] = low + (high - low) * unit(bits);
    }
  });
}

Tensor SampleRandom::signs(const Tensor& like, const Tensor& rows) {
  return draw(like, rows, [](std::uint64_t base, double* out, std::int64_t n) {
    std::uint64_t bits = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      if (j % 64 == 0) bits = mix64(base + static_cast<std::uint64_t>(j / 64 + 1) * kGolden);
      out[j] = (bits >> (j % 64)) & 1 ? 1.0 : -1.0;
    }
  });
}

Tensor SampleRandom::normal(const Tensor& like, const Tensor& rows) {
  return draw(like, rows, [](std::uint64_t base, double* out, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) {
      const auto k = static_cast<std::uint64_t>(2 * j + 1);
      const double u = 1.0 - unit(mix64(base + k * kGolden));  // in (0, 1]: the logarithm is finite
      const double v = unit(mix64(base + (k + 1) * kGolden));
      out[j] = std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
    }
  });
}

}  // namespace v1
}  // namespace unmask
