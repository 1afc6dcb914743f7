// Steps along the sign of the gradient, each followed by a projection.
#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace {

class NewPlugin final : public unmask::Attack {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "gradient sign steps of length epsilon / steps",
            .source = "replace me: paper, book, equation",
            .params = {unmask::integer("steps", "number of steps").by_default(10).at_least(1)},
            .capabilities = {}};
  }

  explicit NewPlugin(const unmask::Params& params) : steps_(params.get_integer("steps")) {}

  unmask::Norm norm() const override { return unmask::Norm::kLinf; }

  unmask::Tensor perturb(unmask::Target& target,
                         const unmask::Tensor& x,
                         const unmask::Tensor& y,
                         const unmask::Threat& threat,
                         unmask::AttackContext& context) override {
    // A small random start: at the image itself a gradient may vanish.
    unmask::Tensor moved = x + threat.epsilon * context.random.uniform(x, -0.1, 0.1);
    for (std::int64_t i = 0; i < steps_; ++i) {
      moved = unmask::project(moved, x, threat);
      const auto slope = target.loss_and_gradient(moved, y, unmask::Loss::kMargin);
      moved = moved + threat.epsilon / static_cast<double>(steps_) * slope.gradient.sign();
    }
    return unmask::project(moved, x, threat);
  }

 private:
  std::int64_t steps_;
};

}  // namespace

UNMASK_PLUGIN(NewPlugin)
