// SPSA: Adam on gradients estimated from function values; needs no gradient of the model. See
// spsa.md.

#include <optional>
#include <vector>

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/queries.hpp"
#include "unmask/kit/attack/spsa_estimator.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

constexpr double kBeta1 = 0.9;

class Spsa final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.2",
        .summary = "Adam on margin gradients estimated from random pairs of queries",
        .source = "Uesato, O'Donoghue, van den Oord, Kohli 2018, arXiv 1802.05666",
        .params =
            {choice("norm", {"linf"}, "norm of the ball").by_default("linf"),
             integer("steps", "Adam steps").by_default(20).at_least(1),
             integer("pairs", "pairs of queries a step").by_default(32).at_least(1),
             real("delta", "half the distance between the points of a pair, per pixel")
                 .by_default(0.01)
                 .above(0)
                 .unit("pixel range"),
             real("learning_rate", "Adam's rate; left out: epsilon / 4")
                 .above(0)
                 .optional()
                 .unit("pixel range"),
             real("beta2", "decay of Adam's mean of squares").by_default(0.99).at_least(0).below(1),
             boolean("random_start", "start at a random point of the ball instead of at the image")
                 .by_default(false)},
        .capabilities = {"gradient_free"}};
  }

  explicit Spsa(const Params& params)
      : BallAttack(params.get_text("norm")),
        steps_(params.get_integer("steps")),
        pairs_(params.get_integer("pairs")),
        delta_(params.get_real("delta")),
        beta2_(params.get_real("beta2")),
        random_start_(params.get_boolean("random_start")) {
    if (params.has("learning_rate")) learning_rate_ = params.get_real("learning_rate");
  }

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    const double rate = learning_rate_.value_or(threat.epsilon / 4);
    std::vector<Tensor> memory = {at::zeros_like(x), at::zeros_like(x)};
    Tensor& mean = memory[0];
    Tensor& square = memory[1];
    double beta1_power = 1;
    double beta2_power = 1;
    // Every pair of every step has a generator of its own: more pairs or steps begin with the same.
    const auto estimate =
        [&](auto&& loss, const Tensor& point, const Tensor& rows, const SampleRandom& random) {
          return kit::spsa_gradient(
              loss,
              [&](std::int64_t pair) {
                return random.stream("pair", static_cast<std::uint64_t>(pair)).signs(point, rows);
              },
              point,
              delta_,
              pairs_,
              threat.lower,
              threat.upper);
        };
    const auto step = [&](const Tensor& gradient) {
      mean = kBeta1 * mean + (1 - kBeta1) * gradient;
      square = beta2_ * square + (1 - beta2_) * gradient.square();
      beta1_power *= kBeta1;
      beta2_power *= beta2_;
      return rate * (mean / (1 - beta1_power)) / ((square / (1 - beta2_power)).sqrt() + 1e-8);
    };
    SampleRandom start = context.random.stream("start");
    const Tensor from =
        random_start_ ? project(x + kit::uniform_in_ball(x, {}, threat, start), x, threat) : x;
    return kit::ascend_by_queries(
        target, x, y, threat, context.random, {steps_, from, memory}, estimate, step);
  }

  std::int64_t steps_;
  std::int64_t pairs_;
  double delta_;
  double beta2_;
  bool random_start_;
  std::optional<double> learning_rate_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Spsa)
