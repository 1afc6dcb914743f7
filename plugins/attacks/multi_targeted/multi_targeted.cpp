// PGD towards one class after the other. See multi_targeted.md.

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/classes.hpp"
#include "unmask/kit/attack/pgd.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class MultiTargeted final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {.version = "1.1",
            .summary = "projected gradient steps towards one class after the other",
            .source = "Gowal et al. 2019, arXiv 1910.09338",
            .params = kit::joined(
                {kit::PgdSettings::params(),
                 {integer("targets", "most likely other classes that are tried; left out: all")
                      .at_least(1)
                      .optional(),
                  integer("restarts", "runs with different starts for every class")
                      .by_default(1)
                      .at_least(1),
                  choice("loss", {"margin", "ce", "dlr"}, "loss that pulls to the class")
                      .by_default("margin")}}),
            .capabilities = {}};
  }

  explicit MultiTargeted(const Params& params)
      : BallAttack(params.get_text("norm")),
        targets_(params.has("targets") ? params.get_integer("targets") : 0),
        restarts_(params.get_integer("restarts")),
        search_(
            kit::PgdSettings::from(params, kit::targeted(kit::loss_of(params.get_text("loss"))))) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::BestPoints best(target, x);
    kit::ActiveRows active(target, x, y);
    const Tensor classes = kit::other_classes(target.logits(x), y);
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
  kit::PgdSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::MultiTargeted)
