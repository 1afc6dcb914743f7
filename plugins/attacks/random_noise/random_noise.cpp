// Random points of the ball. A control: what it finds, any attack that uses the model must find.

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/best_points.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class RandomNoise final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "best of several random perturbations",
            .source = "control of Carlini et al. 2019, arXiv 1902.06705",
            .params = {choice("norm", {"linf"}, "norm of the ball").by_default("linf"),
                       integer("repeats", "random points per image").by_default(50).at_least(1),
                       choice("distribution",
                              {"signs", "uniform"},
                              "corners of the ball, or points all over it")
                           .by_default("signs")},
            .capabilities = {"gradient_free"}};
  }

  explicit RandomNoise(const Params& params)
      : BallAttack(params.get_text("norm")),
        repeats_(params.get_integer("repeats")),
        use_signs_(params.get_text("distribution") == "signs") {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::BestPoints best(target, x);
    kit::ActiveRows active(target, x, y);
    for (std::int64_t repeat = 0; repeat < repeats_ && !active.empty(); ++repeat) {
      SampleRandom random = context.random.stream("repeat", static_cast<std::uint64_t>(repeat));
      const Tensor noise = use_signs_ ? random.signs(active.x(), active.rows())
                                      : random.uniform(active.x(), -1.0, 1.0, active.rows());
      const Tensor point = project(active.x() + noise * threat.epsilon, active.x(), threat);
      const Tensor logits = target.logits(point, active.rows());
      active.drop(best.offer(active.rows(), point, logits, active.y()), {});
    }
    return best.points();
  }

  std::int64_t repeats_;
  bool use_signs_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::RandomNoise)
