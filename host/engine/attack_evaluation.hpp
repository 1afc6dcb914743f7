#pragma once
// Executes an attack cell on a trained network, or a part of it.

#include <cstdint>
#include <memory>

#include "engine/evaluation_input.hpp"
#include "engine/training.hpp"
#include "unmask/attack.hpp"
#include "wire/part.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Attacks samples of the test split, unit by unit (whole canonical batches and whole batches of
/// the attack), and judges the outcome.
///
/// The verdict never comes from the attack: the host scores every x_adv again with the evaluation
/// solver in the canonical batches (consecutive samples), after putting back the clean image where
/// the sample was misclassified anyway or where x_adv leaves the ball (epsilon (1 + 1e-6) + 1e-7)
/// or the box. On a target whose samples do not hang together only correctly classified ones are
/// attacked.
///
/// A sample on which a solve fails is undecided, and no other one is for its sake where samples do
/// not hang together: the attack then runs again on parts of its batch.
///
/// With a source the attack sees that network alone. It is told so, and does not stop when the
/// source is fooled, but goes on for the largest margin: a point that barely fools one network
/// rarely fools another.
///
///   AttackEvaluation evaluation(input, attack, 0);
///   while (!evaluation.is_done()) evaluation.step(progress);
///   const wire::CellResult result = wire::put_together({evaluation.part()});
///
/// Nothing of a unit depends on another one, but on what the first canonical batch says of the
/// network, which every part finds out for itself. So on the CPU the result is bit-identical
/// however a cell is divided.
class AttackEvaluation {
 public:
  /// Both are kept by reference.
  /// @param first  sample where a unit begins
  AttackEvaluation(const EvaluationInput& input, Attack& attack, std::int64_t first);
  ~AttackEvaluation();

  /// True when every unit that begins at `first` or behind it has been attacked.
  bool is_done() const;
  /// The first sample behind those attacked so far.
  std::int64_t next() const;
  /// Samples of the cell.
  std::int64_t total() const;

  /// The next unit: predict its clean images, attack its batches, judge.
  /// @param progress  told after each batch of the attack
  void step(const ProgressCallback& progress);

  /// What was done so far; at least one unit.
  wire::CellPart part() const;

  /// The judged images of it [n, C, H, W], on the device of the evaluation. Only kept on request.
  Tensor judged() const;
  void keep_judged();

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace unmask::engine
