// Wide residual network, without any ODE.

#include <torch/nn.h>

#include "../../common/param_tables.hpp"
#include "../../common/pixel_normalisation.hpp"
#include "../../common/wide_stages.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class WideResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "wide residual network of pre-activation blocks; no ODE",
            .source = "[Zagoruyko16]",
            .params = plugins::joined({plugins::wide_params(), plugins::normalisation_params()}),
            .capabilities = {}};
  }

  WideResNetImpl(const Params& params, const ModelContext& context)
      : normalise_(params, context),
        conv1_(register_module("conv1",
                               plugins::wide_conv(context.channels, plugins::kWideStem, 3, 1))),
        stages_(*this, params, context.num_classes) {}

  Tensor forward(const Tensor& x, OdeContext& /*ode*/) {
    return stages_.forward(conv1_(normalise_(x)));
  }

 private:
  plugins::PixelNormalisation normalise_;
  torch::nn::Conv2d conv1_;
  plugins::WideStages stages_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::WideResNetImpl>)
