#include "engine/finite.hpp"

#include <cmath>

#include <torch/types.h>

namespace unmask::engine {
namespace {

std::string value_text(double value) {
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

}  // namespace

std::optional<std::string> first_not_finite(const Tensor& values) {
  if (!values.is_floating_point() || values.numel() == 0) return std::nullopt;
  const Tensor bad = values.detach().isfinite().logical_not();
  if (!bad.any().item<bool>()) return std::nullopt;
  const Tensor index = bad.flatten().to(at::kLong).argmax(0);
  const double value = values.detach().flatten().index_select(0, index.view({1})).item<double>();
  // The place in each dimension, from the last to the first.
  std::int64_t rest = index.item<std::int64_t>();
  std::string place;
  for (std::int64_t d = values.dim() - 1; d >= 0; --d) {
    place = std::to_string(rest % values.size(d)) + (place.empty() ? "" : ", ") + place;
    rest /= values.size(d);
  }
  return value_text(value) + (place.empty() ? "" : " at [" + place + "]");
}

std::optional<std::string> first_not_finite(const std::vector<NamedTensor>& tensors) {
  for (const NamedTensor& item : tensors) {
    if (const auto place = first_not_finite(item.tensor)) {
      return "its tensor \"" + item.name + "\" holds " + *place;
    }
  }
  return std::nullopt;
}

}  // namespace unmask::engine
