#pragma once
// Finds numbers that are not finite, and says where they are.

#include <optional>
#include <string>
#include <vector>

#include "unmask/tensor.hpp"

namespace unmask::engine {

/// "nan at [0, 3]": the first entry that is not finite; nullopt: there is none.
std::optional<std::string> first_not_finite(const Tensor& values);

/// "its tensor "conv1.weight" holds inf at [0, 3]"; nullopt: all are finite.
std::optional<std::string> first_not_finite(const std::vector<NamedTensor>& tensors);

}  // namespace unmask::engine
