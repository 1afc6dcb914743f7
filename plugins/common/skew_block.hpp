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
// ReLU, g the damping, 0 in the paper. The block's output is y(1).

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include "skew_convolution.hpp"
#include "unmask/errors.hpp"
#include "unmask/params.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::plugins {

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

/// Groups of a normalisation over `channels`: 8, or one per channel below that.
/// @throws ParamError when 8 groups do not divide the channels
inline std::int64_t group_count(std::int64_t channels) {
  const std::int64_t groups = std::min<std::int64_t>(8, channels);
  if (channels % groups != 0) {
    throw ParamError("a stabilised ODE block of " + std::to_string(channels) +
                     " channels cannot be normalised in 8 groups; use fewer than 8 channels or a "
                     "multiple of 8");
  }
  return groups;
}

/// The parameters of a block's field, under the names of the reference.
class SkewFunctionImpl final : public torch::nn::Module {
 public:
  SkewFunctionImpl(std::int64_t in, std::int64_t out, std::int64_t stride)
      : norm1_1(torch::nn::GroupNormOptions(group_count(out), out)),
        norm1_2(torch::nn::GroupNormOptions(group_count(in), in)),
        norm2_1(torch::nn::GroupNormOptions(group_count(out), out)),
        norm2_2(torch::nn::GroupNormOptions(group_count(in), in)) {
    const std::int64_t size = stride == 1 ? 3 : 4;
    kernel = register_parameter("kernel", torch::empty({out, in, size, size}));
    // Uniform in +-1/sqrt(in size^2), as LibTorch initialises a convolution.
    torch::nn::init::kaiming_uniform_(kernel, std::sqrt(5.0));
    register_module("norm1_1", norm1_1);
    register_module("norm1_2", norm1_2);
    register_module("norm2_1", norm2_1);
    register_module("norm2_2", norm2_2);
  }

  Tensor kernel;  ///< [C_out, C_in, k, k]
  torch::nn::GroupNorm norm1_1;
  torch::nn::GroupNorm norm1_2;
  torch::nn::GroupNorm norm2_1;
  torch::nn::GroupNorm norm2_2;
};

/// The field of one solve. What depends on the parameters alone is computed here, once.
class SkewField final : public VectorField {
 public:
  /// @param input  the block's input, [B, C_in, H, W]
  SkewField(std::shared_ptr<SkewFunctionImpl> function,
            std::int64_t stride,
            const SkewOptions& options,
            const Tensor& input)
      : function_(std::move(function)),
        options_(options),
        forward_(function_->kernel, {stride, input.sizes().vec()}),
        minus_(function_->kernel.neg(), {stride, input.sizes().vec()}) {}

  /// In place only on results of convolutions, which those do not keep for the backward pass.
  State evaluate(const Scalar& /*t*/, const State& state) override {
    const Tensor y = function_->norm1_1->forward(state[0]);
    const Tensor z = function_->norm1_2->forward(state[1]);
    Tensor dy = forward_.forward(z);
    Tensor dz = minus_.adjoint(y);
    if (options_.damping != 0) {
      dy.sub_(y, options_.damping);
      dz.sub_(z, options_.damping);
    }
    at::leaky_relu_(dy, options_.slope);
    at::leaky_relu_(dz, options_.slope);
    return {function_->norm2_1->forward(dy), function_->norm2_2->forward(dz)};
  }

  bool is_autonomous() const override { return true; }

 private:
  std::shared_ptr<SkewFunctionImpl> function_;
  SkewOptions options_;
  SkewConvolution forward_;
  SkewConvolution minus_;  ///< of the negated kernel: the minus sign of the second equation
};

/// The block: [B, C_in, H, W] -> [B, C_out, H', W'], H' = H at stride 1 and floor(H / 2) at
/// stride 2.
class SkewBlockImpl final : public torch::nn::Module {
 public:
  /// @param name  of its solve
  SkewBlockImpl(std::string name,
                std::int64_t in,
                std::int64_t out,
                std::int64_t stride,
                const SkewOptions& options)
      : name_(std::move(name)),
        out_(out),
        stride_(stride),
        options_(options),
        function_(register_module("odefunc", std::make_shared<SkewFunctionImpl>(in, out, stride))) {
  }

  Tensor forward(const Tensor& x, OdeContext& ode) {
    const auto field = std::make_shared<SkewField>(function_, stride_, options_, x);
    return ode.integrate(name_, field, {start(x), x}, 0, 1)[0];
  }

 private:
  /// Output channel i starts as input channel i mod C_in.
  Tensor start(const Tensor& x) const {
    Tensor image = x;
    if (stride_ == 2) {
      image = x.slice(2, 0, x.size(2) / 2 * 2, 2).slice(3, 0, x.size(3) / 2 * 2, 2);
    }
    const std::int64_t in = x.size(1);
    std::vector<Tensor> parts(static_cast<std::size_t>(out_ / in), image);
    if (out_ % in != 0) parts.push_back(image.narrow(1, 0, out_ % in));
    return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
  }

  std::string name_;
  std::int64_t out_;
  std::int64_t stride_;
  SkewOptions options_;
  std::shared_ptr<SkewFunctionImpl> function_;
};

}  // namespace unmask::plugins
