// Projected gradient descent (ascent on the loss), with random start and restarts. See pgd.md.

#include <optional>

#include <torch/types.h>

#include "../../common/attack_tools.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Pgd final : public Attack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "projected gradient steps inside the ball, best or last iterate",
        .source = "Madry et al. 2018, arXiv 1706.06083",
        .params =
            {choice("norm", {"linf", "l2"}, "norm of the ball and of the steps").by_default("linf"),
             integer("steps", "gradient steps of one restart").by_default(20).at_least(1),
             real("step_size", "length of one step in the norm; left out: 2.5 epsilon / steps")
                 .above(0)
                 .optional()
                 .unit("pixel range"),
             boolean("random_start", "start at a random point of the ball instead of at the image")
                 .by_default(true),
             integer("restarts", "runs with different starts; more than 1 needs random_start")
                 .by_default(1)
                 .at_least(1),
             choice("loss", {"ce", "margin"}, "loss that is increased").by_default("ce"),
             choice("keep",
                    {"best", "last"},
                    "return the visited iterate with the largest margin, or the last one")
                 .by_default("best")},
        .capabilities = {}};
  }

  explicit Pgd(const Params& params)
      : norm_(common::norm_of(params.get_text("norm"))),
        steps_(params.get_integer("steps")),
        random_start_(params.get_boolean("random_start")),
        restarts_(params.get_integer("restarts")),
        loss_(common::loss_of(params.get_text("loss"))),
        keep_best_(params.get_text("keep") == "best") {
    if (params.has("step_size")) step_size_ = params.get_real("step_size");
    if (restarts_ > 1 && !random_start_) {
      throw ParamError("parameter \"restarts\" = " + std::to_string(restarts_) +
                       ": needs \"random_start\": true, all restarts would be equal otherwise");
    }
  }

  Norm norm() const override { return norm_; }

  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext& context) override {
    common::check_threat(threat, norm_);
    if (threat.epsilon == 0 || x.size(0) == 0) return x.clone();

    common::BestPoints best(x);
    common::ActiveRows active(target, x, y);
    for (std::int64_t restart = 0; restart < restarts_; ++restart) {
      SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart));
      if (!keep_best_ && restarts_ == 1) return run_to_the_end(target, x, y, threat, random);
      if (keep_best_) {
        run_keeping_best(target, active, threat, random, best);
        if (active.empty()) break;
      } else {
        // Every restart contributes its last iterate, the largest margin among them wins.
        const Tensor last = run_to_the_end(target, x, y, threat, random);
        best.offer(active.rows(), last, target.logits(last), y);
      }
    }
    return best.points();
  }

 private:
  double step_size(const Threat& threat) const {
    // The usual 2.5 epsilon / steps: the far side of the ball can be reached from every start, with
    // steps to spare.
    return step_size_.value_or(2.5 * threat.epsilon / static_cast<double>(steps_));
  }

  Tensor start(const Tensor& x,
               const Tensor& rows,
               const Threat& threat,
               SampleRandom& random) const {
    if (!random_start_) return x;
    if (norm_ == Norm::kLinf) {
      return project(x + random.uniform(x, -threat.epsilon, threat.epsilon, rows), x, threat);
    }
    // Uniform in the L2 ball: a uniform direction, and a radius whose D-th power is uniform.
    const Tensor direction = common::ascent_direction(random.normal(x, rows), Norm::kL2);
    const Tensor flat = x.flatten(1);
    const Tensor radius = random.uniform(flat.narrow(1, 0, 1), 0.0, 1.0, rows)
                              .pow(1.0 / static_cast<double>(flat.size(1)));
    const Tensor step = direction * common::per_row(radius.squeeze(1), x) * threat.epsilon;
    return project(x + step, x, threat);
  }

  Tensor step(const Tensor& point,
              const Tensor& gradient,
              const Tensor& x,
              const Threat& threat) const {
    const Tensor direction = common::ascent_direction(gradient, norm_);
    return project(point + direction * step_size(threat), x, threat);
  }

  // The classic attack: every step is made, nothing is looked at.
  Tensor run_to_the_end(Target& target,
                        const Tensor& x,
                        const Tensor& y,
                        const Threat& threat,
                        SampleRandom& random) const {
    Tensor point = start(x, {}, threat, random);
    for (std::int64_t i = 0; i < steps_; ++i) {
      point = step(point, target.loss_and_gradient(point, y, loss_).gradient, x, threat);
    }
    return point;
  }

  // Every visited point is offered to `best`. A fooled sample leaves the batch when its batch-mates
  // cannot notice; otherwise the whole batch goes on moving, because the points of fooled samples
  // are part of the function that the others climb.
  void run_keeping_best(Target& target,
                        common::ActiveRows& active,
                        const Threat& threat,
                        SampleRandom& random,
                        common::BestPoints& best) const {
    Tensor point = start(active.x(), active.rows(), threat, random);
    for (std::int64_t i = 0; i < steps_ && !active.empty(); ++i) {
      LossGradient here = target.loss_and_gradient(point, active.y(), loss_, active.rows());
      judge(here.logits, active, best, {&point, &here.gradient});
      if (active.empty()) return;
      point = step(point, here.gradient, active.x(), threat);
    }
    judge(target.logits(point, active.rows()), active, best, {&point});
  }

  // `state` starts with the points that `logits` belong to.
  static void judge(const Tensor& logits,
                    common::ActiveRows& active,
                    common::BestPoints& best,
                    std::initializer_list<Tensor*> state) {
    const Tensor fooled = best.offer(active.rows(), **state.begin(), logits, active.y());
    active.drop(fooled, state);
  }

  Norm norm_;
  std::int64_t steps_;
  std::optional<double> step_size_;
  bool random_start_;
  std::int64_t restarts_;
  Loss loss_;
  bool keep_best_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Pgd)
