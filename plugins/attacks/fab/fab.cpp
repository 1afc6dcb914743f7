// FAB: steps to the nearest boundary, biased towards the image. See fab.md.

#include <torch/types.h>

#include "../../common/attack_fab.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Fab final : public common::BallAttack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "steps to the nearest boundary, biased towards the image",
            .source = "Croce, Hein 2020, arXiv 1907.02044",
            .params =
                {choice("norm", {"linf", "l2", "l1"}, "norm that is kept small").by_default("linf"),
                 integer("steps", "steps of one run").by_default(100).at_least(1),
                 integer("restarts",
                         "runs; the first starts at the image, the others at random "
                         "points around it")
                     .by_default(1)
                     .at_least(1),
                 real("max_bias", "largest weight of the step that starts at the image")
                     .by_default(0.1)
                     .at_least(0)
                     .at_most(1),
                 real("overshoot", "length of a step, as a share of the way to the boundary")
                     .by_default(1.05)
                     .at_least(1),
                 real("pull_back", "share of the way from the image kept after a success")
                     .by_default(0.9)
                     .above(0)
                     .below(1),
                 boolean("minimise",
                         "go on for the smallest perturbation; otherwise a sample is done as "
                         "soon as it falls inside the ball")
                     .by_default(false)},
            .capabilities = {"asks_outside_ball"}};
  }

  explicit Fab(const Params& params)
      : BallAttack(params.get_text("norm")),
        restarts_(params.get_integer("restarts")),
        minimise_(params.get_boolean("minimise")),
        search_({params.get_integer("steps"),
                 params.get_real("max_bias"),
                 params.get_real("overshoot"),
                 params.get_real("pull_back"),
                 minimise_}) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    common::ClosestPoints closest(x, threat);
    common::ActiveRows active(target, x, y);
    const Tensor classes = common::other_classes(target.logits(x), y);
    for (std::int64_t restart = 0; restart < restarts_ && !active.empty(); ++restart) {
      SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart));
      search_.run(target,
                  active,
                  classes.index_select(0, active.rows()),
                  threat,
                  restart == 0 ? nullptr : &random,
                  closest);
    }
    return closest.result(target, y, minimise_);
  }

  std::int64_t restarts_;
  bool minimise_;
  common::FabSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Fab)
