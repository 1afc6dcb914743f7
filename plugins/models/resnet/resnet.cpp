// CIFAR-style residual network, without any ODE: the honest baseline.

#include <torch/nn.h>

#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/model/residual_stages.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class ResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.1",
            .summary = "residual network of basic or bottleneck blocks, 3x3 stem; no ODE",
            .source = "[He16]",
            .params = kit::joined({kit::residual_params(), kit::normalisation_params()}),
            .capabilities = {}};
  }

  ResNetImpl(const Params& params, const ModelContext& context)
      : normalise_(params, context),
        channels_(params.get_integer("channels")),
        conv1_(register_module("conv1", kit::plain_conv(context.channels, channels_, 3, 1))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(channels_))),
        stages_(*this, channels_, params, context.num_classes) {}

  Tensor forward(const Tensor& x, OdeContext& /*ode*/) {
    return stages_.forward(bn1_(conv1_(normalise_(x))).relu_());
  }

 private:
  kit::PixelNormalisation normalise_;
  std::int64_t channels_;
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  kit::ResidualStages stages_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::ResNetImpl>)
