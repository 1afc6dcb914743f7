#pragma once
// The one place where the SDK's headers meet LibTorch. Sources of plugins include <torch/types.h>
// or <torch/nn.h> for the operations they use.

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace unmask {
inline namespace v1 {

using Tensor = at::Tensor;

/// A tensor with its name in a checkpoint, e.g. "layer1.0.conv1.weight".
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace v1
}  // namespace unmask
