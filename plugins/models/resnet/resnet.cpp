// CIFAR-style residual network, without any ODE: the honest baseline.

#include <torch/nn.h>

#include "../../common/basic_block.hpp"
#include "../../common/stage_widths.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class ResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "residual network of basic blocks, 3x3 stem; no ODE",
            .source = "He, Zhang, Ren, Sun 2016 (CVPR), section 4.2",
            .params = plugins::stage_params(),
            .capabilities = {}};
  }

  ResNetImpl(const Params& params, const ModelContext& context) {
    const std::vector<plugins::Stage> stages = plugins::read_stages(params);
    const std::int64_t channels = params.get_integer("channels");
    conv1_ = register_module("conv1", plugins::plain_conv(context.channels, channels, 3, 1));
    bn1_ = register_module("bn1", torch::nn::BatchNorm2d(channels));
    blocks_ = plugins::add_residual_stages(*this, channels, stages);
    linear_ =
        register_module("linear", torch::nn::Linear(stages.back().width, context.num_classes));
  }

  Tensor forward(const Tensor& x, OdeContext& /*ode*/) {
    Tensor y = bn1_(conv1_(x)).relu_();
    for (const auto& block : blocks_) y = block->forward(y);
    return linear_(plugins::global_mean(y));
  }

 private:
  torch::nn::Conv2d conv1_{nullptr};
  torch::nn::BatchNorm2d bn1_{nullptr};
  std::vector<std::shared_ptr<plugins::BasicBlockImpl>> blocks_;
  torch::nn::Linear linear_{nullptr};
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::ResNetImpl>)
