#pragma once
// A convolution that sees the time as one more channel, as the fields of ODE networks that depend
// on it do: conv(cat(t, y)), t the first channel. The time is the same at every pixel, so
//
//   conv(cat(t, y); K) + b = conv(y; K_y) + b + t M,      M = conv(1; K_t)
//
// and M, which falls off at the image's border where the padding is, is computed once per solve.

#include <cstdint>

#include <torch/nn/module.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>

#include "unmask/vector_field.hpp"

namespace unmask::kit {

/// The parameters: 3x3, padding 1, under the names of the reference, "_layer.weight" and
/// "_layer.bias".
class TimeConvolutionImpl final : public torch::nn::Module {
 public:
  explicit TimeConvolutionImpl(std::int64_t channels)
      : layer_(register_module(
            "_layer",
            torch::nn::Conv2d(torch::nn::Conv2dOptions(channels + 1, channels, 3).padding(1)))) {}

  const Tensor& weight() const { return layer_->weight; }  ///< [C, 1 + C, 3, 3]
  const Tensor& bias() const { return layer_->bias; }      ///< [C]

 private:
  torch::nn::Conv2d layer_;
};
TORCH_MODULE(TimeConvolution);

/// The map of one solve.
class TimeConvolutionMap {
 public:
  /// @param y  of the solve: of its shape, dtype and device
  TimeConvolutionMap(const TimeConvolution& layer, const Tensor& y)
      : weight_(layer->weight().narrow(1, 1, y.size(1)).contiguous()),
        bias_(layer->bias()),
        of_time_(
            at::conv2d(at::ones({1, 1, y.size(2), y.size(3)}, y.options().requires_grad(false)),
                       layer->weight().narrow(1, 0, 1).contiguous(),
                       {},
                       1,
                       1)) {}

  Tensor operator()(const Scalar& t, const Tensor& y) const {
    return at::conv2d(y, weight_, bias_, 1, 1).add_(of_time_ * broadcast(t, y));
  }

 private:
  Tensor weight_;
  Tensor bias_;
  Tensor of_time_;  ///< M, [1, C, H, W]
};

}  // namespace unmask::kit
