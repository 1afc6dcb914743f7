#pragma once
// Values of a tensor as the host's own containers.

#include <cstdint>
#include <vector>

#include "unmask/tensor.hpp"

namespace unmask::engine {

/// The values of an integer or boolean tensor of any shape and device, in row-major order.
inline std::vector<std::int64_t> to_vector(const Tensor& values) {
  const Tensor on_cpu = values.to(at::kCPU, at::kLong).contiguous();
  return {on_cpu.data_ptr<std::int64_t>(), on_cpu.data_ptr<std::int64_t>() + on_cpu.numel()};
}

/// The values of a tensor of real numbers, likewise.
inline std::vector<double> to_doubles(const Tensor& values) {
  const Tensor on_cpu = values.to(at::kCPU, at::kDouble).contiguous();
  return {on_cpu.data_ptr<double>(), on_cpu.data_ptr<double>() + on_cpu.numel()};
}

/// Those of a boolean tensor.
inline std::vector<bool> to_flags(const Tensor& values) {
  const std::vector<std::int64_t> numbers = to_vector(values);
  return {numbers.begin(), numbers.end()};
}

}  // namespace unmask::engine
