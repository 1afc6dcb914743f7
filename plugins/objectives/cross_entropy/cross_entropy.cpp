// Cross-entropy training, with optional label smoothing.

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class CrossEntropy final : public Objective {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "mean cross-entropy of the batch",
            .source = "smoothing: Szegedy et al. 2016, arXiv 1512.00567",
            .params = {real("label_smoothing",
                            "share of the target that is spread evenly over all classes")
                           .by_default(0.0)
                           .at_least(0)
                           .below(1)},
            .capabilities = {}};
  }

  explicit CrossEntropy(const Params& params) : smoothing_(params.get_real("label_smoothing")) {}

  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    const Tensor log_probability = at::log_softmax(step.logits(x), 1);
    const Tensor own = at::nll_loss(log_probability, y);
    if (smoothing_ == 0) return own;
    // Target (1 - s) onehot(y) + s / K: the second part is the mean over samples and classes.
    return (1 - smoothing_) * own - smoothing_ * log_probability.mean();
  }

 private:
  double smoothing_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::CrossEntropy)
