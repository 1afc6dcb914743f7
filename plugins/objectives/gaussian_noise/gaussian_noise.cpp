// Cross-entropy on images with normal noise. See gaussian_noise.md.

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class GaussianNoise final : public Objective {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "cross-entropy on images with normal noise",
            .source = "Cohen, Rosenfeld, Kolter 2019, arXiv 1902.02918",
            .params = {real("sigma", "deviation of the noise of a pixel; 0: natural training")
                           .by_default(0.25)
                           .at_least(0)
                           .unit("pixel range")},
            .capabilities = {}};
  }

  explicit GaussianNoise(const Params& params) : sigma_(params.get_real("sigma")) {}

  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    const Tensor noisy = sigma_ == 0 ? x : x + sigma_ * step.random().normal(x);
    return at::cross_entropy_loss(step.logits(noisy), y);
  }

 private:
  double sigma_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::GaussianNoise)
