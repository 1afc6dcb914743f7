// Auto-PGD. See apgd.md.

#include "unmask/kit/attack/apgd.hpp"

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/classes.hpp"
#include "unmask/kit/attack/trace.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Apgd final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.2",
        .summary = "projected gradient steps whose size halves by itself, per sample",
        .source = "Croce, Hein 2020, arXiv 2003.01690; l1: Croce, Hein 2021, arXiv 2103.01208",
        .params =
            {choice("norm", {"linf", "l2", "l1"}, "norm of the ball and of the steps")
                 .by_default("linf"),
             choice("loss",
                    {"ce",
                     "margin",
                     "dlr",
                     "pm",
                     "ce_targeted",
                     "margin_targeted",
                     "dlr_targeted",
                     "pm_targeted"},
                    "loss that is increased")
                 .by_default("ce"),
             integer("steps", "steps of one run").by_default(100).at_least(1),
             integer("restarts", "runs with different starts, for every target class")
                 .by_default(1)
                 .at_least(1),
             integer("targets", "targeted losses: the most likely other classes, one run for each")
                 .by_default(9)
                 .at_least(1),
             real("rho", "share of rising steps that keeps the step size")
                 .by_default(0.75)
                 .above(0)
                 .at_most(1),
             integer("eot", "gradients that are averaged for one step").by_default(1).at_least(1),
             boolean(
                 "from_large_balls",
                 "spend 30 % of the steps in the ball of 3 epsilon and 30 % in that of 2 epsilon "
                 "first")
                 .by_default(false),
             kit::Trace::param()},
        .capabilities = {}};
  }

  explicit Apgd(const Params& params)
      : BallAttack(params.get_text("norm")),
        loss_(loss(params.get_text("loss"))),
        restarts_(params.get_integer("restarts")),
        targets_(params.get_integer("targets")),
        trace_(params.get_integer("trace")),
        search_({params.get_integer("steps"),
                 loss_,
                 params.get_real("rho"),
                 params.get_integer("eot"),
                 params.get_boolean("from_large_balls")}) {}

 private:
  static Loss loss(const std::string& name) {
    const std::string suffix = "_targeted";
    if (!name.ends_with(suffix)) return kit::loss_of(name);
    return kit::targeted(kit::loss_of(name.substr(0, name.size() - suffix.size())));
  }

  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::BestPoints best(target, x);
    kit::ActiveRows active(target, x, y);
    kit::Trace trace(trace_, x, norm());
    Tensor classes;  // [B, targets]
    std::int64_t runs = 1;
    if (is_targeted(loss_)) {
      classes = kit::other_classes(target.logits(x), y);
      runs = std::min(targets_, classes.size(1));
    }
    for (std::int64_t restart = 0; restart < restarts_; ++restart) {
      for (std::int64_t run = 0; run < runs && !active.empty(); ++run) {
        // Numbered by target and restart, so that more targets or restarts begin with the same
        // runs.
        SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart))
                                  .stream("target", static_cast<std::uint64_t>(run));
        const Tensor wanted =
            classes.defined() ? classes.select(1, run).index_select(0, active.rows()) : classes;
        search_.run(target, active, wanted, threat, random, best, &trace);
      }
    }
    trace.finish(context);
    return best.points();
  }

  Loss loss_;
  std::int64_t restarts_;
  std::int64_t targets_;
  std::int64_t trace_;
  kit::ApgdSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Apgd)
