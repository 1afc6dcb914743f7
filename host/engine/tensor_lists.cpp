#include "engine/tensor_lists.hpp"

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask::engine {

std::vector<Tensor> copies(const std::vector<NamedTensor>& tensors) {
  std::vector<Tensor> result;
  for (const NamedTensor& item : tensors) result.push_back(item.tensor.detach().clone());
  return result;
}

std::vector<NamedTensor> named_like(const std::vector<NamedTensor>& names,
                                    const std::vector<Tensor>& values) {
  std::vector<NamedTensor> result;
  for (std::size_t i = 0; i < values.size(); ++i) result.push_back({names[i].name, values[i]});
  return result;
}

std::vector<Tensor> values_for(const std::vector<NamedTensor>& tensors,
                               const std::vector<NamedTensor>& part) {
  if (part.size() != tensors.size()) throw DataError("it holds other tensors than the network");
  std::vector<Tensor> values;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& own = tensors[i].tensor;
    const Tensor& value = part[i].tensor;
    if (part[i].name != tensors[i].name || value.sizes() != own.sizes() ||
        value.scalar_type() != own.scalar_type()) {
      throw DataError("its tensor \"" + part[i].name + "\" is not the network's");
    }
    values.push_back(value.to(own.device()));
  }
  return values;
}

void assign(const std::vector<NamedTensor>& tensors, const std::vector<Tensor>& values) {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < values.size(); ++i) tensors[i].tensor.detach().copy_(values[i]);
}

}  // namespace unmask::engine
