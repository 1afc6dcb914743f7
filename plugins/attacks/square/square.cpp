// Square attack. See square.md.

#include "unmask/kit/attack/square.hpp"

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Square final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.2",
        .summary = "random search over square windows, judged by the margin alone",
        .source =
            "Andriushchenko, Croce, Flammarion, Hein 2020, arXiv 1912.00049; l1: Croce, Hein "
            "2021, arXiv 2103.01208",
        .params =
            {choice("norm", {"linf", "l2", "l1"}, "norm of the ball").by_default("linf"),
             integer("queries", "answers for one run").by_default(5000).at_least(1),
             real("first_share", "share of the image that the first windows cover")
                 .by_default(0.8)
                 .above(0)
                 .at_most(1),
             boolean("rescale",
                     "stretch the schedule of the windows, which is made for 10000 "
                     "queries, to the number of queries")
                 .by_default(false),
             integer("restarts", "runs with different random numbers").by_default(1).at_least(1)},
        .capabilities = {"gradient_free"}};
  }

  explicit Square(const Params& params)
      : BallAttack(params.get_text("norm")),
        restarts_(params.get_integer("restarts")),
        search_({params.get_integer("queries"),
                 params.get_real("first_share"),
                 params.get_boolean("rescale")}) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::BestPoints best(target, x);
    kit::ActiveRows active(target, x, y);
    for (std::int64_t restart = 0; restart < restarts_ && !active.empty(); ++restart) {
      SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart));
      search_.run(target, active, threat, random, best);
    }
    return best.points();
  }

  std::int64_t restarts_;
  kit::SquareSearch search_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Square)
