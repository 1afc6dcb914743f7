// A residual network whose first layer is a stabilised ODE block: the smallest model that shows the
// masking effect. The solver is the manifest's.

#include <torch/nn.h>

#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/model/residual_stages.hpp"
#include "unmask/kit/model/skew_block.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class SoResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.1",
            .summary = "residual network whose first layer is a stabilised ODE block",
            .source = "[Huang21], SOBlock",
            .params = kit::joined(
                {kit::residual_params(), kit::skew_params(), kit::normalisation_params()}),
            .capabilities = {"ode"}};
  }

  SoResNetImpl(const Params& params, const ModelContext& context)
      : normalise_(params, context),
        channels_(params.get_integer("channels")),
        conv1_(
            register_module("conv1",
                            kit::ode_block<kit::SkewFunction>(
                                "conv1", context.channels, channels_, 1, kit::read_skew(params)))),
        stages_(*this, channels_, params, context.num_classes) {}

  Tensor forward(const Tensor& x, OdeContext& ode) {
    return stages_.forward(conv1_->forward(normalise_(x), ode));
  }

 private:
  kit::PixelNormalisation normalise_;
  std::int64_t channels_;
  std::shared_ptr<kit::OdeBlockImpl> conv1_;
  kit::ResidualStages stages_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::SoResNetImpl>)
