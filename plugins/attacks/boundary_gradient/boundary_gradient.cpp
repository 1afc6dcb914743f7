// Along the gradient at the boundary, where no loss is saturated. See boundary_gradient.md.

#include <torch/types.h>

#include "unmask/kit/attack/boundary_jump.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class BoundaryGradient final : public kit::BoundaryWalk {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "from a wrong image to the boundary, and along the gradient that is there",
        .source =
            "Brendel, Rauber, Kuemmerer, Ustyuzhaninov, Bethge 2019, arXiv 1907.01003 (start and "
            "gradient); Chen, Jordan, Wainwright 2020, arXiv 1904.02144 (steps)",
        .params = {choice("norm", {"linf", "l2"}, "norm that is kept small").by_default("linf"),
                   integer("steps", "steps").by_default(40).at_least(1),
                   integer("halvings", "of the way between a right and a wrong point, at each step")
                       .by_default(10)
                       .at_least(1),
                   kit::draws_option(),
                   integer("restarts", "walks from different images").by_default(1).at_least(1),
                   kit::minimise_option()},
        .capabilities = {"asks_outside_ball"}};
  }

  explicit BoundaryGradient(const Params& params)
      : BoundaryWalk(params),
        halvings_(params.get_integer("halvings")),
        restarts_(params.get_integer("restarts")) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::DecisionSearch decisions(target, x, y, threat);
    for (std::int64_t restart = 0; restart < restarts_; ++restart) {
      kit::ActiveRows active(target, x, y);
      SampleRandom random = context.random.stream("restart", static_cast<std::uint64_t>(restart));
      walk(target, decisions, active, x, threat, random);
    }
    return decisions.closest().result(y, minimise());
  }

  void walk(Target& target,
            kit::DecisionSearch& decisions,
            kit::ActiveRows& active,
            const Tensor& x,
            const Threat& threat,
            SampleRandom& random) const {
    Tensor point = active.x().clone();
    Tensor has_start = at::ones({point.size(0)}, active.y().options().dtype(at::kBool));
    if (leave(decisions, active, point, has_start)) return;
    Tensor starts = x.clone();
    has_start = decisions.start(starts, draws(), random).index_select(0, active.rows());
    point = starts.index_select(0, active.rows());
    if (leave(decisions, active, point, has_start)) return;
    point = decisions.bisect(point, active.rows(), halvings_);
    for (std::int64_t t = 1; t <= steps(); ++t) {
      if (leave(decisions, active, point, has_start)) return;
      const Tensor gradient =
          target.loss_and_gradient(point, active.y(), {}, Loss::kMargin, active.rows()).gradient;
      point = kit::jump(decisions,
                        active,
                        point,
                        kit::ascent_direction(gradient, norm()),
                        reach(point, active, t),
                        threat);
      point = decisions.bisect(point, active.rows(), halvings_);
    }
  }

  std::int64_t halvings_;
  std::int64_t restarts_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::BoundaryGradient)
