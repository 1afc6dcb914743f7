#pragma once
// Random networks: gradients averaged over draws, and points judged by fresh ones.

#include <cstdint>

#include <torch/types.h>

#include "unmask/attack.hpp"

namespace unmask::kit {

/// Whether a sample is done once the target misclassifies it. Not on a stand-in, which another
/// network judges in the end, and not on a random network, which may answer otherwise the next
/// time: there an attack spends its budget on the largest margin.
inline bool fooling_ends(const Target& target) {
  return target.is_deterministic() && !target.is_stand_in();
}

/// Fresh answers whose mean judges a point of a random network: the deviation of that mean is a
/// third of one answer's.
inline constexpr std::int64_t kJudgingDraws = 10;

/// The mean margin over `draws` answers, float64 [rows].
inline Tensor mean_margin(Target& target,
                          const Tensor& points,
                          const Tensor& rows,
                          const Tensor& labels,
                          std::int64_t draws) {
  Tensor sum;
  for (std::int64_t i = 0; i < draws; ++i) {
    const Tensor margin =
        per_sample_loss(target.logits(points, rows), labels, Loss::kMargin).to(at::kDouble);
    sum = sum.defined() ? sum + margin : margin;
  }
  return sum / static_cast<double>(draws);
}

/// The margins by which points are compared with what is known, float64 [rows]: those of their
/// answers. On a random network the answers by which a point stands out flatter it - the best of
/// many draws is the luckiest - so where they exceed `known`, the mean of fresh ones takes their
/// place. It costs kJudgingDraws answers when any row does.
/// @param logits  answers for `points`, [rows, K]
/// @param known   float64 [rows]
inline Tensor judged_margins(Target& target,
                             const Tensor& points,
                             const Tensor& rows,
                             const Tensor& logits,
                             const Tensor& labels,
                             const Tensor& known) {
  const Tensor margins = per_sample_loss(logits, labels, Loss::kMargin).to(at::kDouble);
  if (target.is_deterministic()) return margins;
  const Tensor promising = margins > known;
  if (!promising.any().item<bool>()) return margins;
  return at::where(promising, mean_margin(target, points, rows, labels, kJudgingDraws), margins);
}

/// Loss and gradient averaged over `draws` calls: the expectation over a random network
/// [Athalye18]. One draw is the call itself.
template <class Call>
LossGradient averaged(std::int64_t draws, Call&& call) {
  LossGradient sum = call();
  if (draws == 1) return sum;
  for (std::int64_t i = 1; i < draws; ++i) {
    const LossGradient next = call();
    sum.logits = sum.logits + next.logits;
    sum.loss = sum.loss + next.loss;
    sum.gradient = sum.gradient + next.gradient;
  }
  const auto count = static_cast<double>(draws);
  return {sum.logits / count, sum.loss / count, sum.gradient / count};
}

}  // namespace unmask::kit
