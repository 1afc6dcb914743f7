#pragma once
// What follows the first layer of a wide ResNet (Zagoruyko, Komodakis, "Wide residual networks",
// BMVC 2016): three stages of pre-activation blocks, batch normalisation, the mean over the image,
// a linear layer. Convolutions have biases, as in the reference.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/init.h>
#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "unmask/errors.hpp"
#include "unmask/params.hpp"
#include "unmask/tensor.hpp"

namespace unmask::kit {

/// Channels of a wide ResNet's first layer.
constexpr std::int64_t kWideStem = 16;

/// Declarations of `depth` and `widen_factor`.
inline std::vector<ParamSpec> wide_params() {
  return {
      integer("depth", "6 n + 4 for n blocks in each of the three stages")
          .by_default(10)
          .at_least(10)
          .at_most(400),
      integer("widen_factor", "k; the stages have 16 k, 32 k and 64 k channels")
          .by_default(1)
          .at_least(1)
          .at_most(64),
  };
}

/// A k x k convolution with bias that keeps the image size at stride 1. The weight is normal with
/// variance 2 / (out k^2): it keeps the size of gradients through relu. The bias is LibTorch's,
/// uniform in +-1/sqrt(in k^2).
inline torch::nn::Conv2d wide_conv(std::int64_t in,
                                   std::int64_t out,
                                   std::int64_t size,
                                   std::int64_t stride) {
  torch::nn::Conv2d conv(torch::nn::Conv2dOptions(in, out, size).stride(stride).padding(size / 2));
  torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
  return conv;
}

/// conv2(relu(bn2(conv1(relu(bn1(x)))))) + shortcut(x); conv2 has the stride. The shortcut is the
/// identity, or a strided 1x1 convolution where the shape changes.
class WideBlock final : public torch::nn::Module {
 public:
  WideBlock(std::int64_t in, std::int64_t out, std::int64_t stride)
      : bn1_(register_module("bn1", torch::nn::BatchNorm2d(in))),
        conv1_(register_module("conv1", wide_conv(in, out, 3, 1))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(out))),
        conv2_(register_module("conv2", wide_conv(out, out, 3, stride))) {
    if (stride != 1 || in != out) {
      shortcut_ = register_module("shortcut", torch::nn::Sequential(wide_conv(in, out, 1, stride)));
    }
  }

  /// In place where the value overwritten is needed by nobody.
  Tensor forward(const Tensor& x) {
    Tensor y = conv1_(bn1_(x).relu_());
    y = conv2_(bn2_(y).relu_());
    return y.add_(shortcut_.is_empty() ? x : shortcut_->forward(x));
  }

 private:
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn2_;
  torch::nn::Conv2d conv2_;
  torch::nn::Sequential shortcut_{nullptr};
};

/// The stages, layer1 to layer3, and the last layers, bn1 and linear, registered in a network.
class WideStages {
 public:
  /// @throws ParamError when depth is not 6 n + 4
  WideStages(torch::nn::Module& net, const Params& params, std::int64_t classes) {
    const std::int64_t depth = params.get_integer("depth");
    const std::int64_t factor = params.get_integer("widen_factor");
    if (depth % 6 != 4) {
      throw ParamError("depth is " + std::to_string(depth) +
                       "; a wide ResNet has 6 n + 4 layers: 10, 16, 22, 28, 34, 40, ...");
    }
    std::int64_t in = kWideStem;
    for (std::int64_t i = 0; i < 3; ++i) {
      const std::int64_t out = (kWideStem << i) * factor;
      torch::nn::ModuleList layer;
      for (std::int64_t j = 0; j < depth / 6; ++j) {
        blocks_.push_back(std::make_shared<WideBlock>(in, out, i > 0 && j == 0 ? 2 : 1));
        layer->push_back(blocks_.back());
        in = out;
      }
      net.register_module("layer" + std::to_string(i + 1), layer);
    }
    // The reference forgets this layer's statistics ten times faster than the others'.
    bn1_ = net.register_module(
        "bn1", torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(in).momentum(0.9)));
    linear_ = net.register_module("linear", torch::nn::Linear(in, classes));
    torch::nn::init::zeros_(linear_->bias);
  }

  /// Logits [B, K] from the first layer's output [B, 16, H, W].
  Tensor forward(Tensor y) {
    for (const auto& block : blocks_) y = block->forward(y);
    return linear_(bn1_(y).relu_().mean({2, 3}));
  }

 private:
  std::vector<std::shared_ptr<WideBlock>> blocks_;
  torch::nn::BatchNorm2d bn1_{nullptr};
  torch::nn::Linear linear_{nullptr};
};

}  // namespace unmask::kit
