// FAB: steps to the nearest boundary, biased towards the image. See fab.md.

#include "unmask/kit/attack/fab.hpp"

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Fab final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.1",
        .summary = "steps to the nearest boundary, biased towards the image",
        .source = "Croce, Hein 2020, arXiv 1907.02044",
        .params = kit::joined({kit::FabSettings::params(),
                               {integer("restarts",
                                        "runs; the first starts at the image, the others at random "
                                        "points around it")
                                    .by_default(1)
                                    .at_least(1)}}),
        .capabilities = {"asks_outside_ball"}};
  }

  explicit Fab(const Params& params)
      : BallAttack(params.get_text("norm")),
        restarts_(params.get_integer("restarts")),
        settings_(kit::FabSettings::from(params)) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    const kit::FabSearch search(settings_);
    kit::ClosestPoints closest(target, x, threat);
    kit::ActiveRows active(target, x, y);
    const Tensor clean = target.logits(x);
    const Tensor classes = kit::other_classes(clean, y);
    for (std::int64_t restart = 0; restart < restarts_ && !active.empty(); ++restart) {
      SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart));
      search.run(target,
                 active,
                 classes.index_select(0, active.rows()),
                 threat,
                 restart == 0 ? nullptr : &random,
                 closest);
    }
    search.finish(target, x, y, clean, threat, closest);
    return closest.result(y, settings_.minimise);
  }

  std::int64_t restarts_;
  kit::FabSettings settings_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Fab)
