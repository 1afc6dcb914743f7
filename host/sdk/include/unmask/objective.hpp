#pragma once
// A training objective: the loss of a batch. The host owns optimiser, schedule, epochs and
// checkpoints.

#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/random.hpp"
#include "unmask/target.hpp"
#include "unmask/tensor.hpp"

namespace unmask {
inline namespace v1 {

/// The network in the middle of a training step.
class UNMASK_API TrainingStep {
 public:
  TrainingStep() = default;
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;
  virtual ~TrainingStep();

  /// Logits in training mode under the training solver, attached to the parameters.
  virtual Tensor logits(const Tensor& x) = 0;

  /// The network as an attack sees it: weights frozen, evaluation mode, same solver. For inner
  /// attacks.
  virtual Target& target() = 0;

  /// Random numbers for this step's samples.
  virtual SampleRandom& random() = 0;
};

/// Base of every objective plugin. The class is constructible from (const Params&).
class UNMASK_API Objective {
 public:
  Objective() = default;
  Objective(const Objective&) = delete;
  Objective& operator=(const Objective&) = delete;
  virtual ~Objective();

  /// Scalar loss to be minimised, mean over the batch, attached to the parameters.
  virtual Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) = 0;
};

}  // namespace v1
}  // namespace unmask
