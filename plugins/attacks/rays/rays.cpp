// RayS: search for the ray on which the class changes nearest, from predictions alone. See rays.md.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/draws.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

constexpr std::int64_t kStarts = 4;

class Rays final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "search for the ray on which the class changes nearest, from predictions alone",
        .source = "Chen, Gu 2020, arXiv 2006.12792",
        .params = {choice("norm", {"linf"}, "norm of the ball").by_default("linf"),
                   integer("queries", "answers").by_default(5000).at_least(1),
                   real("tolerance", "how close the bisection goes, as a share of epsilon")
                       .by_default(0.001)
                       .above(0)
                       .at_most(1)},
        .capabilities = {"gradient_free", "asks_outside_ball"}};
  }

  explicit Rays(const Params& params)
      : BallAttack(params.get_text("norm")),
        queries_(params.get_integer("queries")),
        tolerance_(params.get_real("tolerance")) {}

 private:
  // One entry per active row. Radii are float64.
  struct State {
    std::vector<Tensor> starts;  // directions that are tried first, +-1 per pixel
    Tensor sign;                 // of the best ray so far
    Tensor radius;               // at which the class changes on it
    Tensor is_found;             // whether it does
    Tensor candidate;            // the ray that is bisected
    Tensor low, high, stride;    // right at low, wrong at high; how far below high is asked next
    Tensor is_bisecting;
    Tensor turn;  // proposals so far

    std::vector<Tensor*> all() {
      std::vector<Tensor*> list = {
          &sign, &radius, &is_found, &candidate, &low, &high, &stride, &is_bisecting, &turn};
      for (Tensor& start : starts) list.push_back(&start);
      return list;
    }
  };

  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext& context) override {
    kit::ActiveRows active(target, x, y);
    Tensor result = x.clone();
    State s = begin(active, threat, context);
    for (std::int64_t query = 0; query < queries_ && !active.empty(); ++query) {
      ask(target, active, threat, s);
      const Tensor done = is_done(active, threat, s);
      if (!done.any().item<bool>()) continue;
      keep(target, active, threat, s, result);
      if (done.all().item<bool>()) return result;
      active.drop(done, s.all());
    }
    keep(target, active, threat, s, result);
    return result;
  }

  static State begin(const kit::ActiveRows& active, const Threat& threat, AttackContext& context) {
    const Tensor& x = active.x();
    const auto reals = x.options().dtype(at::kDouble);
    const auto whole = active.rows().options();
    SampleRandom random = context.random.stream("start");
    const Tensor up = at::ones_like(x);
    const Tensor middle =
        at::where(x < (threat.lower + threat.upper) / 2, up, at::full_like(x, -1));
    const Tensor columns = at::empty({x.size(0), x.size(1), 1, x.size(3)}, x.options());
    const Tensor stripes = random.signs(columns, active.rows()).expand_as(x);
    State s;
    s.starts = {up, middle, stripes, -up};
    s.sign = up;
    s.radius = at::full({x.size(0)}, threat.upper - threat.lower, reals);
    s.is_found = at::zeros({x.size(0)}, whole.dtype(at::kBool));
    s.candidate = up;
    s.low = at::zeros_like(s.radius);
    s.high = s.radius;
    s.stride = s.low;
    s.is_bisecting = s.is_found;
    s.turn = at::zeros({x.size(0)}, whole);
    return s;
  }

  // One answer for every row: about the next ray, at the radius that it has to beat, or, once it did,
  // about how far it does.
  void ask(Target& target, const kit::ActiveRows& active, const Threat& threat, State& s) const {
    const double tolerance = tolerance_ * threat.epsilon;
    s.candidate = at::where(kit::per_row(s.is_bisecting, s.sign), s.candidate, proposal(s));
    const Tensor near = at::maximum(s.high - s.stride, (s.low + s.high) / 2);
    const Tensor radius = at::where(s.is_bisecting, near, s.radius);
    const Tensor fooled =
        is_fooled(target, active, on_ray(active.x(), s.candidate, radius, threat));

    // Most rays are better by little: strides from the wrong end, each twice the last, find that first.
    const Tensor beats = fooled.logical_and(s.is_bisecting.logical_not());
    const Tensor closer = fooled.logical_and(s.is_bisecting);
    const Tensor misses = s.is_bisecting.logical_and(fooled.logical_not());
    s.high = at::where(fooled, radius, s.high);
    s.low = at::where(beats, at::zeros_like(s.low), at::where(misses, radius, s.low));
    s.stride = at::where(
        beats, at::full_like(s.stride, tolerance), at::where(closer, 2 * s.stride, s.stride));
    // Better is what is wrong nearer to the image; the first one has nothing to be nearer than.
    const Tensor better = closer.logical_or(beats.logical_and(s.is_found.logical_not()));
    s.sign = at::where(kit::per_row(better, s.sign), s.candidate, s.sign);
    s.radius = at::where(better, radius, s.radius);
    s.is_found = s.is_found.logical_or(fooled);
    s.is_bisecting = s.is_bisecting.logical_or(beats).logical_and(s.high - s.low > tolerance);
    s.turn = s.turn + s.is_bisecting.logical_not().to(at::kLong);
  }

  // The next ray of every row: one of the starts, or the best one with the signs of a block of pixels
  // turned: all, halves, quarters, ... single pixels, and from the start again.
  static Tensor proposal(const State& s) {
    const std::int64_t pixels = s.sign[0].numel();
    std::int64_t levels = 1;
    while ((std::int64_t{1} << (levels - 1)) < pixels) ++levels;
    const Tensor place =
        (s.turn - kStarts).clamp_min(0).remainder((std::int64_t{1} << levels) - 1) + 1;
    Tensor blocks = at::ones_like(place);  // 2^level, the largest power that is not above the place
    for (std::int64_t level = 1; level < levels; ++level) {
      blocks = blocks + place.ge(std::int64_t{1} << level).to(at::kLong) * blocks;
    }
    const Tensor block = place - blocks;
    const Tensor first = (block * pixels).div(blocks, "floor").view({-1, 1});
    const Tensor last = ((block + 1) * pixels).div(blocks, "floor").view({-1, 1});
    const Tensor pixel = at::arange(pixels, place.options()).view({1, -1});
    const Tensor is_turned = pixel.ge(first).logical_and(pixel.lt(last)).view_as(s.sign);
    Tensor next = at::where(is_turned, -s.sign, s.sign);
    for (std::int64_t i = 0; i < kStarts; ++i) {
      next =
          at::where(kit::per_row(s.turn.eq(i), next), s.starts[static_cast<std::size_t>(i)], next);
    }
    return next;
  }

  // Inside of the ball also after rounding.
  static Tensor on_ray(const Tensor& x,
                       const Tensor& sign,
                       const Tensor& radius,
                       const Threat& threat) {
    const Tensor point =
        (x + sign * kit::per_row(radius.to(x.scalar_type()), x)).clamp(threat.lower, threat.upper);
    return at::where(kit::per_row(radius.le(threat.epsilon), x), project(point, x, threat), point);
  }

  // bool [rows]: whose prediction is another than the label. Of equal answers the first one counts, as
  // it does where the attack is judged: rounded answers are equal more often than not.
  static Tensor is_fooled(Target& target, const kit::ActiveRows& active, const Tensor& points) {
    const Tensor logits = target.logits(points, active.rows());
    if (target.is_deterministic()) return logits.argmax(1).ne(active.y());
    const Tensor none = at::zeros({points.size(0)}, logits.options().dtype(at::kDouble));
    return kit::judged_margins(target, points, active.rows(), logits, active.y(), none) > 0;
  }

  static Tensor is_done(const kit::ActiveRows& active, const Threat& threat, const State& s) {
    const Tensor inside = s.is_found.logical_and(s.radius.le(threat.epsilon));
    return active.fooling_ends() ? inside : at::zeros_like(inside);
  }

  // What the rows have found goes into the result: points inside the ball as they are, others on its
  // surface. Where a point that just fools need not do so when it is judged (others of the batch move, another
  // network answers, another draw), all go to the surface that still fool there.
  static void keep(Target& target,
                   const kit::ActiveRows& active,
                   const Threat& threat,
                   const State& s,
                   Tensor& result) {
    if (active.empty()) return;
    const Tensor& x = active.x();
    const Tensor surface = on_ray(x, s.sign, at::full_like(s.radius, threat.epsilon), threat);
    Tensor inside = s.is_found.logical_and(s.radius.le(threat.epsilon));
    if (!target.is_batch_independent() || !active.fooling_ends()) {
      inside = inside.logical_and(is_fooled(target, active, surface).logical_not());
    }
    Tensor point = at::where(kit::per_row(inside, x), on_ray(x, s.sign, s.radius, threat), surface);
    point = at::where(kit::per_row(s.is_found, x), point, x);
    result.index_copy_(0, active.rows(), point);
  }

  std::int64_t queries_;
  double tolerance_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Rays)
