// Projected gradient descent (ascent on the loss), with random start and restarts. See pgd.md.

#include <torch/types.h>

#include "../../common/attack_pgd.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Pgd final : public common::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.1",
        .summary = "projected gradient steps inside the ball, best or last iterate",
        .source = "Madry et al. 2018, arXiv 1706.06083",
        .params =
            {choice("norm", {"linf", "l2", "l1"}, "norm of the ball and of the steps")
                 .by_default("linf"),
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
             choice("loss", {"ce", "margin", "dlr"}, "loss that is increased").by_default("ce"),
             choice("target",
                    {"none", "second", "least_likely", "random"},
                    "class that the loss pulls to; none: away from the label")
                 .by_default("none"),
             real("momentum", "decay of the sum of past gradients that is followed; 0: none")
                 .by_default(0.0)
                 .at_least(0),
             integer("eot", "gradients that are averaged for one step").by_default(1).at_least(1),
             real("l1_share", "share of the pixels that one l1 step moves; at least one pixel")
                 .by_default(0.01)
                 .above(0)
                 .at_most(1),
             choice("keep",
                    {"best", "last"},
                    "return the visited iterate with the largest margin, or the last one")
                 .by_default("best")},
        .capabilities = {}};
  }

  explicit Pgd(const Params& params)
      : BallAttack(params.get_text("norm")),
        restarts_(params.get_integer("restarts")),
        target_(params.get_text("target")),
        keep_best_(params.get_text("keep") == "best"),
        search_(settings(params, target_ != "none")) {
    if (restarts_ > 1 && !params.get_boolean("random_start")) {
      throw ParamError("parameter \"restarts\" = " + std::to_string(restarts_) +
                       ": needs \"random_start\": true, all restarts would be equal otherwise");
    }
  }

 private:
  static common::PgdSettings settings(const Params& params, bool is_targeted) {
    common::PgdSettings result;
    result.steps = params.get_integer("steps");
    if (params.has("step_size")) result.step_size = params.get_real("step_size");
    result.random_start = params.get_boolean("random_start");
    result.loss = common::loss_of(params.get_text("loss"));
    if (is_targeted) result.loss = common::targeted(result.loss);
    result.momentum = params.get_real("momentum");
    result.draws = params.get_integer("eot");
    result.l1_share = params.get_real("l1_share");
    return result;
  }

  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    const Tensor targets = target_classes(target, x, y, context);
    common::BestPoints best(x);
    common::ActiveRows active(target, x, y);
    for (std::int64_t restart = 0; restart < restarts_; ++restart) {
      SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart));
      if (keep_best_) {
        const Tensor wanted = targets.defined() ? targets.index_select(0, active.rows()) : targets;
        search_.run_keeping_best(target, active, wanted, threat, random, best);
        if (active.empty()) break;
        continue;
      }
      // Every restart contributes its last iterate, the largest margin among them wins.
      const Tensor last = search_.run_to_the_end(target, x, y, targets, threat, random);
      if (restarts_ == 1) return last;
      best.offer(active.rows(), last, search_.mean_logits(target, last, {}), y);
    }
    return best.points();
  }

  // int64 [B]; undefined for an attack without target.
  Tensor target_classes(Target& target,
                        const Tensor& x,
                        const Tensor& y,
                        AttackContext& context) const {
    if (target_ == "none") return {};
    if (target_ == "random") {
      const Tensor like = at::empty({x.size(0)}, x.options().dtype(at::kDouble));
      const auto others = static_cast<double>(target.num_classes() - 1);
      // One of the K - 1 other classes: those from the label on move up by one.
      const Tensor drawn = context.random.stream("target").uniform(like, 0.0, others).to(at::kLong);
      return drawn + drawn.ge(y).to(at::kLong);
    }
    const Tensor order = common::other_classes(target.logits(x), y);
    return order.select(1, target_ == "second" ? 0 : order.size(1) - 1);
  }

  std::int64_t restarts_;
  std::string target_;
  bool keep_best_;
  common::PgdSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Pgd)
