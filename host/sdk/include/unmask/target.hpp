#pragma once
// The classifier that attacks and probes ask: answers and gradients, the solver hidden.

#include <cstdint>

#include "unmask/export.hpp"
#include "unmask/loss.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// Result of differentiating the sum over the samples of a loss. Logits and losses are the model's
/// own answers (evaluation solver), so an iterate may be judged by them; only the gradient comes
/// from the gradient solver.
struct LossGradient {
  Tensor logits;    ///< [B, K]
  Tensor loss;      ///< [B]; [B, M] for M losses
  Tensor gradient;  ///< shape of x: d(sum of losses)/dx. Under batch-coupled step control row i
                    ///< also holds what the other rows' losses contribute through the shared step
                    ///< size. For M losses [M, B, ...], one such gradient for each.
};

/// A classifier as attacks and probes see it: weights frozen, evaluation mode, solver hidden.
/// Answers come from the evaluation solver, gradients from a gradient solver. Everything is
/// counted.
class UNMASK_API Target {
 public:
  Target() = default;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  virtual ~Target();

  /// Logits [B, K] of the evaluation solver, without a graph.
  /// @param x     [B, C, H, W] in the box
  /// @param rows  int64 [B]: which rows of the batch handed to the attack these are; undefined:
  ///              all, in order. Queries are counted per sample through it.
  Tensor logits(const Tensor& x, const Tensor& rows = {});

  /// Losses under the evaluation solver, their input gradient through the gradient solver.
  /// @param y  int64 [B]
  LossGradient loss_and_gradient(const Tensor& x,
                                 const Tensor& y,
                                 Loss loss,
                                 const Tensor& rows = {});

  /// The same for a loss with target classes.
  /// @param targets  int64 [B], other classes than y; undefined where the loss has no target
  LossGradient loss_and_gradient(
      const Tensor& x, const Tensor& y, const Tensor& targets, Loss loss, const Tensor& rows = {});

  /// The same for any function of the logits. M losses of each sample cost one forward pass and M
  /// backward passes.
  LossGradient loss_and_gradient(const Tensor& x,
                                 const LossFunction& loss,
                                 const Tensor& rows = {});

  virtual std::int64_t num_classes() const = 0;

  /// True when the logits of a sample do not depend on its batch-mates, and an answer that is wrong
  /// settles the sample. Only then may an attack pass a part of its batch: otherwise (a batch that
  /// is coupled, a stand-in, a network that is random) it must always pass all rows.
  virtual bool is_batch_independent() const = 0;

  /// False when two passes of the same image differ: the network draws random numbers. One answer
  /// is then one draw, and a sample counts as fooled by an average over draws only. The host finds
  /// out before the first batch.
  virtual bool is_deterministic() const { return true; }

  /// True when images are judged on another network than this one: fooling this one ends nothing,
  /// an attack goes on for the largest margin.
  virtual bool is_stand_in() const { return false; }

 protected:
  virtual Tensor do_logits(const Tensor& x, const Tensor& rows) = 0;
  virtual LossGradient do_loss_and_gradient(const Tensor& x,
                                            const LossFunction& loss,
                                            const Tensor& rows) = 0;
};

/// What a target whose network solves differential equations may tell besides its answers. It derives
/// from this, too: `dynamic_cast<const SolverSteps*>(&target)`, null where nothing is told.
class UNMASK_API SolverSteps {
 public:
  SolverSteps() = default;
  SolverSteps(const SolverSteps&) = delete;
  SolverSteps& operator=(const SolverSteps&) = delete;
  virtual ~SolverSteps();

  /// Accepted steps of the last forward pass, all of its solves together; summed over the samples
  /// where each has steps of its own. 0: the pass solved nothing.
  virtual std::int64_t accepted_steps() const = 0;
};

}  // namespace v1
}  // namespace unmask
