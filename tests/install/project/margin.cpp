// Hinge loss on the margin between the true class and the best other one.
#include <torch/types.h>

#include "unmask/plugin.hpp"

class Margin final : public unmask::Objective {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "mean of max(0, wanted + largest other logit - logit of the class)",
            .source = "example of the plugin author guide",
            .params = {unmask::real("wanted", "margin at which a sample costs nothing")
                           .by_default(1.0)
                           .above(0)},
            .capabilities = {}};
  }

  explicit Margin(const unmask::Params& params) : wanted_(params.get_real("wanted")) {}

  unmask::Tensor loss(unmask::TrainingStep& step,
                      const unmask::Tensor& x,
                      const unmask::Tensor& y) override {
    const auto violation = unmask::per_sample_loss(step.logits(x), y, unmask::Loss::kMargin);
    return (violation + wanted_).clamp_min(0).mean();
  }

 private:
  double wanted_;
};

UNMASK_PLUGIN(Margin)
