// Linear layers with relu between them.

#include <torch/nn.h>

#include "unmask/kit/model/input_levels.hpp"
#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

class MlpImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "linear layers on all pixels with relu between them; no ODE",
            .source = "multilayer perceptron with relu",
            .params = kit::joined({{integer_list("widths", "width of each hidden layer")
                                        .by_default(std::vector<std::int64_t>{256, 256})
                                        .at_least(1)
                                        .at_most(65536)
                                        .length(1, 16)},
                                   kit::normalisation_params(),
                                   kit::input_levels_params()}),
            .capabilities = {}};
  }

  MlpImpl(const Params& params, const ModelContext& context)
      : levels_(params), normalise_(params, context) {
    std::int64_t width = context.channels * context.height * context.width;
    torch::nn::ModuleList hidden;
    for (const std::int64_t next : params.get_integers("widths")) {
      hidden_.emplace_back(width, next);
      hidden->push_back(hidden_.back());
      width = next;
    }
    register_module("hidden", hidden);
    linear_ = register_module("linear", torch::nn::Linear(width, context.num_classes));
  }

  Tensor forward(const Tensor& x, OdeContext& ode) {
    Tensor y = normalise_(levels_(x, ode)).flatten(1);
    for (torch::nn::Linear& layer : hidden_) y = layer(y).relu();
    return linear_(y);
  }

 private:
  kit::InputLevels levels_;
  kit::PixelNormalisation normalise_;
  std::vector<torch::nn::Linear> hidden_;
  torch::nn::Linear linear_{nullptr};
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::MlpImpl>)
