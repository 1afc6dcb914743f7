// Wide residual network, without any ODE.

#include <torch/nn.h>

#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/model/wide_stages.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class WideResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "wide residual network of pre-activation blocks; no ODE",
            .source = "[Zagoruyko16]",
            .params = kit::joined({kit::wide_params(), kit::normalisation_params()}),
            .capabilities = {}};
  }

  WideResNetImpl(const Params& params, const ModelContext& context)
      : normalise_(params, context),
        conv1_(register_module("conv1", kit::wide_conv(context.channels, kit::kWideStem, 3, 1))),
        stages_(*this, params, context.num_classes) {}

  Tensor forward(const Tensor& x, OdeContext& /*ode*/) {
    return stages_.forward(conv1_(normalise_(x)));
  }

 private:
  kit::PixelNormalisation normalise_;
  torch::nn::Conv2d conv1_;
  kit::WideStages stages_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::WideResNetImpl>)
