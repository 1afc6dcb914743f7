// A wide residual network whose first layer is a stabilised ODE block. The solver is the
// manifest's.

#include <torch/nn.h>

#include "../../common/param_tables.hpp"
#include "../../common/pixel_normalisation.hpp"
#include "../../common/skew_block.hpp"
#include "../../common/wide_stages.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class SoWideResNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "wide residual network whose first layer is a stabilised ODE block",
            .source = "[Huang21], [Zagoruyko16]",
            .params = plugins::joined(
                {plugins::wide_params(), plugins::skew_params(), plugins::normalisation_params()}),
            .capabilities = {"ode"}};
  }

  SoWideResNetImpl(const Params& params, const ModelContext& context)
      : normalise_(params, context),
        conv1_(register_module(
            "conv1",
            plugins::ode_block<plugins::SkewFunction>(
                "conv1", context.channels, plugins::kWideStem, 1, plugins::read_skew(params)))),
        stages_(*this, params, context.num_classes) {}

  Tensor forward(const Tensor& x, OdeContext& ode) {
    return stages_.forward(conv1_->forward(normalise_(x), ode));
  }

 private:
  plugins::PixelNormalisation normalise_;
  std::shared_ptr<plugins::OdeBlockImpl> conv1_;
  plugins::WideStages stages_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::SoWideResNetImpl>)
