#pragma once
// (x - mean) / std for each channel of an image, as the first layer of a network. It belongs to the
// model and not to the data set, so that attacks live in pixel space and their epsilon means
// pixels. The numbers are parameters of the plugin, not of a checkpoint: names in a checkpoint stay
// those of the reference.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <torch/types.h>

#include "unmask/errors.hpp"
#include "unmask/model.hpp"
#include "unmask/params.hpp"

namespace unmask::kit {

/// Declarations of `mean` and `std`.
inline std::vector<ParamSpec> normalisation_params() {
  return {
      real_list("mean", "subtracted from the pixels, one number per channel; left out: nothing")
          .optional()
          .length(1, 64),
      real_list("std", "divides them then, one number per channel; left out: nothing")
          .above(0)
          .optional()
          .length(1, 64),
  };
}

class PixelNormalisation {
 public:
  /// @throws ParamError when a list has not one number per channel of the images
  PixelNormalisation(const Params& params, const ModelContext& context)
      : mean_(read("mean", params, context.channels)),
        std_(read("std", params, context.channels)) {}

  /// @param x  [B, C, H, W]
  /// @return   x itself when there is nothing to do
  Tensor operator()(const Tensor& x) {
    if (!mean_.defined() && !std_.defined()) return x;
    if (!constants_.defined() || constants_.scalar_type() != x.scalar_type() ||
        constants_.device() != x.device()) {
      const Tensor mean = mean_.defined() ? mean_ : at::zeros_like(std_);
      const Tensor std = std_.defined() ? std_ : at::ones_like(mean_);
      constants_ = at::stack({mean, std}).to(x.device(), x.scalar_type());
    }
    return (x - constants_[0]) / constants_[1];
  }

 private:
  static Tensor read(const char* name, const Params& params, std::int64_t channels) {
    if (!params.has(name)) return {};
    const std::vector<double>& values = params.get_reals(name);
    if (static_cast<std::int64_t>(values.size()) != channels) {
      throw ParamError(std::string(name) + " has " + std::to_string(values.size()) +
                       " numbers and the images have " + std::to_string(channels) +
                       " channels; give one number per channel");
    }
    return torch::tensor(values, at::kDouble).view({channels, 1, 1});
  }

  Tensor mean_;       ///< float64 [C, 1, 1], or undefined
  Tensor std_;        ///< the same
  Tensor constants_;  ///< both, [2, C, 1, 1], as the last images needed them
};

}  // namespace unmask::kit
