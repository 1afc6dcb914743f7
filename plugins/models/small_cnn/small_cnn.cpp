// The small convolutional network of the attack literature, without normalisation layers.

#include <algorithm>

#include <torch/nn.h>

#include "unmask/kit/model/input_levels.hpp"
#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class SmallCnnImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "four convolutions, two maximum poolings, three linear layers; no ODE",
        .source = "[CW17], table I; with padding and without dropout",
        .params = kit::joined(
            {{integer("channels", "of the first two convolutions; the others have twice as many")
                  .by_default(32)
                  .at_least(1)
                  .at_most(4096),
              integer("hidden", "width of the two hidden linear layers")
                  .by_default(200)
                  .at_least(1)
                  .at_most(65536)},
             kit::normalisation_params(),
             kit::input_levels_params()}),
        .capabilities = {}};
  }

  SmallCnnImpl(const Params& params, const ModelContext& context)
      : levels_(params), normalise_(params, context) {
    if (std::min(context.height, context.width) < 4) {
      throw ParamError("images of " + std::to_string(context.height) + " x " +
                       std::to_string(context.width) +
                       " pixels are halved twice; they need at least 4 x 4 pixels");
    }
    const std::int64_t channels = params.get_integer("channels");
    const std::int64_t hidden = params.get_integer("hidden");
    conv1_ = register_module("conv1", convolution(context.channels, channels));
    conv2_ = register_module("conv2", convolution(channels, channels));
    conv3_ = register_module("conv3", convolution(channels, 2 * channels));
    conv4_ = register_module("conv4", convolution(2 * channels, 2 * channels));
    const std::int64_t features = 2 * channels * (context.height / 4) * (context.width / 4);
    fc1_ = register_module("fc1", torch::nn::Linear(features, hidden));
    fc2_ = register_module("fc2", torch::nn::Linear(hidden, hidden));
    linear_ = register_module("linear", torch::nn::Linear(hidden, context.num_classes));
  }

  Tensor forward(const Tensor& x, OdeContext& ode) {
    Tensor y = conv1_(normalise_(levels_(x, ode))).relu_();
    y = at::max_pool2d(conv2_(y).relu_(), 2);
    y = conv3_(y).relu_();
    y = at::max_pool2d(conv4_(y).relu_(), 2);
    y = fc1_(y.flatten(1)).relu_();
    return linear_(fc2_(y).relu_());
  }

 private:
  static torch::nn::Conv2d convolution(std::int64_t in, std::int64_t out) {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 3).padding(1));
  }

  kit::InputLevels levels_;
  kit::PixelNormalisation normalise_;
  torch::nn::Conv2d conv1_{nullptr}, conv2_{nullptr}, conv3_{nullptr}, conv4_{nullptr};
  torch::nn::Linear fc1_{nullptr}, fc2_{nullptr}, linear_{nullptr};
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::SmallCnnImpl>)
