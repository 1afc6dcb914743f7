#pragma once
// What attacks share that walk along the boundary, among wrong points, in long steps.

#include <cmath>
#include <cstdint>

#include <torch/types.h>

#include "unmask/kit/attack/ball_attack.hpp"
#include "unmask/kit/attack/decision.hpp"
#include "unmask/kit/attack/directions.hpp"

namespace unmask::kit {

/// As long a step as stays wrong: halved until it does, at most 40 times; a row that finds none stays
/// where it is. One answer a row and try.
/// @param point       [active rows, ...]: wrong points
/// @param ascent      likewise: directions
/// @param first_step  float64 [active rows]: the longest step, in units of `ascent`
/// @return            likewise: wrong points, in the box
inline Tensor jump(DecisionSearch& decisions,
                   const ActiveRows& active,
                   const Tensor& point,
                   const Tensor& ascent,
                   const Tensor& first_step,
                   const Threat& threat) {
  constexpr std::int64_t kHalvings = 40;
  Tensor result = point;
  Tensor step = first_step;
  Tensor open = at::arange(point.size(0), active.rows().options());
  for (std::int64_t i = 0; i < kHalvings && open.size(0) > 0; ++i) {
    // Rows that still look for their step; all of them where they must stay together.
    const Tensor asked =
        active.can_drop() ? open : at::arange(point.size(0), active.rows().options());
    const Tensor length = step.index_select(0, asked).to(point.scalar_type());
    const Tensor from = point.index_select(0, asked);
    const Tensor candidate = (from + per_row(length, from) * ascent.index_select(0, asked))
                                 .clamp(threat.lower, threat.upper);
    Tensor fooled = at::zeros({point.size(0)}, active.y().options().dtype(at::kBool));
    fooled.index_copy_(
        0, asked, decisions.is_fooled(candidate, active.rows().index_select(0, asked)));
    Tensor candidates = result.clone();
    candidates.index_copy_(0, asked, candidate);
    Tensor is_open = at::zeros_like(fooled);
    is_open.index_fill_(0, open, 1);
    const Tensor lands = fooled.logical_and(is_open);
    result = at::where(per_row(lands, result), candidates, result);
    step = step / 2;
    open = at::nonzero(is_open.logical_and(lands.logical_not())).squeeze(1);
  }
  return result;
}

/// Frame of an attack that walks along the boundary: it declares `norm`, `steps`, draws_option() and
/// minimise_option().
class BoundaryWalk : public BallAttack {
 protected:
  explicit BoundaryWalk(const Params& params)
      : BallAttack(params.get_text("norm")),
        steps_(params.get_integer("steps")),
        draws_(params.get_integer("draws")),
        minimise_(params.get_boolean("minimise")) {}

  std::int64_t steps() const { return steps_; }
  std::int64_t draws() const { return draws_; }
  bool minimise() const { return minimise_; }

  /// Let those rows go that have no wrong point to start from, or are done.
  /// @param point      [active rows, ...], cut likewise
  /// @param has_start  bool [active rows], cut likewise
  /// @return           true when nobody is left who can get on
  bool leave(DecisionSearch& decisions,
             ActiveRows& active,
             Tensor& point,
             Tensor& has_start) const {
    Tensor done = has_start.logical_not();
    if (!minimise_) done = done.logical_or(decisions.closest().is_done(active.rows()));
    if (done.all().item<bool>()) return true;
    active.drop(done, {&point, &has_start});
    return false;
  }

  /// How far the first try of jump() reaches at step t = 1, 2, ... of the walk, as published: the
  /// distance from the image over the root of t; float64 [active rows].
  Tensor reach(const Tensor& point, const ActiveRows& active, std::int64_t t) const {
    return distance(point, active.x(), norm()) / std::sqrt(static_cast<double>(t));
  }

 private:
  std::int64_t steps_;
  std::int64_t draws_;
  bool minimise_;
};

}  // namespace unmask::kit
