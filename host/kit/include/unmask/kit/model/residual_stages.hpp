#pragma once
// What follows the first layer of a CIFAR-style ResNet (He, Zhang, Ren, Sun, "Deep residual
// learning for image recognition", CVPR 2016): stages of basic or bottleneck blocks with projection
// shortcuts and batch normalisation, the mean over the image, a linear layer.

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
#include <torch/nn/modules/linear.h>

#include "unmask/kit/model/stage_widths.hpp"
#include "unmask/params.hpp"
#include "unmask/tensor.hpp"

namespace unmask::kit {

/// A k x k convolution without bias that keeps the image size at stride 1.
inline torch::nn::Conv2d plain_conv(std::int64_t in,
                                    std::int64_t out,
                                    std::int64_t size,
                                    std::int64_t stride) {
  return torch::nn::Conv2d(
      torch::nn::Conv2dOptions(in, out, size).stride(stride).padding(size / 2).bias(false));
}

/// relu(inner(x) + shortcut(x)); the shortcut is the identity, or a strided 1x1 convolution with
/// batch normalisation where the shape changes. In place where the value overwritten is needed by
/// nobody: batch normalisation keeps its input for the backward pass, relu its result.
class ResidualBlock : public torch::nn::Module {
 public:
  Tensor forward(const Tensor& x) {
    Tensor y = inner(x);
    y.add_(shortcut_.is_empty() ? x : shortcut_->forward(x));
    return y.relu_();
  }

 protected:
  /// The last layer is a normalisation.
  virtual Tensor inner(const Tensor& x) = 0;

  void add_shortcut(std::int64_t in, std::int64_t out, std::int64_t stride) {
    if (stride == 1 && in == out) return;
    shortcut_ = register_module(
        "shortcut",
        torch::nn::Sequential(plain_conv(in, out, 1, stride), torch::nn::BatchNorm2d(out)));
  }

 private:
  torch::nn::Sequential shortcut_{nullptr};
};

/// Two 3x3 convolutions: bn2(conv2(relu(bn1(conv1(x))))).
class BasicBlock final : public ResidualBlock {
 public:
  static constexpr std::int64_t kExpansion = 1;

  BasicBlock(std::int64_t in, std::int64_t width, std::int64_t stride)
      : conv1_(register_module("conv1", plain_conv(in, width, 3, stride))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(width))),
        conv2_(register_module("conv2", plain_conv(width, width, 3, 1))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(width))) {
    add_shortcut(in, width, stride);
  }

 private:
  Tensor inner(const Tensor& x) override {
    const Tensor y = bn1_(conv1_(x)).relu_();
    return bn2_(conv2_(y));
  }

  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  torch::nn::BatchNorm2d bn2_;
};

/// 1x1 to `width` channels, 3x3 with the stride, 1x1 to four times as many:
/// bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))).
class BottleneckBlock final : public ResidualBlock {
 public:
  static constexpr std::int64_t kExpansion = 4;

  BottleneckBlock(std::int64_t in, std::int64_t width, std::int64_t stride)
      : conv1_(register_module("conv1", plain_conv(in, width, 1, 1))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(width))),
        conv2_(register_module("conv2", plain_conv(width, width, 3, stride))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(width))),
        conv3_(register_module("conv3", plain_conv(width, kExpansion * width, 1, 1))),
        bn3_(register_module("bn3", torch::nn::BatchNorm2d(kExpansion * width))) {
    add_shortcut(in, kExpansion * width, stride);
  }

 private:
  Tensor inner(const Tensor& x) override {
    Tensor y = bn1_(conv1_(x)).relu_();
    y = bn2_(conv2_(y)).relu_();
    return bn3_(conv3_(y));
  }

  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  torch::nn::BatchNorm2d bn2_;
  torch::nn::Conv2d conv3_;
  torch::nn::BatchNorm2d bn3_;
};

/// Declarations of `channels`, `blocks`, `strides` and `block`.
inline std::vector<ParamSpec> residual_params() {
  std::vector<ParamSpec> specs = stage_params();
  specs.push_back(
      choice("block",
             {"basic", "bottleneck"},
             "two 3x3 convolutions, or 1x1, 3x3 and 1x1 to four times the stage's width")
          .by_default("basic"));
  return specs;
}

/// The stages, layer1, layer2, ..., and the last layer, linear, registered in a network.
class ResidualStages {
 public:
  /// @param in  channels of the first layer's output
  ResidualStages(torch::nn::Module& net,
                 std::int64_t in,
                 const Params& params,
                 std::int64_t classes)
      : is_bottleneck_(params.get_text("block") == "bottleneck") {
    const std::vector<Stage> stages = read_stages(params);
    for (std::size_t i = 0; i < stages.size(); ++i) {
      torch::nn::ModuleList layer;
      for (std::int64_t j = 0; j < stages[i].blocks; ++j) {
        blocks_.push_back(make_block(in, stages[i].width, j == 0 ? stages[i].stride : 1));
        layer->push_back(blocks_.back());
        in = stages[i].width * expansion();
      }
      net.register_module("layer" + std::to_string(i + 1), layer);
    }
    linear_ = net.register_module("linear", torch::nn::Linear(in, classes));
  }

  /// Logits [B, K] from the first layer's output [B, C, H, W].
  Tensor forward(Tensor y) {
    for (const auto& block : blocks_) y = block->forward(y);
    return linear_(y.mean({2, 3}));
  }

 private:
  std::int64_t expansion() const {
    return is_bottleneck_ ? BottleneckBlock::kExpansion : BasicBlock::kExpansion;
  }

  std::shared_ptr<ResidualBlock> make_block(std::int64_t in,
                                            std::int64_t width,
                                            std::int64_t stride) const {
    if (is_bottleneck_) return std::make_shared<BottleneckBlock>(in, width, stride);
    return std::make_shared<BasicBlock>(in, width, stride);
  }

  bool is_bottleneck_;
  std::vector<std::shared_ptr<ResidualBlock>> blocks_;
  torch::nn::Linear linear_{nullptr};
};

}  // namespace unmask::kit
