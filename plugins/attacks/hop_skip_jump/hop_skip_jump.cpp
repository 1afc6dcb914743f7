// HopSkipJump: the direction of the boundary estimated from predictions. See hop_skip_jump.md.

#include <torch/types.h>

#include "unmask/kit/attack/boundary_jump.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class HopSkipJump final : public kit::BoundaryWalk {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "steps along the boundary's normal, estimated from predictions alone",
        .source = "Chen, Jordan, Wainwright 2020, arXiv 1904.02144",
        .params =
            {choice("norm", {"l2", "linf"}, "norm that is kept small").by_default("l2"),
             integer("steps", "steps").by_default(64).at_least(1),
             integer("first_queries",
                     "queries for the direction of the first step; step t "
                     "takes sqrt(t) times as many")
                 .by_default(100)
                 .at_least(1),
             integer("max_queries", "most queries for one direction").by_default(10000).at_least(1),
             kit::draws_option(),
             real("gamma", "how close the bisection goes, in units of the paper's bound")
                 .by_default(1.0)
                 .above(0),
             kit::minimise_option()},
        .capabilities = {"gradient_free", "asks_outside_ball"}};
  }

  explicit HopSkipJump(const Params& params)
      : BoundaryWalk(params),
        first_queries_(params.get_integer("first_queries")),
        max_queries_(params.get_integer("max_queries")),
        gamma_(params.get_real("gamma")) {}

 private:
  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::DecisionSearch decisions(target, x, y, threat);
    kit::ActiveRows active(target, x, y);
    Tensor point = x.clone();
    SampleRandom start = context.random.stream("start");
    Tensor has_start = decisions.start(point, draws(), start);
    if (leave(decisions, active, point, has_start))
      return decisions.closest().result(y, minimise());
    point = decisions.bisect(point, active.rows(), bisections(x));

    SampleRandom random = context.random.stream("directions");
    for (std::int64_t t = 1; t <= steps(); ++t) {
      if (leave(decisions, active, point, has_start)) break;
      const Tensor length = distance(point, active.x(), norm());
      const Tensor ascent = direction(decisions, active, point, length, threat, random, t);
      point = kit::jump(decisions, active, point, ascent, reach(point, active, t), threat);
      point = decisions.bisect(point, active.rows(), bisections(x));
    }
    return decisions.closest().result(y, minimise());
  }

  // theta of the paper: how close, as a share of the way, the bisection goes to the boundary.
  double closeness(const Tensor& x) const {
    const auto pixels = static_cast<double>(x[0].numel());
    return gamma_ / (pixels * (norm() == Norm::kL2 ? std::sqrt(pixels) : pixels));
  }

  std::int64_t bisections(const Tensor& x) const {
    return std::max<std::int64_t>(static_cast<std::int64_t>(std::ceil(-std::log2(closeness(x)))),
                                  10);
  }

  // The mean of random directions, each weighted with whether it leads to a wrong class.
  Tensor direction(kit::DecisionSearch& decisions,
                   const kit::ActiveRows& active,
                   const Tensor& point,
                   const Tensor& length,
                   const Threat& threat,
                   SampleRandom& random,
                   std::int64_t t) const {
    const auto pixels = static_cast<double>(point[0].numel());
    const double reach = closeness(point) * (norm() == Norm::kL2 ? std::sqrt(pixels) : pixels);
    const Tensor radius = t == 1 ? at::full_like(length, 0.1 * (threat.upper - threat.lower))
                                 : (reach * length).clamp_min(1e-12);
    const Tensor delta = kit::per_row(radius.to(point.scalar_type()), point);
    const double wanted = static_cast<double>(first_queries_) * std::sqrt(static_cast<double>(t));
    const auto queries =
        static_cast<std::int64_t>(std::min(wanted, static_cast<double>(max_queries_)));

    Tensor sum = at::zeros_like(point);       // of the directions
    Tensor weighted = at::zeros_like(point);  // of the directions times +-1
    Tensor answers = at::zeros_like(length);
    for (std::int64_t i = 0; i < queries; ++i) {
      const Tensor drawn = norm() == Norm::kL2 ? random.normal(point, active.rows())
                                               : random.uniform(point, -1.0, 1.0, active.rows());
      const Tensor candidate = (point + delta * kit::ascent_direction(drawn, Norm::kL2))
                                   .clamp(threat.lower, threat.upper);
      const Tensor step = (candidate - point) / delta;  // what the box left of the direction
      const Tensor sign =
          2 * decisions.is_fooled(candidate, active.rows()).to(point.scalar_type()) - 1;
      sum = sum + step;
      weighted = weighted + kit::per_row(sign, step) * step;
      answers = answers + sign.to(at::kDouble);
    }
    // Less the mean answer: less variance. Where all answers agree there is nothing to subtract.
    const Tensor mean = answers / static_cast<double>(queries);
    const Tensor base = at::where(mean.abs() < 1, mean, at::zeros_like(mean));
    const Tensor ascent = weighted - kit::per_row(base.to(point.scalar_type()), point) * sum;
    return kit::ascent_direction(ascent, norm());
  }

  std::int64_t first_queries_;
  std::int64_t max_queries_;
  double gamma_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::HopSkipJump)
