#pragma once
// What makes a verdict doubtful, measured in every attack cell and stored with it: answers that
// are random or probabilities, batches that leak, gradients that are missing. docs/attacks.md says
// what each metric means. None of it can take a verdict away.

#include <array>
#include <cstdint>
#include <vector>

#include "engine/gradient_check.hpp"
#include "unmask/attack.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// What a network's answers for a batch say about its verdicts: check.randomised,
/// check.softmax_output, check.one_hot_output, check.batch_dependence.
struct AnswerCheck {
  std::vector<wire::Metric> metrics;  ///< NaN with a reason where a pass failed
  bool is_deterministic = true;       ///< passes of the same images agree, or could not be made
  bool is_batch_coupled = false;  ///< alone, images get other answers than in their batch; told of
                                  ///< networks that are not random
};

/// Never throws for what a pass does: a check that fails leaves the verdict alone.
/// @param target  counts the passes
/// @param batch   the first canonical batch
AnswerCheck check_answers(Target& target, const Tensor& batch);

/// What the gradients of a part's batches were, for check.zero_gradient and
/// check.gradient_not_finite.
/// @param is_attacked  bool [B], the rows that there is something to fool about
/// @param sums         see wire::CellPart::gradients
void add_gradients(const GradientCheck& batch,
                   const Tensor& is_attacked,
                   std::array<std::int64_t, 3>& sums);

/// The notes of an attack on a batch: stored for each sample.
void add_notes(const std::vector<AttackNote>& notes,
               const std::vector<std::int64_t>& samples,
               wire::CellResult& result);

}  // namespace unmask::engine
