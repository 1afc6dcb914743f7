#include "engine/data.hpp"

#include <numeric>

#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/random.hpp"

namespace unmask::engine {
namespace {

const char* name_of(Split split) {
  return split == Split::kTrain ? "training" : "test";
}

Tensor index_tensor(const std::vector<std::int64_t>& samples) {
  return torch::tensor(samples, torch::kLong);
}

// A number in [0, n) from 64 random bits; the bias of the multiplication is below n / 2^32.
std::int64_t below(std::uint64_t bits, std::int64_t n) {
  return static_cast<std::int64_t>(((bits >> 32) * static_cast<std::uint64_t>(n)) >> 32);
}

}  // namespace

LoadedSplit load_split(Dataset& dataset, Split split, std::int64_t limit) {
  const DatasetInfo info = dataset.describe();
  const Samples samples = dataset.load(split);
  const std::int64_t promised = split == Split::kTrain ? info.train_count : info.test_count;
  const auto require = [&](bool condition, const std::string& rule) {
    if (!condition) {
      throw DataError("the data set's " + std::string(name_of(split)) +
                      " split is inconsistent: " + rule);
    }
  };
  require(samples.images.dim() == 4, "images must be [N, C, H, W]");
  require(samples.images.size(0) == promised && samples.labels.dim() == 1 &&
              samples.labels.size(0) == promised,
          std::to_string(promised) + " samples were announced, " +
              std::to_string(samples.images.size(0)) + " images came");
  require(samples.images.size(1) == info.channels && samples.images.size(2) == info.height &&
              samples.images.size(3) == info.width,
          "images do not have the announced shape");
  const auto dtype = samples.images.scalar_type();
  require(dtype == at::kByte || dtype == at::kFloat, "images must be uint8 or float32");
  require(samples.labels.scalar_type() == at::kLong, "labels must be int64");
  if (promised > 0) {
    require(samples.labels.min().item<std::int64_t>() >= 0 &&
                samples.labels.max().item<std::int64_t>() < info.num_classes,
            "a label is outside of 0 .. " + std::to_string(info.num_classes - 1));
    if (dtype == at::kFloat) {
      const bool inside = samples.images.ge(0).logical_and(samples.images.le(1)).all().item<bool>();
      require(inside, "a pixel is outside of [0, 1]");
    }
  }
  const std::int64_t count = limit > 0 ? std::min(limit, promised) : promised;
  return {samples.images.narrow(0, 0, count).contiguous(),
          samples.labels.narrow(0, 0, count).contiguous()};
}

Tensor gather_images(const LoadedSplit& split,
                     const std::vector<std::int64_t>& samples,
                     at::ScalarType dtype) {
  const Tensor chosen = split.images.index_select(0, index_tensor(samples));
  return chosen.scalar_type() == at::kByte ? chosen.to(dtype).div_(255) : chosen.to(dtype);
}

Tensor gather_labels(const LoadedSplit& split, const std::vector<std::int64_t>& samples) {
  return split.labels.index_select(0, index_tensor(samples));
}

std::vector<std::int64_t> permutation(std::int64_t n, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = n - 1; i > 0; --i) {
    const std::uint64_t bits = derive_seed(seed, "order", static_cast<std::uint64_t>(i));
    std::swap(order[static_cast<std::size_t>(i)],
              order[static_cast<std::size_t>(below(bits, i + 1))]);
  }
  return order;
}

Tensor augment(const Tensor& images,
               const std::vector<std::int64_t>& samples,
               std::int64_t padding,
               bool flip,
               std::uint64_t seed) {
  if (padding == 0 && !flip) return images;
  const std::int64_t height = images.size(2);
  const std::int64_t width = images.size(3);
  const Tensor padded =
      padding > 0 ? at::constant_pad_nd(images, {padding, padding, padding, padding}) : images;
  std::vector<Tensor> views;
  views.reserve(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto id = static_cast<std::uint64_t>(samples[i]);
    const std::int64_t top = below(derive_seed(seed, "top", id), 2 * padding + 1);
    const std::int64_t left = below(derive_seed(seed, "left", id), 2 * padding + 1);
    Tensor view =
        padded[static_cast<std::int64_t>(i)].narrow(1, top, height).narrow(2, left, width);
    if (flip && (derive_seed(seed, "flip", id) & 1) == 1) view = view.flip({2});
    views.push_back(view);
  }
  return at::stack(views);
}

}  // namespace unmask::engine
