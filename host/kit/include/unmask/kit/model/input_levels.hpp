#pragma once
// Pixels rounded to a few levels before a network sees them: the defence of [Xu18] by bit depth,
// and the plainest example of a masked gradient. It is zero almost everywhere.

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "unmask/params.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::kit {

/// Declaration of `input_levels`.
inline std::vector<ParamSpec> input_levels_params() {
  return {integer("input_levels",
                  "round every pixel to the nearest of this many levels from 0 to 1, a masked "
                  "gradient to test with; left out: no rounding")
              .at_least(2)
              .at_most(65536)
              .optional()};
}

class InputLevels {
 public:
  explicit InputLevels(const Params& params) {
    if (params.has("input_levels")) {
      steps_ = static_cast<double>(params.get_integer("input_levels") - 1);
    }
  }

  /// @param x  in [0, 1]
  /// @return   x itself when there is nothing to do
  Tensor operator()(const Tensor& x, OdeContext& context) const {
    if (steps_ == 0) return x;
    const double n = steps_;
    return context.apply(
        [n](const Tensor& p) { return (p * n).round() / n; },
        x,
        // The staircase without its edges: the same mean slope, levels where the sine vanishes.
        [n](const Tensor& p) { return p - (p * (2 * kPi * n)).sin() / (2 * kPi * n); });
  }

 private:
  static constexpr double kPi = 3.14159265358979323846;

  double steps_ = 0;  ///< between 0 and 1
};

}  // namespace unmask::kit
