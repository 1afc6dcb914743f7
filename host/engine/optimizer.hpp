#pragma once
// LibTorch's optimisers behind one face: SGD with momentum, Adam, AdamW; gradient clipping; and
// their state as named tensors, so that a training can be continued.

#include <memory>
#include <vector>

#include "engine/training_options.hpp"
#include "unmask/tensor.hpp"

namespace torch::optim {
class Optimizer;
}

namespace unmask::engine {

class Optimizer {
 public:
  /// @param parameters  changed in place by step()
  Optimizer(const TrainingOptions& options, std::vector<NamedTensor> parameters);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  void set_learning_rate(double rate);

  /// Forget all gradients.
  void clear_gradients();

  /// Scale the gradient of all parameters together so that its Euclidean norm is at most
  /// `max_norm`: g <- g min(1, max_norm / (|g| + 1e-6)). Reads nothing from the device.
  void clip_gradients(double max_norm);

  /// One update. A parameter without a gradient stays as it is, and so does its state.
  void step();

  /// Moments and step counts, named "<parameter>/<state>". A parameter that was never updated has
  /// none. Tensors are the optimiser's own.
  std::vector<NamedTensor> state() const;

  /// Take over what state() of an equal optimiser gave; values are copied.
  /// @throws DataError when a name, shape or dtype does not fit
  void restore(const std::vector<NamedTensor>& state);

 private:
  OptimizerKind kind_;
  std::vector<NamedTensor> parameters_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
};

}  // namespace unmask::engine
