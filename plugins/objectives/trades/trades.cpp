// TRADES: natural cross-entropy, and the divergence between the answers to an image and to the
// point of the ball that answers most differently. See trades.md.

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/radius.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

// KL(p || q) per sample, [B], from logarithms. An underflow of p gives 0 (0 times a finite number)
// here and in the derivative, where log(p) itself would be infinite.
Tensor divergence(const Tensor& log_p, const Tensor& log_q) {
  return (log_p.exp() * (log_p - log_q)).sum(1);
}

class Trades final : public Objective {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "cross-entropy and beta times the divergence of attacked from natural answers",
        .source = "Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan 2019, arXiv 1901.08573",
        .params =
            {choice("norm", {"linf", "l2"}, "norm of the ball and of the steps").by_default("linf"),
             real("beta", "weight of the divergence, 1/lambda of the paper; 0: natural training")
                 .by_default(6.0)
                 .at_least(0),
             real("epsilon", "radius of the ball").by_default(0.031).above(0).unit("pixel range"),
             real(
                 "step_size",
                 "length of one step in the norm; left out: 0.007 in linf, 2 epsilon / steps in l2")
                 .above(0)
                 .optional()
                 .unit("pixel range"),
             integer("steps", "gradient steps of the inner attack").by_default(10).at_least(1),
             real("start_noise", "deviation of the normal noise that the inner attack starts with")
                 .by_default(0.001)
                 .at_least(0)
                 .unit("pixel range")},
        .capabilities = {}};
  }

  explicit Trades(const Params& params)
      : threat_{.norm = kit::norm_of(params.get_text("norm")),
                .epsilon = kit::radius_of(params, kit::norm_of(params.get_text("norm")))},
        beta_(params.get_real("beta")),
        steps_(params.get_integer("steps")),
        start_noise_(params.get_real("start_noise")) {
    if (params.has("step_size")) {
      step_size_ = params.get_real("step_size");
    } else {
      step_size_ =
          threat_.norm == Norm::kLinf ? 0.007 : 2 * threat_.epsilon / static_cast<double>(steps_);
    }
  }

  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    if (beta_ == 0) return at::cross_entropy_loss(step.logits(x), y);
    // The attack comes first: the target freezes the weights that the graphs below are attached to.
    const Tensor point = attack(step.target(), x, step.random());
    const Tensor natural = at::log_softmax(step.logits(x), 1);
    const Tensor attacked = at::log_softmax(step.logits(point), 1);
    {
      // The authors ask for the natural answers once more. They are the same and so is the
      // gradient, but running statistics of norm layers move another time; no graph is needed.
      const at::NoGradGuard no_grad;
      step.logits(x);
    }
    return at::nll_loss(natural, y) + beta_ * divergence(natural, attacked).mean();
  }

 private:
  Tensor attack(Target& target, const Tensor& x, SampleRandom& random) const {
    const Tensor natural = at::log_softmax(target.logits(x), 1);
    const LossFunction loss = [&natural](const Tensor& logits) {
      return divergence(natural, at::log_softmax(logits, 1));
    };
    // The divergence has a minimum at x, with a gradient of zero: hence the noise. As with the
    // authors, the first gradient is taken before anything is projected.
    Tensor point = x + start_noise_ * random.normal(x);
    for (std::int64_t i = 0; i < steps_; ++i) {
      const Tensor gradient = target.loss_and_gradient(point, loss).gradient;
      const Tensor moved = point + step_size_ * direction(gradient, random, i);
      // Box first, then ball, as the authors do in l2; in linf the order does not matter.
      point = project(moved.clamp(threat_.lower, threat_.upper), x, threat_);
    }
    return point;
  }

  // Sign, or gradient of length 1. In l2 a sample without a gradient gets normal noise, as with the
  // authors; from a stream of its own, so that no other sample's draws depend on it.
  Tensor direction(const Tensor& gradient, const SampleRandom& random, std::int64_t number) const {
    const Tensor ascent = kit::ascent_direction(gradient, threat_.norm);
    if (threat_.norm == Norm::kLinf) return ascent;
    const Tensor is_lost = ascent.flatten(1).eq(0).all(1);
    if (!is_lost.any().item<bool>()) return ascent;
    const Tensor noise =
        random.stream("no_gradient", static_cast<std::uint64_t>(number)).normal(ascent);
    return at::where(kit::per_row(is_lost, ascent), noise, ascent);
  }

  Threat threat_;
  double beta_;
  std::int64_t steps_;
  double start_noise_;
  double step_size_ = 0;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Trades)
