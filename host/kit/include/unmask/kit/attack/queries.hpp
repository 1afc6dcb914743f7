#pragma once
// Ascent on margins whose gradients are estimated from answers: the loop that `nes` and `spsa`
// share.

#include <cstdint>
#include <vector>

#include <torch/types.h>

#include "unmask/kit/attack/active_rows.hpp"
#include "unmask/kit/attack/best_points.hpp"

namespace unmask::kit {

struct QueryAscent {
  std::int64_t steps;
  Tensor start;                 ///< [B, ...] in the ball
  std::vector<Tensor>& memory;  ///< what the direction remembers, like x; rows that leave take
                                ///< theirs along
};

/// Climb for all steps, or until everybody is fooled where that ends the search. Returns the points
/// of largest margin.
/// @param estimate  callable: (loss, point, rows, random) -> gradient like point, where loss maps
///                  points [rows, ...] to margins [rows], and random is this step's own
/// @param step      callable: (gradient) -> step like point; it keeps `memory`
template <class Estimate, class Step>
Tensor ascend_by_queries(Target& target,
                         const Tensor& x,
                         const Tensor& y,
                         const Threat& threat,
                         const SampleRandom& random,
                         const QueryAscent& ascent,
                         Estimate&& estimate,
                         Step&& step) {
  BestPoints best(target, x);
  ActiveRows active(target, x, y);
  Tensor point = ascent.start;
  Tensor fooled = at::zeros({x.size(0)}, y.options().dtype(at::kBool));
  const auto margin = [&](const Tensor& points) {
    return per_sample_loss(target.logits(points, active.rows()), active.y(), Loss::kMargin);
  };
  for (std::int64_t i = 0; i < ascent.steps; ++i) {
    const SampleRandom own = random.stream("step", static_cast<std::uint64_t>(i));
    const Tensor gradient = estimate(margin, point, active.rows(), own);
    const Tensor moved = project(point + step(gradient), active.x(), threat);
    // Where fooling ends the search a fooled sample stays where it is. Under a batch-coupled target
    // it remains part of every query, and moves again should the others' moves undo its success.
    point = active.fooling_ends() ? at::where(per_row(fooled, point), point, moved) : moved;
    fooled = best.offer(active.rows(), point, target.logits(point, active.rows()), active.y());
    std::vector<Tensor*> state = {&point, &fooled};
    for (Tensor& remembered : ascent.memory) state.push_back(&remembered);
    active.drop(fooled, state);
    if (active.empty()) break;
    if (active.fooling_ends() && fooled.all().item<bool>()) break;
  }
  return best.points();
}

}  // namespace unmask::kit
