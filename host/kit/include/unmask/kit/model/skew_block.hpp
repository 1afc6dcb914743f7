#pragma once
// The stabilised ODE block of SONet: a pair of images coupled by a convolution and minus its
// transpose.
//
//   y' = N21(a(  conv(N12(z); K)  - g N11(y)))      y: [B, C_out, H', W']
//   z' = N22(a(-convT(N11(y); K)  - g N12(z)))      z: [B, C_in,  H,  W ]
//   y(0) = x repeated over the output channels (every second pixel at stride 2), z(0) = x,  0 <= t
//   <= 1
//
// K is one kernel, 3x3 at stride 1 and 4x4 at stride 2, padding 1; convT is the adjoint of conv, so
// the linear part is skew-symmetric. N are group normalisations with min(8, C) groups, a is leaky
// ReLU, g the damping, 0 in the paper. The block's output is y(1): H' = H at stride 1 and
// floor(H / 2) at stride 2.

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include <torch/nn/init.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include "unmask/kit/model/ode_block.hpp"
#include "unmask/kit/model/ode_state.hpp"
#include "unmask/kit/model/skew_convolution.hpp"
#include "unmask/params.hpp"

namespace unmask::kit {

/// Constants of every stabilised block of a network.
struct SkewOptions {
  double damping = 0;
  double slope = 0.01;
};

/// Declarations of `damping` and `slope`.
inline std::vector<ParamSpec> skew_params() {
  return {
      real("damping", "g: pulls the normalised state towards zero; 0 leaves the linear part skew")
          .by_default(0.0)
          .at_least(0),
      real("slope", "of leaky ReLU for negative values").by_default(0.01).at_least(0).at_most(1),
  };
}

inline SkewOptions read_skew(const Params& params) {
  return {.damping = params.get_real("damping"), .slope = params.get_real("slope")};
}

/// A block's function, its parameters under the names of the reference: ode_block<SkewFunction>(
/// name of the solve, in, out, stride, options).
class SkewFunction final : public OdeFunction {
 public:
  SkewFunction(std::int64_t in, std::int64_t out, std::int64_t stride, const SkewOptions& options)
      : out_(out), stride_(stride), options_(options) {
    const std::int64_t size = stride == 1 ? 3 : 4;
    kernel_ = register_parameter("kernel", torch::empty({out, in, size, size}));
    // Uniform in +-1/sqrt(in size^2), as LibTorch initialises a convolution.
    torch::nn::init::kaiming_uniform_(kernel_, std::sqrt(5.0));
    norm1_1_ = register_module("norm1_1", group_norm(out));
    norm1_2_ = register_module("norm1_2", group_norm(in));
    norm2_1_ = register_module("norm2_1", group_norm(out));
    norm2_2_ = register_module("norm2_2", group_norm(in));
  }

  State start(const Tensor& x) const override {
    if (stride_ == 1) return {repeat_channels(x, out_), x};
    const Tensor half = x.slice(2, 0, x.size(2) / 2 * 2, 2).slice(3, 0, x.size(3) / 2 * 2, 2);
    return {repeat_channels(half, out_), x};
  }

  std::shared_ptr<VectorField> field(const Tensor& x) override {
    const SkewShape shape{stride_, x.sizes().vec()};
    // The negated kernel is the minus sign of the second equation. In place only on results of
    // convolutions, which those do not keep for the backward pass.
    return autonomous_field([forward = SkewConvolution(kernel_, shape),
                             minus = SkewConvolution(kernel_.neg(), shape),
                             norm1_1 = norm1_1_,
                             norm1_2 = norm1_2_,
                             norm2_1 = norm2_1_,
                             norm2_2 = norm2_2_,
                             options = options_](const State& state) mutable {
      const Tensor y = norm1_1->forward(state[0]);
      const Tensor z = norm1_2->forward(state[1]);
      Tensor dy = forward.forward(z);
      Tensor dz = minus.adjoint(y);
      if (options.damping != 0) {
        dy.sub_(y, options.damping);
        dz.sub_(z, options.damping);
      }
      at::leaky_relu_(dy, options.slope);
      at::leaky_relu_(dz, options.slope);
      return State{norm2_1->forward(dy), norm2_2->forward(dz)};
    });
  }

 private:
  std::int64_t out_;
  std::int64_t stride_;
  SkewOptions options_;
  Tensor kernel_;  ///< [C_out, C_in, k, k]
  torch::nn::GroupNorm norm1_1_{nullptr};
  torch::nn::GroupNorm norm1_2_{nullptr};
  torch::nn::GroupNorm norm2_1_{nullptr};
  torch::nn::GroupNorm norm2_2_{nullptr};
};

}  // namespace unmask::kit
