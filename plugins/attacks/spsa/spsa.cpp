// SPSA: Adam on gradients estimated from function values; needs no gradient of the model. See
// spsa.md.

#include <optional>

#include <torch/types.h>

#include "../../common/attack_tools.hpp"
#include "../../common/spsa_estimator.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.99;

class Spsa final : public common::BallAttack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "Adam on margin gradients estimated from random pairs of queries",
            .source = "Uesato, O'Donoghue, van den Oord, Kohli 2018, arXiv 1802.05666",
            .params = {choice("norm", {"linf"}, "norm of the ball").by_default("linf"),
                       integer("steps", "Adam steps").by_default(20).at_least(1),
                       integer("pairs", "pairs of queries a step").by_default(32).at_least(1),
                       real("delta", "half the distance between the points of a pair, per pixel")
                           .by_default(0.01)
                           .above(0)
                           .unit("pixel range"),
                       real("learning_rate", "Adam's rate; left out: epsilon / 4")
                           .above(0)
                           .optional()
                           .unit("pixel range")},
            .capabilities = {"gradient_free"}};
  }

  explicit Spsa(const Params& params)
      : BallAttack(params.get_text("norm")),
        steps_(params.get_integer("steps")),
        pairs_(params.get_integer("pairs")),
        delta_(params.get_real("delta")) {
    if (params.has("learning_rate")) learning_rate_ = params.get_real("learning_rate");
  }

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    const double rate = learning_rate_.value_or(threat.epsilon / 4);
    common::BestPoints best(x);
    common::ActiveRows active(target, x, y);
    Tensor point = x;
    Tensor mean = at::zeros_like(x);
    Tensor square = at::zeros_like(x);
    Tensor fooled = at::zeros({x.size(0)}, y.options().dtype(at::kBool));
    double beta1_power = 1;
    double beta2_power = 1;

    for (std::int64_t i = 0; i < steps_; ++i) {
      const Tensor gradient = common::spsa_gradient(
          [&](const Tensor& points) {
            return per_sample_loss(target.logits(points, active.rows()), active.y(), Loss::kMargin);
          },
          [&] { return context.random.signs(point, active.rows()); },
          point,
          delta_,
          pairs_,
          threat.lower,
          threat.upper);
      mean = kBeta1 * mean + (1 - kBeta1) * gradient;
      square = kBeta2 * square + (1 - kBeta2) * gradient.square();
      beta1_power *= kBeta1;
      beta2_power *= kBeta2;
      const Tensor step =
          rate * (mean / (1 - beta1_power)) / ((square / (1 - beta2_power)).sqrt() + 1e-8);
      // A sample that fools the model stays where it is. Under a batch-coupled target it remains
      // part of every query, and moves again should the others' moves undo its success.
      const Tensor moved = project(point + step, active.x(), threat);
      point = at::where(common::per_row(fooled, point), point, moved);

      fooled = best.offer(active.rows(), point, target.logits(point, active.rows()), active.y());
      active.drop(fooled, {&point, &mean, &square, &fooled});
      if (active.empty() || fooled.all().item<bool>()) break;
    }
    return best.points();
  }

  std::int64_t steps_;
  std::int64_t pairs_;
  double delta_;
  std::optional<double> learning_rate_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Spsa)
