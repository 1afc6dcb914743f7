// A wide residual network whose first layer is a stabilised ODE block. The solver is the
// manifest's.

#include <torch/nn.h>

#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/model/skew_block.hpp"
#include "unmask/kit/model/wide_stages.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class SoWideResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "wide residual network whose first layer is a stabilised ODE block",
            .source = "[Huang21], [Zagoruyko16]",
            .params =
                kit::joined({kit::wide_params(), kit::skew_params(), kit::normalisation_params()}),
            .capabilities = {"ode"}};
  }

  SoWideResNetImpl(const Params& params, const ModelContext& context)
      : normalise_(params, context),
        conv1_(register_module(
            "conv1",
            kit::ode_block<kit::SkewFunction>(
                "conv1", context.channels, kit::kWideStem, 1, kit::read_skew(params)))),
        stages_(*this, params, context.num_classes) {}

  Tensor forward(const Tensor& x, OdeContext& ode) {
    return stages_.forward(conv1_->forward(normalise_(x), ode));
  }

 private:
  kit::PixelNormalisation normalise_;
  std::shared_ptr<kit::OdeBlockImpl> conv1_;
  kit::WideStages stages_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::SoWideResNetImpl>)
