#pragma once
// Lists of tensors, as a network's weights are kept, compared and put back.

#include <vector>

#include "unmask/tensor.hpp"

namespace unmask::engine {

std::vector<Tensor> copies(const std::vector<NamedTensor>& tensors);

/// Values under the names of others; none when there are no values.
std::vector<NamedTensor> named_like(const std::vector<NamedTensor>& names,
                                    const std::vector<Tensor>& values);

/// The values of a snapshot's part for each of these tensors, where they are.
/// @throws DataError when the part holds other tensors
std::vector<Tensor> values_for(const std::vector<NamedTensor>& tensors,
                               const std::vector<NamedTensor>& part);

/// Write values into tensors in place, the first into the first.
void assign(const std::vector<NamedTensor>& tensors, const std::vector<Tensor>& values);

}  // namespace unmask::engine
