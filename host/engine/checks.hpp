#pragma once
// What makes a verdict doubtful, measured in every attack cell and stored with it: answers that
// are random or probabilities, batches that leak, gradients that are missing. docs/attacks.md says
// what each metric means. None of it can take a verdict away.

#include <cstdint>
#include <string>
#include <utility>
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

/// check.zero_gradient and check.gradient_not_finite over all batches of an attack.
class GradientShares {
 public:
  /// @param is_attacked  bool [B], the rows that there is something to fool about
  void add(const GradientCheck& batch, const Tensor& is_attacked);
  void finish(wire::CellResult& result) const;

  /// All of it, for restore() of another one.
  nlohmann::json state() const { return {asked_, zero_, not_finite_}; }
  void restore(const nlohmann::json& state);

 private:
  std::int64_t asked_ = 0;
  std::int64_t zero_ = 0;
  std::int64_t not_finite_ = 0;
};

/// The notes of an attack: stored for each sample, and as <note>.mean over the attacked ones whose
/// number is finite.
class NoteBook {
 public:
  /// @param is_attacked  one entry for each of `samples`
  void add(const std::vector<AttackNote>& notes,
           const std::vector<std::int64_t>& samples,
           const std::vector<bool>& is_attacked,
           wire::CellResult& result);
  void finish(wire::CellResult& result) const;

  /// All of it, for restore() of another one.
  nlohmann::json state() const;
  void restore(const nlohmann::json& state);

 private:
  struct Sum {
    std::string name;
    double sum = 0;
    std::int64_t count = 0;
  };
  std::vector<Sum> sums_;  // few, in order of first appearance
};

}  // namespace unmask::engine
