// A linear classifier: every attack can be checked against a closed form.

#include <torch/nn.h>

#include "unmask/kit/model/input_levels.hpp"
#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class LinearImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "one linear layer on all pixels; no ODE",
            .source = "multinomial logistic regression",
            .params = kit::joined({kit::normalisation_params(), kit::input_levels_params()}),
            .capabilities = {}};
  }

  LinearImpl(const Params& params, const ModelContext& context)
      : levels_(params),
        normalise_(params, context),
        linear_(register_module("linear",
                                torch::nn::Linear(context.channels * context.height * context.width,
                                                  context.num_classes))) {}

  Tensor forward(const Tensor& x, OdeContext& ode) {
    return linear_(normalise_(levels_(x, ode)).flatten(1));
  }

 private:
  kit::InputLevels levels_;
  kit::PixelNormalisation normalise_;
  torch::nn::Linear linear_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::LinearImpl>)
