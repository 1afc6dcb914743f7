// Boundary attack: a random walk along the boundary, towards the image. See boundary.md.

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/decision.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

constexpr std::int64_t kCheckEvery = 10;  // steps between two looks at how the walk goes
constexpr double kSphericalWindow = 100;  // looks before the spherical step is reconsidered
constexpr double kSourceWindow = 30;      // and the step towards the image
constexpr std::int64_t kBisections = 10;  // from the first wrong point towards the image

class Boundary final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "random walk along the boundary towards the image, from predictions alone",
        .source = "Brendel, Rauber, Bethge 2018, arXiv 1712.04248",
        .params =
            {choice("norm", {"l2"}, "norm that is kept small").by_default("l2"),
             integer("steps", "steps of the walk").by_default(25000).at_least(1),
             kit::draws_option(),
             real("spherical_step",
                  "first step around the image, as a share of the "
                  "distance")
                 .by_default(0.01)
                 .above(0),
             real("source_step",
                  "first step towards the image, as a share of the "
                  "distance")
                 .by_default(0.01)
                 .above(0),
             real("adaptation", "factor by which steps grow and shrink").by_default(1.5).above(1),
             real("convergence",
                  "the walk ends when the step towards the image is "
                  "smaller")
                 .by_default(1e-7)
                 .above(0),
             kit::minimise_option()},
        .capabilities = {"gradient_free", "asks_outside_ball"}};
  }

  explicit Boundary(const Params& params)
      : BallAttack(params.get_text("norm")),
        steps_(params.get_integer("steps")),
        draws_(params.get_integer("draws")),
        spherical_step_(params.get_real("spherical_step")),
        source_step_(params.get_real("source_step")),
        adaptation_(params.get_real("adaptation")),
        convergence_(params.get_real("convergence")),
        minimise_(params.get_boolean("minimise")) {}

 private:
  // One entry per active row.
  struct Walk {
    Tensor point;      // wrong, so far the closest
    Tensor spherical;  // step sizes
    Tensor source;
    Tensor spherical_looks;  // how often was looked, how often the step was wrong
    Tensor spherical_hits;
    Tensor source_looks;
    Tensor source_hits;
    Tensor has_start;
  };

  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::DecisionSearch decisions(target, x, y, threat);
    kit::ActiveRows active(target, x, y);
    Walk walk;
    walk.point = x.clone();
    SampleRandom start = context.random.stream("start");
    walk.has_start = decisions.start(walk.point, draws_, start);
    const auto options = x.options().dtype(at::kDouble);
    walk.spherical = at::full({x.size(0)}, spherical_step_, options);
    walk.source = at::full({x.size(0)}, source_step_, options);
    for (Tensor* count :
         {&walk.spherical_looks, &walk.spherical_hits, &walk.source_looks, &walk.source_hits}) {
      *count = at::zeros({x.size(0)}, options);
    }
    if (leave(decisions, active, walk)) return decisions.closest().result(y, minimise_);
    walk.point = decisions.bisect(walk.point, active.rows(), kBisections);

    SampleRandom random = context.random.stream("walk");
    for (std::int64_t i = 0; i < steps_; ++i) {
      if (leave(decisions, active, walk)) break;
      step(decisions, active, walk, threat, random, i % kCheckEvery == 0);
    }
    return decisions.closest().result(y, minimise_);
  }

  // True when nobody is left who can get on.
  bool leave(kit::DecisionSearch& decisions, kit::ActiveRows& active, Walk& walk) const {
    Tensor done = walk.has_start.logical_not().logical_or(walk.source < convergence_);
    if (!minimise_) done = done.logical_or(decisions.closest().is_done(active.rows()));
    if (done.all().item<bool>()) return true;
    active.drop(done,
                {&walk.point,
                 &walk.spherical,
                 &walk.source,
                 &walk.spherical_looks,
                 &walk.spherical_hits,
                 &walk.source_looks,
                 &walk.source_hits,
                 &walk.has_start});
    return false;
  }

  // A random step on the sphere around the image, then one towards the image; kept if it is wrong
  // and closer.
  void step(kit::DecisionSearch& decisions,
            const kit::ActiveRows& active,
            Walk& walk,
            const Threat& threat,
            SampleRandom& random,
            bool is_check) const {
    const Tensor& x = active.x();
    const auto row = [&](const Tensor& values) {
      return kit::per_row(values.to(x.scalar_type()), x);
    };
    const Tensor d = x - walk.point;
    const Tensor length = distance(x, walk.point, Norm::kL2).clamp_min(1e-300);
    const Tensor unit = d / row(length);
    Tensor sideways = random.normal(x, active.rows());
    sideways = sideways - row((sideways * unit).flatten(1).sum(1)) * unit;
    const Tensor sideways_length =
        distance(sideways, at::zeros_like(sideways), Norm::kL2).clamp_min(1e-300);
    sideways = sideways * row(walk.spherical * length / sideways_length);
    const Tensor sphere = (x + (sideways - d) / row((1 + walk.spherical.square()).sqrt()))
                              .clamp(threat.lower, threat.upper);
    const Tensor sphere_length = distance(x, sphere, Norm::kL2).clamp_min(1e-300);
    // The box can bring a point nearer or further: the step makes up for it.
    const Tensor ahead = (walk.source * length + sphere_length - length).clamp_min(0);
    const Tensor candidate =
        (sphere + (x - sphere) * row(ahead / sphere_length)).clamp(threat.lower, threat.upper);

    Tensor sphere_fooled;
    if (is_check) sphere_fooled = decisions.is_fooled(sphere, active.rows());
    const Tensor fooled = decisions.is_fooled(candidate, active.rows());
    const Tensor better =
        fooled.logical_and(distance(x, candidate, Norm::kL2) < length).logical_and(walk.has_start);
    walk.point = at::where(kit::per_row(better, x), candidate, walk.point);
    if (is_check) adapt(walk, sphere_fooled, fooled);
  }

  // Steps grow where most of them stay wrong, and shrink where few do.
  void adapt(Walk& walk, const Tensor& sphere_fooled, const Tensor& fooled) const {
    walk.spherical_looks = walk.spherical_looks + 1;
    walk.spherical_hits = walk.spherical_hits + sphere_fooled.to(at::kDouble);
    walk.source_looks = walk.source_looks + sphere_fooled.to(at::kDouble);
    walk.source_hits = walk.source_hits + sphere_fooled.logical_and(fooled).to(at::kDouble);
    const Tensor around =
        factor(walk.spherical_looks, walk.spherical_hits, kSphericalWindow, 0.2, 0.5);
    const Tensor ahead = factor(walk.source_looks, walk.source_hits, kSourceWindow, 0.1, 0.25);
    walk.spherical = walk.spherical * around;
    walk.source = walk.source * around * ahead;
  }

  // By which the steps change; empties the counts where a window is full.
  Tensor factor(Tensor& looks, Tensor& hits, double window, double few, double many) const {
    const Tensor is_full = looks.ge(window);
    const Tensor share = hits / looks.clamp_min(1);
    const Tensor one = at::ones_like(share);
    const Tensor result =
        at::where(is_full.logical_and(share > many),
                  one * adaptation_,
                  at::where(is_full.logical_and(share < few), one / adaptation_, one));
    looks = at::where(is_full, at::zeros_like(looks), looks);
    hits = at::where(is_full, at::zeros_like(hits), hits);
    return result;
  }

  std::int64_t steps_;
  std::int64_t draws_;
  double spherical_step_;
  double source_step_;
  double adaptation_;
  double convergence_;
  bool minimise_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Boundary)
