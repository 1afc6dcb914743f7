// Jumps of the loss along lines that its slope does not explain. See path_discontinuity.md.

#include <algorithm>
#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "unmask/kit/attack/directions.hpp"
#include "unmask/kit/attack/names.hpp"
#include "unmask/kit/probe/alone.hpp"
#include "unmask/kit/probe/ball_size.hpp"
#include "unmask/kit/probe/compare.hpp"
#include "unmask/kit/probe/rounding.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class PathDiscontinuity final : public Probe {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "jumps of the loss along lines that its slope does not explain",
        .source = "own; specified in path_discontinuity.md",
        .params = {kit::ball_norm(),
                   kit::ball_epsilon(),
                   integer("points", "segments of each line").by_default(20).at_least(1),
                   real("slack",
                        "how far a change may lie outside of what the slopes at both ends of "
                        "its segment give, as a share of the larger one")
                       .by_default(0.5)
                       .at_least(0),
                   choice("loss", {"margin", "ce"}, "loss that is followed").by_default("margin"),
                   integer("curves", "first samples of every batch whose losses are recorded")
                       .by_default(4)
                       .at_least(0)
                       .at_most(100)},
        .capabilities = {}};
  }

  explicit PathDiscontinuity(const Params& params)
      : ball_(params),
        segments_(params.get_integer("points")),
        slack_(params.get_real("slack")),
        loss_(kit::loss_of(params.get_text("loss"))),
        curves_(params.get_integer("curves")) {}

  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override {
    const Seen start = look(target, x, y);
    const Tensor uphill = kit::ascent_direction(start.slope, ball_.norm()) * ball_.epsilon();
    SampleRandom random = context.random.stream("line");
    const Tensor sideways = random.signs(x) * ball_.pixel_step(x, 1);
    const Line along = follow(target, y, start, uphill);
    for (std::int64_t i = 0; i < std::min(curves_, x.size(0)); ++i) {
      context.series.push_back({"path_loss", along.losses.select(0, i), i});
    }
    // Without a gradient there is no line to follow.
    const Tensor no_line = kit::has_entries(kit::rows_of_numbers(uphill)).logical_not();
    Tensor step_changes = along.step_changes.masked_fill(no_line, kit::kNotDefined);
    if (x.size(0) > 1 && target.is_batch_independent()) {
      // Only the sum over the batch is known: when it changes, nobody knows whose.
      step_changes = step_changes.masked_fill(step_changes > 0, kit::kNotDefined);
    }
    return {{"path_jumps", along.jumps.masked_fill(no_line, kit::kNotDefined)},
            {"step_changes", step_changes},
            {"random_line_jumps", follow(target, y, start, sideways).jumps}};
  }

 private:
  // All but points and slopes: float64 [B].
  struct Seen {
    Tensor point;
    Tensor loss;
    Tensor noise;  // what rounding makes of a difference of two such losses
    Tensor slope;  // the gradient, shape of the point
    Tensor steps;  // accepted steps of the pass; NaN where the target does not tell
  };
  struct Line {
    Tensor losses;        // [B, segments + 1]
    Tensor jumps;         // segments whose change is no mean of the slopes at their ends
    Tensor step_changes;  // segments with other steps at their ends
  };

  Seen look(Target& target, const Tensor& point, const Tensor& y) const {
    const auto* solver = dynamic_cast<const SolverSteps*>(&target);
    std::vector<double> steps;
    const LossGradient here = kit::own_gradients(target, point, y, loss_, [&] {
      steps.push_back(solver == nullptr ? kit::kNotDefined
                                        : static_cast<double>(solver->accepted_steps()));
    });
    const Tensor loss = kit::exact_losses(here.logits, y, loss_);
    const Tensor counted = at::tensor(steps, at::kDouble).to(loss.device()).expand_as(loss);
    return {point, loss, kit::loss_rounding(here.logits), here.gradient, counted};
  }

  // The line from `start` along `whole`; NaN where a loss, a slope or the steps are not known.
  Line follow(Target& target, const Tensor& y, const Seen& start, const Tensor& whole) const {
    Seen here = start;
    Line line{{}, at::zeros_like(start.loss), at::zeros_like(start.loss)};
    std::vector<Tensor> seen = {start.loss};
    for (std::int64_t k = 1; k <= segments_; ++k) {
      const double share = static_cast<double>(k) / static_cast<double>(segments_);
      const Seen next = look(target, (start.point + share * whole).clamp(0, 1), y);
      line.jumps += jump(here, next);
      const Tensor is_known = next.steps.isfinite();
      line.step_changes += kit::as_numbers(next.steps.ne(here.steps))
                               .masked_fill(is_known.logical_not(), kit::kNotDefined);
      seen.push_back(next.loss);
      here = next;
    }
    line.losses = at::stack(seen, 1);
    return line;
  }

  // 1 where the loss jumps between two points, else 0.
  Tensor jump(const Seen& here, const Seen& next) const {
    const Tensor moved = kit::rows_of_numbers(next.point) - kit::rows_of_numbers(here.point);
    const Tensor before = (kit::rows_of_numbers(here.slope) * moved).sum(1);
    const Tensor after = (kit::rows_of_numbers(next.slope) * moved).sum(1);
    const Tensor allowed = slack_ * at::maximum(before.abs(), after.abs()) +
                           kit::kAboveRounding * at::maximum(here.noise, next.noise);
    const Tensor change = next.loss - here.loss;
    const Tensor is_jump = change.gt(at::maximum(before, after) + allowed)
                               .logical_or(change.lt(at::minimum(before, after) - allowed));
    const Tensor is_known = (change + before + after).isfinite();
    return kit::as_numbers(is_jump).masked_fill(is_known.logical_not(), kit::kNotDefined);
  }

  kit::BallSize ball_;
  std::int64_t segments_;
  double slack_;
  Loss loss_;
  std::int64_t curves_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::PathDiscontinuity)
