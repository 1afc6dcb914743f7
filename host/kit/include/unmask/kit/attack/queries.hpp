#pragma once
// Ascent on margins whose gradients are estimated from answers: the loop that `nes` and `spsa`
// share.

#include <cstdint>
#include <vector>

#include "unmask/kit/attack/tools.hpp"

namespace unmask::kit {

/// Climb until everybody is fooled or `steps` steps are made. Returns the points of largest margin.
/// @param memory    what the direction remembers, tensors like x; rows that leave take theirs along
/// @param estimate  callable: (loss, point, rows) -> gradient like point, where loss maps points
///                  [rows, ...] to margins [rows]
/// @param step      callable: (gradient) -> step like point; it keeps `memory`
template <class Estimate, class Step>
Tensor ascend_by_queries(Target& target,
                         const Tensor& x,
                         const Tensor& y,
                         const Threat& threat,
                         std::int64_t steps,
                         std::vector<Tensor>& memory,
                         Estimate&& estimate,
                         Step&& step) {
  BestPoints best(x);
  ActiveRows active(target, x, y);
  Tensor point = x;
  Tensor fooled = at::zeros({x.size(0)}, y.options().dtype(at::kBool));
  const auto margin = [&](const Tensor& points) {
    return per_sample_loss(target.logits(points, active.rows()), active.y(), Loss::kMargin);
  };
  for (std::int64_t i = 0; i < steps; ++i) {
    const Tensor moved =
        project(point + step(estimate(margin, point, active.rows())), active.x(), threat);
    // A sample that fools the model stays where it is. Under a batch-coupled target it remains part
    // of every query, and moves again should the others' moves undo its success.
    point = at::where(per_row(fooled, point), point, moved);
    fooled = best.offer(active.rows(), point, target.logits(point, active.rows()), active.y());
    std::vector<Tensor*> state = {&point, &fooled};
    for (Tensor& remembered : memory) state.push_back(&remembered);
    active.drop(fooled, state);
    if (active.empty() || fooled.all().item<bool>()) break;
  }
  return best.points();
}

}  // namespace unmask::kit
