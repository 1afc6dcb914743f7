// A residual network whose first layer is a stabilised ODE block: the smallest model that shows the
// masking effect. The solver is the manifest's.

#include <torch/nn.h>

#include "../../common/basic_block.hpp"
#include "../../common/skew_block.hpp"
#include "../../common/stage_widths.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class SoResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    std::vector<ParamSpec> params = plugins::stage_params();
    for (ParamSpec& spec : plugins::skew_params()) params.push_back(std::move(spec));
    return {.version = "1.0",
            .summary = "residual network whose first layer is a stabilised ODE block",
            .source = "Huang, Yu, Zhang, Ma, Yao 2021 (MSML, PMLR 145), arXiv 2009.13145: SOBlock",
            .params = std::move(params),
            .capabilities = {"ode"}};
  }

  SoResNetImpl(const Params& params, const ModelContext& context) {
    const std::vector<plugins::Stage> stages = plugins::read_stages(params);
    const std::int64_t channels = params.get_integer("channels");
    conv1_ =
        register_module("conv1",
                        std::make_shared<plugins::SkewBlockImpl>(
                            "conv1", context.channels, channels, 1, plugins::read_skew(params)));
    blocks_ = plugins::add_residual_stages(*this, channels, stages);
    linear_ =
        register_module("linear", torch::nn::Linear(stages.back().width, context.num_classes));
  }

  Tensor forward(const Tensor& x, OdeContext& ode) {
    Tensor y = conv1_->forward(x, ode);
    for (const auto& block : blocks_) y = block->forward(y);
    return linear_(plugins::global_mean(y));
  }

 private:
  std::shared_ptr<plugins::SkewBlockImpl> conv1_;
  std::vector<std::shared_ptr<plugins::BasicBlockImpl>> blocks_;
  torch::nn::Linear linear_{nullptr};
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::SoResNetImpl>)
