// Projected gradient descent (ascent on the loss), with random start and restarts. See pgd.md.

#include "unmask/kit/attack/pgd.hpp"

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/classes.hpp"
#include "unmask/kit/attack/trace.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Pgd final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.3",
        .summary = "projected gradient steps inside the ball, best or last iterate",
        .source = "Madry et al. 2018, arXiv 1706.06083",
        .params = kit::joined(
            {kit::PgdSettings::params(),
             {boolean("random_start", "start at a random point of the ball instead of at the image")
                  .by_default(true),
              integer("restarts", "runs with different starts; more than 1 needs random_start")
                  .by_default(1)
                  .at_least(1),
              choice("loss", {"ce", "margin", "dlr", "pm"}, "loss that is increased")
                  .by_default("ce"),
              choice("target",
                     {"none", "second", "least_likely", "random"},
                     "class that the loss pulls to; none: away from the label")
                  .by_default("none"),
              choice("keep",
                     {"best", "last"},
                     "return the visited iterate with the largest margin, or the last one")
                  .by_default("best"),
              kit::Trace::param()}}),
        .capabilities = {}};
  }

  explicit Pgd(const Params& params)
      : BallAttack(params.get_text("norm")),
        restarts_(params.get_integer("restarts")),
        target_(params.get_text("target")),
        keep_best_(params.get_text("keep") == "best"),
        trace_(params.get_integer("trace")),
        search_(settings(params, target_ != "none")) {
    if (restarts_ > 1 && !params.get_boolean("random_start")) {
      throw ParamError("parameter \"restarts\" = " + std::to_string(restarts_) +
                       ": needs \"random_start\": true, all restarts would be equal otherwise");
    }
  }

 private:
  static kit::PgdSettings settings(const Params& params, bool is_targeted) {
    const Loss loss = kit::loss_of(params.get_text("loss"));
    kit::PgdSettings result =
        kit::PgdSettings::from(params, is_targeted ? kit::targeted(loss) : loss);
    result.random_start = params.get_boolean("random_start");
    return result;
  }

  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    const Tensor targets = target_classes(target, x, y, context);
    kit::BestPoints best(target, x);
    kit::ActiveRows active(target, x, y);
    kit::Trace trace(trace_, x, norm());
    for (std::int64_t restart = 0; restart < restarts_; ++restart) {
      SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart));
      if (keep_best_) {
        const Tensor wanted = targets.defined() ? targets.index_select(0, active.rows()) : targets;
        search_.run_keeping_best(target, active, wanted, threat, random, best, &trace);
        if (active.empty()) break;
        continue;
      }
      // Every restart contributes its last iterate, the largest margin among them wins.
      const Tensor last = search_.run_to_the_end(target, x, y, targets, threat, random, &trace);
      if (restarts_ == 1) {
        trace.finish(context);
        return last;
      }
      best.offer(active.rows(), last, search_.mean_logits(target, last, {}), y);
    }
    trace.finish(context);
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
    const Tensor order = kit::other_classes(target.logits(x), y);
    return order.select(1, target_ == "second" ? 0 : order.size(1) - 1);
  }

  std::int64_t restarts_;
  std::string target_;
  bool keep_best_;
  std::int64_t trace_;
  kit::PgdSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Pgd)
