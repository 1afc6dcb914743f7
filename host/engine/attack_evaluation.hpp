#pragma once
// Executes an attack cell on a trained network, batch by batch: what is done can be saved after
// every step, and gone on with in another object.

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/evaluation_input.hpp"
#include "engine/training.hpp"
#include "unmask/attack.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Attacks the first samples of the test split and judges the outcome.
///
/// The verdict never comes from the attack: the host scores every x_adv again with the evaluation
/// solver in the canonical batches (consecutive samples), after putting back the clean image where
/// the sample was misclassified anyway or where x_adv leaves the ball (epsilon (1 + 1e-6) + 1e-7)
/// or the box. On a target whose samples do not hang together only correctly classified ones are
/// attacked.
///
/// A sample on which a solve fails is undecided, and no other one is for its sake where samples do
/// not hang together: the attack then runs again on parts of its batch. When nothing can be decided
/// at all the cell fails with the first reason.
///
/// With a source the attack sees that network alone. It is told so, and does not stop when the
/// source is fooled, but goes on for the largest margin: a point that barely fools one network
/// rarely fools another.
///
///   AttackEvaluation evaluation(input, attack);
///   while (!evaluation.is_done()) evaluation.step();
///   const Tensor judged = evaluation.finish(result);
///
/// On the CPU the result is bit-identical wherever it was saved and restored in between.
class AttackEvaluation {
 public:
  /// All that steps have found out.
  struct State {
    nlohmann::json numbers;
    std::vector<NamedTensor> tensors;
  };

  /// Both are kept by reference.
  AttackEvaluation(const EvaluationInput& input, Attack& attack);
  ~AttackEvaluation();

  /// True when every batch has been attacked.
  bool is_done() const;
  /// Samples attacked so far.
  std::int64_t done() const;

  /// The first step predicts the clean images and measures the checks; each later one attacks a
  /// batch.
  /// @throws NumericError when no sample has a clean prediction
  void step();

  State state() const;
  /// Go on from the state of an evaluation with the same input and attack.
  void restore(const State& state);

  /// Judge, once all is done.
  /// @return the judged images [N, C, H, W], on the device of the evaluation
  /// @throws NumericError when no attacked sample could be decided
  Tensor finish(wire::CellResult& result);

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

/// All steps of it.
Tensor evaluate_attack(const EvaluationInput& input,
                       Attack& attack,
                       wire::CellResult& result,
                       const ProgressCallback& progress);

}  // namespace unmask::engine
