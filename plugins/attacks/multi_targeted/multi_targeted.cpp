// PGD towards one class after the other. See multi_targeted.md.

#include <torch/types.h>

#include "../../common/attack_pgd.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class MultiTargeted final : public common::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "projected gradient steps towards one class after the other",
        .source = "Gowal et al. 2019, arXiv 1910.09338",
        .params =
            {choice("norm", {"linf", "l2", "l1"}, "norm of the ball and of the steps")
                 .by_default("linf"),
             integer("steps", "gradient steps of one run").by_default(20).at_least(1),
             real("step_size", "length of one step in the norm; left out: 2.5 epsilon / steps")
                 .above(0)
                 .optional()
                 .unit("pixel range"),
             integer("targets", "most likely other classes that are tried; left out: all")
                 .at_least(1)
                 .optional(),
             integer("restarts", "runs with different starts for every class")
                 .by_default(1)
                 .at_least(1),
             choice("loss", {"margin", "ce", "dlr"}, "loss that pulls to the class")
                 .by_default("margin"),
             real("momentum", "decay of the sum of past gradients that is followed; 0: none")
                 .by_default(0.0)
                 .at_least(0),
             integer("eot", "gradients that are averaged for one step").by_default(1).at_least(1),
             real("l1_share", "share of the pixels that one l1 step moves; at least one pixel")
                 .by_default(0.01)
                 .above(0)
                 .at_most(1)},
        .capabilities = {}};
  }

  explicit MultiTargeted(const Params& params)
      : BallAttack(params.get_text("norm")),
        targets_(params.has("targets") ? params.get_integer("targets") : 0),
        restarts_(params.get_integer("restarts")),
        search_(settings(params)) {}

 private:
  static common::PgdSettings settings(const Params& params) {
    common::PgdSettings result;
    result.steps = params.get_integer("steps");
    if (params.has("step_size")) result.step_size = params.get_real("step_size");
    result.loss = common::targeted(common::loss_of(params.get_text("loss")));
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
    common::BestPoints best(x);
    common::ActiveRows active(target, x, y);
    const Tensor classes = common::other_classes(target.logits(x), y);
    const std::int64_t count =
        targets_ == 0 ? classes.size(1) : std::min(targets_, classes.size(1));
    for (std::int64_t restart = 0; restart < restarts_; ++restart) {
      for (std::int64_t t = 0; t < count && !active.empty(); ++t) {
        // Numbered by restart and target, so that more of either begin with the same runs.
        SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart))
                                  .stream("target", static_cast<std::uint64_t>(t));
        const Tensor wanted = classes.select(1, t).index_select(0, active.rows());
        search_.run_keeping_best(target, active, wanted, threat, random, best);
      }
    }
    return best.points();
  }

  std::int64_t targets_;
  std::int64_t restarts_;
  common::PgdSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::MultiTargeted)
