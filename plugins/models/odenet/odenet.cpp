// A network of ODE blocks whose fields see the time: the unstabilised counterpart of SONet.

#include <torch/nn.h>

#include "time_convolution.hpp"
#include "unmask/kit/model/ode_block.hpp"
#include "unmask/kit/model/ode_state.hpp"
#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

using kit::TimeConvolution;

// y' = norm3(conv2(t, relu(norm2(conv1(t, relu(norm1(y))))))).
class TimedFunction final : public kit::OdeFunction {
 public:
  explicit TimedFunction(std::int64_t channels)
      : norm1_(register_module("norm1", kit::group_norm(channels))),
        conv1_(register_module("conv1", TimeConvolution(channels))),
        norm2_(register_module("norm2", kit::group_norm(channels))),
        conv2_(register_module("conv2", TimeConvolution(channels))),
        norm3_(register_module("norm3", kit::group_norm(channels))) {}

  std::shared_ptr<VectorField> field(const Tensor& x) override {
    // In place on results of normalisations, which those do not keep for the backward pass.
    return kit::timed_field([conv1 = kit::TimeConvolutionMap(conv1_, x),
                             conv2 = kit::TimeConvolutionMap(conv2_, x),
                             norm1 = norm1_,
                             norm2 = norm2_,
                             norm3 = norm3_](const Scalar& t, const State& state) mutable {
      const Tensor inner = conv1(t, norm1(state[0]).relu_());
      return State{norm3(conv2(t, norm2(inner).relu_()))};
    });
  }

 private:
  torch::nn::GroupNorm norm1_;
  TimeConvolution conv1_;
  torch::nn::GroupNorm norm2_;
  TimeConvolution conv2_;
  torch::nn::GroupNorm norm3_;
};

class OdeNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "ODE blocks that see the time, at full resolution; linear layer",
            .source = "[Chen18]; as the baseline of [Huang21]",
            .params = kit::joined(
                {{integer("channels", "width of all blocks; below 8 or a multiple of 8")
                      .by_default(16)
                      .at_least(1)
                      .at_most(4096),
                  integer("blocks", "number of ODE blocks").by_default(2).at_least(1).at_most(64)},
                 kit::normalisation_params()}),
            .capabilities = {"ode"}};
  }

  OdeNetImpl(const Params& params, const ModelContext& context)
      : normalise_(params, context), channels_(params.get_integer("channels")) {
    torch::nn::ModuleList conv;
    for (std::int64_t i = 0; i < params.get_integer("blocks"); ++i) {
      // The reference wraps every block in a module, whose name is in its checkpoints.
      const auto wrapper = std::make_shared<torch::nn::Module>();
      blocks_.push_back(wrapper->register_module(
          "ode_conv",
          kit::ode_block<TimedFunction>("conv." + std::to_string(i) + ".ode_conv", channels_)));
      conv->push_back(wrapper);
    }
    register_module("conv", conv);
    norm_ = register_module("norm", kit::group_norm(channels_));
    linear_ = register_module(
        "linear", torch::nn::Linear(channels_ * kPooled * kPooled, context.num_classes));
  }

  Tensor forward(const Tensor& x, OdeContext& ode) {
    Tensor y = kit::repeat_channels(normalise_(x), channels_);
    for (const auto& block : blocks_) y = block->forward(y, ode);
    return linear_(at::adaptive_avg_pool2d(norm_(y), {kPooled, kPooled}).flatten(1));
  }

 private:
  static constexpr std::int64_t kPooled = 3;

  kit::PixelNormalisation normalise_;
  std::int64_t channels_;
  std::vector<std::shared_ptr<kit::OdeBlockImpl>> blocks_;
  torch::nn::GroupNorm norm_{nullptr};
  torch::nn::Linear linear_{nullptr};
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::OdeNetImpl>)
