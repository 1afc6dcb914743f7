// Carlini and Wagner's linf attack. See cw_linf.md.

#include <limits>

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/closest_points.hpp"
#include "unmask/kit/attack/cw.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class CwLinf final : public kit::BallAttack {
 public:
  static PluginInfo info() {
    return {
        .version = "1.2",
        .summary = "smallest linf perturbation by Adam under a shrinking bound",
        .source = "Carlini, Wagner 2017, arXiv 1608.04644",
        .params =
            {integer("steps", "Adam steps for each bound and weight").by_default(1000).at_least(1),
             real("learning_rate", "Adam's rate").by_default(0.005).above(0),
             real("adam_epsilon", "number that Adam adds to its divisor").by_default(1e-8).above(0),
             real("initial_c", "first weight of the margin").by_default(1e-5).above(0),
             real("max_c", "a sample is given up when its weight exceeds this")
                 .by_default(20.0)
                 .above(0),
             real("shrink", "the bound after a success, as a share of the one reached")
                 .by_default(0.9)
                 .above(0)
                 .below(1),
             real("min_bound", "the search ends when the bound is below this")
                 .by_default(1.0 / 256)
                 .above(0)
                 .unit("pixel range"),
             real("confidence", "margin that must be exceeded")
                 .by_default(0.0)
                 .at_least(0)
                 .unit("logits"),
             choice("success",
                    {"objective", "any"},
                    "when a run succeeds: fooled and the objective near zero, which ends it; or "
                    "fooled by any of its points, after all of its steps")
                 .by_default("objective"),
             boolean("abort_early", "end a run when the objective stalls").by_default(true),
             kit::minimise_option()},
        .capabilities = {"asks_outside_ball"}};
  }

  explicit CwLinf(const Params& params)
      : BallAttack("linf"),
        steps_(params.get_integer("steps")),
        rate_(params.get_real("learning_rate")),
        adam_epsilon_(params.get_real("adam_epsilon")),
        initial_c_(params.get_real("initial_c")),
        max_c_(params.get_real("max_c")),
        shrink_(params.get_real("shrink")),
        min_bound_(params.get_real("min_bound")),
        confidence_(params.get_real("confidence")),
        any_point_counts_(params.get_text("success") == "any"),
        abort_early_(params.get_boolean("abort_early")),
        minimise_(params.get_boolean("minimise")) {}

 private:
  // One entry per row of the whole batch.
  struct Book {
    Tensor bound;      // tau
    Tensor weight;     // c
    Tensor start;      // free variables of the last success, first those of the image
    Tensor succeeded;  // in this round
    Tensor reached;    // largest pixel change of that success; before it, infinite
  };

  Tensor search(Target& target,
                const Tensor& x,
                const Tensor& y,
                const Threat& threat,
                AttackContext&) override {
    kit::ClosestPoints closest(target, x, threat);
    kit::ActiveRows active(target, x, y);
    const auto options = x.options().dtype(at::kDouble);
    Book book;
    book.bound = at::full({x.size(0)}, threat.upper - threat.lower, options);
    book.weight = at::full_like(book.bound, initial_c_);
    book.start = kit::TanhBox(threat).free(x);
    for (;;) {
      book.succeeded = at::zeros_like(book.bound, options.dtype(at::kBool));
      book.reached = at::full_like(book.bound, std::numeric_limits<double>::infinity());
      run(target, active, book, threat, closest);
      // Success: a smaller bound. Failure: a larger weight.
      book.bound =
          at::where(book.succeeded, shrink_ * at::minimum(book.bound, book.reached), book.bound);
      book.weight = at::where(book.succeeded, book.weight, 2 * book.weight);
      Tensor done = book.bound.lt(min_bound_).logical_or(book.weight.gt(max_c_));
      done = done.index_select(0, active.rows());
      if (!minimise_) done = done.logical_or(closest.is_done(active.rows()));
      if (done.all().item<bool>()) break;
      active.drop(done, {});
    }
    return closest.result(y, minimise_);
  }

  // Adam on c max(confidence - margin, 0) + sum max(|d| - tau, 0), each row until it succeeds, that
  // is until the objective falls below a ten-thousandth of its weight; or, where any point counts,
  // to the last step, of whose fooling points the closest is taken.
  void run(Target& target,
           kit::ActiveRows rows,
           Book& book,
           const Threat& threat,
           kit::ClosestPoints& closest) const {
    const kit::TanhBox box(threat);
    Tensor free = book.start.index_select(0, rows.rows());
    Tensor bound = book.bound.index_select(0, rows.rows());
    Tensor c = book.weight.index_select(0, rows.rows());
    kit::Adam adam(free, adam_epsilon_);
    kit::StallDetector stalls(free, steps_);
    for (std::int64_t i = 0; i < steps_; ++i) {
      const Tensor point = box.pixels(free);
      const LossGradient here =
          target.loss_and_gradient(point, rows.y(), Loss::kMargin, rows.rows());
      const Tensor fooled = closest.offer(rows.rows(), point, here.logits, rows.y(), confidence_);

      const Tensor d = point - rows.x();
      const Tensor limit = kit::per_row(bound.to(d.scalar_type()), d);
      const Tensor excess = (d.abs() - limit).clamp_min(0);
      const Tensor lack = (confidence_ - here.loss.to(at::kDouble)).clamp_min(0);
      const Tensor objective = excess.flatten(1).to(at::kDouble).sum(1) + c * lack;
      // The first point is the last one of the run before.
      const Tensor success = any_point_counts_ ? (i > 0 ? fooled : at::zeros_like(fooled))
                                               : fooled.logical_and(objective.lt(1e-4 * c));
      note(book, rows.rows(), success, free, distance(point, rows.x(), Norm::kLinf));

      const Tensor pull = at::where(lack > 0, c, at::zeros_like(c)).to(d.scalar_type());
      const Tensor gradient =
          d.sign() * excess.gt(0) - kit::per_row(pull, d) * kit::finite_part(here.gradient);
      free = free + adam.step(gradient * box.slope(free), rate_);

      Tensor done =
          any_point_counts_ ? at::zeros_like(fooled) : book.succeeded.index_select(0, rows.rows());
      if (!minimise_) done = done.logical_or(closest.is_done(rows.rows()));
      if (abort_early_) done = done.logical_or(stalls.stalled(i, objective));
      if (done.all().item<bool>()) break;
      rows.drop(done, {&free, &bound, &c, &adam.mean, &adam.square, stalls.state()});
    }
  }

  // Enter the closest success of this round. (Where a success ends the run it is the only one.)
  static void note(Book& book,
                   const Tensor& rows,
                   const Tensor& success,
                   const Tensor& free,
                   const Tensor& reached) {
    const Tensor before = book.reached.index_select(0, rows);
    const Tensor closer = success.logical_and(reached < before);
    book.start.index_copy_(
        0, rows, at::where(kit::per_row(closer, free), free, book.start.index_select(0, rows)));
    book.reached.index_copy_(0, rows, at::where(closer, reached, before));
    book.succeeded.index_copy_(0, rows, book.succeeded.index_select(0, rows).logical_or(success));
  }

  std::int64_t steps_;
  double rate_;
  double adam_epsilon_;
  double initial_c_;
  double max_c_;
  double shrink_;
  double min_bound_;
  double confidence_;
  bool any_point_counts_;
  bool abort_early_;
  bool minimise_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::CwLinf)
