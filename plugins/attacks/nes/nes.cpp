// NES: gradient steps on gradients estimated from answers. See nes.md.

#include <optional>
#include <vector>

#include <torch/types.h>

#include "nes_estimator.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/queries.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Nes final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {.version = "1.1",
            .summary = "projected steps on margin gradients estimated from normal pairs of queries",
            .source = "Ilyas, Engstrom, Athalye, Lin 2018, arXiv 1804.08598",
            .params = {choice("norm", {"linf", "l2"}, "norm of the ball and of the steps")
                           .by_default("linf"),
                       integer("steps", "steps").by_default(100).at_least(1),
                       integer("pairs", "pairs of queries a step").by_default(50).at_least(1),
                       real("sigma", "deviation of the queries, per pixel")
                           .by_default(0.001)
                           .above(0)
                           .unit("pixel range"),
                       real("step_size", "length of one step in the norm; left out: epsilon / 4")
                           .above(0)
                           .optional()
                           .unit("pixel range"),
                       real("momentum", "weight of the past in the mean of the gradients")
                           .by_default(0.9)
                           .at_least(0)
                           .below(1)},
            .capabilities = {"gradient_free"}};
  }

  explicit Nes(const Params& params)
      : BallAttack(params.get_text("norm")),
        steps_(params.get_integer("steps")),
        pairs_(params.get_integer("pairs")),
        sigma_(params.get_real("sigma")),
        momentum_(params.get_real("momentum")) {
    if (params.has("step_size")) step_size_ = params.get_real("step_size");
  }

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    const double length = step_size_.value_or(threat.epsilon / 4);
    std::vector<Tensor> memory = {at::zeros_like(x)};
    Tensor& mean = memory[0];
    // Every pair of every step has a generator of its own: more pairs or steps begin with the same.
    const auto estimate =
        [&](auto&& loss, const Tensor& point, const Tensor& rows, const SampleRandom& random) {
          return kit::nes_gradient(
              loss,
              [&](std::int64_t pair) {
                return random.stream("pair", static_cast<std::uint64_t>(pair)).normal(point, rows);
              },
              point,
              sigma_,
              pairs_,
              threat.lower,
              threat.upper);
        };
    const auto step = [&](const Tensor& gradient) {
      mean = momentum_ * mean + (1 - momentum_) * gradient;
      return length * kit::ascent_direction(mean, norm());
    };
    return kit::ascend_by_queries(
        target, x, y, threat, context.random, {steps_, x, memory}, estimate, step);
  }

  std::int64_t steps_;
  std::int64_t pairs_;
  double sigma_;
  std::optional<double> step_size_;
  double momentum_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Nes)
