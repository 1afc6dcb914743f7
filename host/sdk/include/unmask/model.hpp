#pragma once
// A classifier. It maps images in [0, 1] to logits; normalisation, when there is any, is part of
// it, so that attacks live in pixel space. For networks built from torch::nn modules use
// unmask/module_model.hpp.

#include <cstdint>
#include <memory>
#include <vector>

#include "unmask/export.hpp"
#include "unmask/params.hpp"
#include "unmask/tensor.hpp"
#include "unmask/vector_field.hpp"

namespace unmask {
inline namespace v1 {

/// What a model is built for; known from the data set.
struct ModelContext {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t num_classes = 0;
};

/// Base of every model plugin. A plugin's class is constructible from (const Params&, const
/// ModelContext&); while it is constructed, LibTorch's default CPU generator holds the seed of the
/// cell's purpose "init", so torch::nn's initialisers are deterministic.
class UNMASK_API Model {
 public:
  Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;
  virtual ~Model();

  /// Logits of a batch.
  /// @param x    [B, C, H, W], values in [0, 1], dtype and device of the parameters
  /// @param ode  solves ODE blocks; unused by a model that has none
  /// @return     [B, num_classes], attached to the graph where x or the parameters require a
  /// gradient
  virtual Tensor forward(const Tensor& x, OdeContext& ode) = 0;

  /// Trainable tensors, in a fixed order, by their names in a checkpoint. The tensors are the
  /// model's own: an optimiser changes them in place.
  virtual std::vector<NamedTensor> parameters() = 0;

  /// Tensors that are part of a checkpoint but not trained (running statistics).
  virtual std::vector<NamedTensor> buffers() = 0;

  /// Switch normalisation and the like between training and evaluation.
  virtual void set_training(bool training) = 0;

  /// Move parameters and buffers.
  /// @param device  as LibTorch writes it: "cpu", "cuda:0"
  /// @param dtype   at::kFloat or at::kDouble
  virtual void to(const std::string& device, at::ScalarType dtype) = 0;
};

}  // namespace v1
}  // namespace unmask
