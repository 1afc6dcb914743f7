#pragma once
// Two things that the ODE layers of the reference share: group normalisation with at most eight
// groups, and images repeated over more channels.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/tensor.hpp"

namespace unmask::kit {

/// Group normalisation with min(8, channels) groups.
/// @throws ParamError when 8 groups do not divide the channels
inline torch::nn::GroupNorm group_norm(std::int64_t channels) {
  const std::int64_t groups = std::min<std::int64_t>(8, channels);
  if (channels % groups != 0) {
    throw ParamError("an ODE block of " + std::to_string(channels) +
                     " channels cannot be normalised in 8 groups; use fewer than 8 channels or a "
                     "multiple of 8");
  }
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, channels));
}

/// Channel i of the result is channel i mod C of x.
/// @param x         [B, C, H, W]
/// @param channels  of the result
inline Tensor repeat_channels(const Tensor& x, std::int64_t channels) {
  const std::int64_t given = x.size(1);
  std::vector<Tensor> parts(static_cast<std::size_t>(channels / given), x);
  if (channels % given != 0) parts.push_back(x.narrow(1, 0, channels % given));
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

}  // namespace unmask::kit
