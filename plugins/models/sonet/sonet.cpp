// SONet: every layer is a stabilised ODE, the stem, the stages and the classifier.

#include <algorithm>

#include <torch/nn.h>

#include "skew_classifier.hpp"
#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/model/skew_block.hpp"
#include "unmask/kit/model/stage_widths.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

using kit::ode_block;
using kit::SkewClassifier;
using kit::SkewFunction;

class SoNetImpl final : public torch::nn::Module {
 public:
  static PluginInfo info() {
    return {.version = "1.1",
            .summary = "SONet: stem, stages and classifier are stabilised ODEs",
            .source = "[Huang21]",
            .params =
                kit::joined({kit::stage_params(), kit::skew_params(), kit::normalisation_params()}),
            .capabilities = {"ode"}};
  }

  SoNetImpl(const Params& params, const ModelContext& context) : normalise_(params, context) {
    const std::vector<kit::Stage> stages = kit::read_stages(params);
    const kit::SkewOptions options = kit::read_skew(params);
    check_image(stages, context);
    std::int64_t width = params.get_integer("channels");
    blocks_.push_back(register_module(
        "conv1", ode_block<SkewFunction>("conv1", context.channels, width, 1, options)));
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const std::string layer_name = "layer" + std::to_string(i + 1);
      torch::nn::ModuleList layer;
      for (std::int64_t j = 0; j < stages[i].blocks; ++j) {
        blocks_.push_back(ode_block<SkewFunction>(layer_name + "." + std::to_string(j),
                                                  width,
                                                  stages[i].width,
                                                  j == 0 ? stages[i].stride : 1,
                                                  options));
        layer->push_back(blocks_.back());
        width = stages[i].width;
      }
      register_module(layer_name, layer);
    }
    linear_ = register_module(
        "linear", ode_block<SkewClassifier>("linear", width, context.num_classes, options));
  }

  Tensor forward(const Tensor& x, OdeContext& ode) {
    Tensor y = normalise_(x);
    for (const auto& block : blocks_) y = block->forward(y, ode);
    return linear_->forward(y.mean({2, 3}), ode);
  }

 private:
  /// A block of stride 2 needs at least 2 x 2 pixels.
  static void check_image(const std::vector<kit::Stage>& stages, const ModelContext& context) {
    std::int64_t size = std::min(context.height, context.width);
    for (const kit::Stage& stage : stages) size /= stage.stride;
    if (size < 1) {
      throw ParamError("strides halve an image of " + std::to_string(context.height) + " x " +
                       std::to_string(context.width) +
                       " pixels to nothing; use fewer stages of stride 2");
    }
  }

  kit::PixelNormalisation normalise_;
  std::vector<std::shared_ptr<kit::OdeBlockImpl>> blocks_;
  std::shared_ptr<kit::OdeBlockImpl> linear_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::SoNetImpl>)
