#pragma once
// An attack, and the target that is all it can see of a model.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/random.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

enum class Norm { kLinf, kL2, kL1 };

/// What the adversary may do: move x by at most epsilon in a norm, inside the box [lower, upper].
struct Threat {
  Norm norm = Norm::kLinf;
  double epsilon = 0;  ///< pixel range [0, 1]
  double lower = 0;
  double upper = 1;
};

/// Per-sample losses that an attack *increases*. z_(1) >= z_(2) >= ... are the sorted logits, y is
/// the true label, t the target class.
enum class Loss {
  kCrossEntropy,  ///< -log softmax(z)_y
  kMargin,        ///< max_{i != y} z_i - z_y; positive exactly when the sample is fooled
  kDlr,  ///< (max_{i != y} z_i - z_y) / (z_(1) - z_(3)): the margin, free of the logits' scale and
         ///< offset; in [-1, 0] where y is on top. Needs 3 classes. [CH20a]
  kTargetedCrossEntropy,  ///< log softmax(z)_t
  kTargetedMargin,        ///< z_t - z_y
  kTargetedDlr,           ///< (z_t - z_y) / (z_(1) - (z_(3) + z_(4)) / 2). Needs 4 classes. [CH20a]
};

/// Whether a loss needs a target class.
UNMASK_API bool is_targeted(Loss loss);

/// Losses as a function of logits [B, K]: [B], or [B, M] for M losses of each sample at once; row i
/// depends on row i of the logits alone. Differentiable. It may be called more than once.
using LossFunction = std::function<Tensor(const Tensor& logits)>;

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

/// The attacked classifier: weights frozen, evaluation mode, solver hidden. Answers come from the
/// evaluation solver, gradients from the gradient solver of the cell. Everything is counted.
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

  /// True when the logits of a sample do not depend on its batch-mates. Only then may an attack
  /// pass a part of its batch: under a batch-coupled target it must always pass all rows.
  virtual bool is_batch_independent() const = 0;

 protected:
  virtual Tensor do_logits(const Tensor& x, const Tensor& rows) = 0;
  virtual LossGradient do_loss_and_gradient(const Tensor& x,
                                            const LossFunction& loss,
                                            const Tensor& rows) = 0;
};

/// Per-sample loss [B] of logits [B, K] for labels [B]; differentiable.
/// @throws ParamError when the loss needs more classes than there are, or a target
UNMASK_API Tensor per_sample_loss(const Tensor& logits, const Tensor& labels, Loss loss);

/// The same for a loss with target classes [B]; `targets` may be undefined where it has none.
UNMASK_API Tensor per_sample_loss(const Tensor& logits,
                                  const Tensor& labels,
                                  const Tensor& targets,
                                  Loss loss);

/// One number for each sample of a batch that an attack wants recorded besides its points.
struct AttackNote {
  std::string name;  ///< lower snake case, parts joined by dots
  Tensor values;     ///< [B], any type that converts to double
};

/// What an attack gets besides its target.
struct AttackContext {
  SampleRandom random;                 ///< seeded for this cell and these samples
  std::vector<AttackNote> notes = {};  ///< filled by the attack
};

/// Base of every attack plugin. The class is constructible from (const Params&) and declares the
/// norm it works in.
class UNMASK_API Attack {
 public:
  Attack() = default;
  Attack(const Attack&) = delete;
  Attack& operator=(const Attack&) = delete;
  virtual ~Attack();

  /// The norm of the ball this instance stays in.
  virtual Norm norm() const = 0;

  /// Adversarial candidates for a batch. The host re-scores them, so this only has to be good,
  /// never to judge: an x_adv outside the ball or the box, or not misclassified, counts as not
  /// fooled.
  /// @param x  [B, C, H, W] in the box, all correctly classified at the canonical batch when the
  ///           target is batch-independent; otherwise the whole canonical batch, misclassified
  ///           rows included
  /// @param y  int64 [B], true labels
  /// @return   shape, dtype and device of x
  virtual Tensor perturb(Target& target,
                         const Tensor& x,
                         const Tensor& y,
                         const Threat& threat,
                         AttackContext& context) = 0;
};

/// Nearest point to `x_adv` in the intersection of the box and the ball around x (exact for linf
/// and l1; for l2 the ball first, then the box, which keeps both). The ball is shrunk by one part
/// in 10^7 and rounding goes towards x, so that float32 cannot leave it. Shape, dtype and device of
/// x; x lies in the box.
UNMASK_API Tensor project(const Tensor& x_adv, const Tensor& x, const Threat& threat);

/// ||x_adv - x|| per sample, [B], float64, in the norm.
UNMASK_API Tensor distance(const Tensor& x_adv, const Tensor& x, Norm norm);

}  // namespace v1
}  // namespace unmask
