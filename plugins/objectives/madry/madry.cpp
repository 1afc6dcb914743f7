// Adversarial training on the last iterate of projected gradient descent. See madry.md.

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/pgd.hpp"
#include "unmask/kit/attack/radius.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Madry final : public Objective {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "cross-entropy on the last iterate of projected gradient descent",
        .source = "Madry et al. 2018, arXiv 1706.06083",
        .params =
            {choice("norm", {"linf", "l2"}, "norm of the ball and of the steps").by_default("linf"),
             real("epsilon", "radius of the ball; 0: natural training")
                 .by_default(8.0 / 255)
                 .at_least(0)
                 .unit("pixel range"),
             real("step_size", "length of one step in the norm; left out: epsilon / 4")
                 .above(0)
                 .optional()
                 .unit("pixel range"),
             integer("steps", "gradient steps of the inner attack").by_default(10).at_least(1),
             boolean("random_start", "start at a random point of the ball instead of at the image")
                 .by_default(true)},
        .capabilities = {}};
  }

  explicit Madry(const Params& params)
      : threat_{.norm = kit::norm_of(params.get_text("norm")),
                .epsilon = kit::radius_of(params, kit::norm_of(params.get_text("norm")))},
        search_(settings(params)) {}

  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    // The attack comes first: the target freezes the weights that the graph below is attached to.
    const Tensor point = attack(step, x, y);
    return at::cross_entropy_loss(step.logits(point), y);
  }

 private:
  static kit::PgdSettings settings(const Params& params) {
    kit::PgdSettings result;
    result.steps = params.get_integer("steps");
    result.step_size =
        params.has("step_size") ? params.get_real("step_size") : params.get_real("epsilon") / 4;
    result.random_start = params.get_boolean("random_start");
    return result;
  }

  Tensor attack(TrainingStep& step, const Tensor& x, const Tensor& y) const {
    if (threat_.epsilon == 0) return x;
    return search_.run_to_the_end(step.target(), x, y, /*targets=*/{}, threat_, step.random());
  }

  Threat threat_;
  kit::PgdSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Madry)
