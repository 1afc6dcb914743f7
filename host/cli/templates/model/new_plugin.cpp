// A network with one ODE block between a convolution and a linear layer.
#include <memory>
#include <utility>

#include <torch/nn.h>

#include "unmask/module_model.hpp"

namespace {

// dy/dt = tanh(conv(y)); t does not occur.
class Block final : public unmask::VectorField {
 public:
  explicit Block(torch::nn::Conv2d conv) : conv_(std::move(conv)) {}
  unmask::State evaluate(const unmask::Scalar&, const unmask::State& y) override {
    return {conv_(y[0]).tanh()};
  }
  bool is_autonomous() const override { return true; }

 private:
  torch::nn::Conv2d conv_;
};

struct NewPlugin : torch::nn::Module {
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "convolution, one ODE block, mean over pixels, linear layer",
            .source = "replace me: paper, book, equation",
            .params = {unmask::integer("width", "channels of the state").by_default(8).at_least(1)},
            .capabilities = {"ode"}};
  }

  NewPlugin(const unmask::Params& params, const unmask::ModelContext& data) {
    const std::int64_t width = params.get_integer("width");
    const auto convolution = [](std::int64_t from, std::int64_t to) {
      return torch::nn::Conv2d(torch::nn::Conv2dOptions(from, to, 3).padding(1));
    };
    stem = register_module("stem", convolution(data.channels, width));
    field = register_module("field", convolution(width, width));
    head = register_module("head", torch::nn::Linear(width, data.num_classes));
  }

  unmask::Tensor forward(const unmask::Tensor& x, unmask::OdeContext& ode) {
    const auto block = std::make_shared<Block>(field);
    const unmask::State end = ode.integrate("block", block, {stem(x)}, 0.0, 1.0);
    return head(end[0].mean({2, 3}));
  }

  torch::nn::Conv2d stem{nullptr}, field{nullptr};
  torch::nn::Linear head{nullptr};
};

}  // namespace

UNMASK_PLUGIN(unmask::ModuleModel<NewPlugin>)
