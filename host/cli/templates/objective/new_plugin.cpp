// Hinge loss on the margin between the true class and the best other one.
#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace {

class NewPlugin final : public unmask::Objective {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "mean of max(0, wanted + largest other logit - logit of the class)",
            .source = "replace me: paper, book, equation",
            .params = {unmask::real("wanted", "margin at which a sample costs nothing")
                           .by_default(1.0)
                           .above(0)},
            .capabilities = {}};
  }

  explicit NewPlugin(const unmask::Params& params) : wanted_(params.get_real("wanted")) {}

  // For adversarial training, attack step.target() and hand the result to step.logits().
  unmask::Tensor loss(unmask::TrainingStep& step,
                      const unmask::Tensor& x,
                      const unmask::Tensor& y) override {
    const auto violation = unmask::per_sample_loss(step.logits(x), y, unmask::Loss::kMargin);
    return (violation + wanted_).clamp_min(0).mean();
  }

 private:
  double wanted_;
};

}  // namespace

UNMASK_PLUGIN(NewPlugin)
