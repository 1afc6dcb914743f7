// Normal noise, cut to the ball. A control in every norm. See gaussian_noise.md.

#include <numbers>
#include <optional>

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/best_points.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class GaussianNoise final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "best of several normal perturbations",
            .source = "control of Carlini et al. 2019, arXiv 1902.06705",
            .params = {choice("norm", {"l2", "linf", "l1"}, "norm of the ball").by_default("l2"),
                       integer("repeats", "random points per image").by_default(50).at_least(1),
                       real("sigma",
                            "deviation per pixel; left out: as large as lets a typical draw end on "
                            "the surface of the ball")
                           .above(0)
                           .optional()
                           .unit("pixel range")},
            .capabilities = {"gradient_free"}};
  }

  explicit GaussianNoise(const Params& params)
      : BallAttack(params.get_text("norm")), repeats_(params.get_integer("repeats")) {
    if (params.has("sigma")) sigma_ = params.get_real("sigma");
  }

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    const double sigma = sigma_.value_or(fitting_sigma(threat, x[0].numel()));
    kit::BestPoints best(target, x);
    kit::ActiveRows active(target, x, y);
    for (std::int64_t repeat = 0; repeat < repeats_ && !active.empty(); ++repeat) {
      SampleRandom random = context.random.stream("repeat", static_cast<std::uint64_t>(repeat));
      const Tensor noise = sigma * random.normal(active.x(), active.rows());
      const Tensor point = project(active.x() + noise, active.x(), threat);
      const Tensor logits = target.logits(point, active.rows());
      active.drop(best.offer(active.rows(), point, logits, active.y()), {});
    }
    return best.points();
  }

  // The norm of D standard normal numbers is about sqrt(D) in l2 and D sqrt(2 / pi) in l1. In linf
  // epsilon itself: two thirds of the pixels stay inside.
  double fitting_sigma(const Threat& threat, std::int64_t pixels) const {
    const auto count = static_cast<double>(pixels);
    if (norm() == Norm::kL2) return threat.epsilon / std::sqrt(count);
    if (norm() == Norm::kL1) return threat.epsilon / (count * std::sqrt(2 / std::numbers::pi));
    return threat.epsilon;
  }

  std::int64_t repeats_;
  std::optional<double> sigma_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::GaussianNoise)
