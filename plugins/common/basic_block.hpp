#pragma once
// Residual stages of the CIFAR-style ResNets (He, Zhang, Ren, Sun, "Deep residual learning for
// image recognition", CVPR 2016, section 4.2): basic blocks, projection shortcuts, batch
// normalisation.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>

#include "stage_widths.hpp"
#include "unmask/tensor.hpp"

namespace unmask::plugins {

/// A k x k convolution without bias that keeps the image size at stride 1.
inline torch::nn::Conv2d plain_conv(std::int64_t in,
                                    std::int64_t out,
                                    std::int64_t size,
                                    std::int64_t stride) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, size).stride(stride).padding(size / 2).bias(false));
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)); the shortcut is the identity, or a strided
/// 1x1 convolution with batch normalisation where the shape changes.
class BasicBlockImpl final : public torch::nn::Module {
 public:
  BasicBlockImpl(std::int64_t in, std::int64_t out, std::int64_t stride)
      : conv1_(register_module("conv1", plain_conv(in, out, 3, stride))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(out))),
        conv2_(register_module("conv2", plain_conv(out, out, 3, 1))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(out))) {
    if (stride != 1 || in != out) {
      shortcut_ = register_module(
          "shortcut",
          torch::nn::Sequential(plain_conv(in, out, 1, stride), torch::nn::BatchNorm2d(out)));
    }
  }

  /// In place where the value overwritten is needed by nobody: batch normalisation keeps its input
  /// for the backward pass, relu its result.
  Tensor forward(const Tensor& x) {
    Tensor y = bn1_(conv1_(x)).relu_();
    y = bn2_(conv2_(y));
    y.add_(shortcut_.is_empty() ? x : shortcut_->forward(x));
    return y.relu_();
  }

 private:
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  torch::nn::BatchNorm2d bn2_;
  torch::nn::Sequential shortcut_{nullptr};
};

/// Makes the blocks of all stages and registers them in `net` as layer1.0, layer1.1, layer2.0, ...
/// @param in  width of the first stage's input
/// @return    the blocks in the order in which they are applied
inline std::vector<std::shared_ptr<BasicBlockImpl>> add_residual_stages(
    torch::nn::Module& net, std::int64_t in, const std::vector<Stage>& stages) {
  std::vector<std::shared_ptr<BasicBlockImpl>> blocks;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    torch::nn::ModuleList layer;
    for (std::int64_t j = 0; j < stages[i].blocks; ++j) {
      blocks.push_back(
          std::make_shared<BasicBlockImpl>(in, stages[i].width, j == 0 ? stages[i].stride : 1));
      layer->push_back(blocks.back());
      in = stages[i].width;
    }
    net.register_module("layer" + std::to_string(i + 1), layer);
  }
  return blocks;
}

/// Mean over height and width: [B, C, H, W] -> [B, C].
inline Tensor global_mean(const Tensor& x) {
  return x.mean({2, 3});
}

}  // namespace unmask::plugins
