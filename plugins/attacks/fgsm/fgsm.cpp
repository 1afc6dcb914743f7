// Fast gradient sign method: one step of length epsilon.

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Fgsm final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "one gradient step of length epsilon",
        .source = "Goodfellow, Shlens, Szegedy 2015, arXiv 1412.6572",
        .params =
            {choice("norm", {"linf", "l2"}, "norm of the ball and of the step").by_default("linf"),
             choice("loss", {"ce", "margin"}, "loss whose gradient is followed").by_default("ce")},
        .capabilities = {}};
  }

  explicit Fgsm(const Params& params)
      : BallAttack(params.get_text("norm")), loss_(kit::loss_of(params.get_text("loss"))) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext&) override {
    const Tensor gradient = target.loss_and_gradient(x, y, loss_).gradient;
    const Tensor step = kit::ascent_direction(gradient, norm()) * threat.epsilon;
    return project(x + step, x, threat);
  }

  Loss loss_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Fgsm)
