#include "engine/device_memory.hpp"

#include <utility>

#include <c10/core/Device.h>

#if UNMASK_WITH_CUDA
#include <cstddef>

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <torch/types.h>
#endif

namespace unmask::engine {

#if UNMASK_WITH_CUDA
namespace {

// Of allocations of all sizes.
constexpr std::size_t kAll = 0;

// The first tensor of a process makes the context and the allocator of its device.
void set_up(const c10::Device& device) {
  torch::zeros({1}, torch::TensorOptions().device(device));
}

}  // namespace

std::optional<std::int64_t> free_device_bytes(const std::string& device) {
  const c10::Device where(device);
  if (!where.is_cuda()) return std::nullopt;
  set_up(where);
  const c10::cuda::CUDAGuard guard(where);
  std::size_t unused = 0;
  std::size_t all = 0;
  C10_CUDA_CHECK(cudaMemGetInfo(&unused, &all));
  return static_cast<std::int64_t>(unused);
}

DevicePeak::DevicePeak(std::string device) : device_(std::move(device)) {
  const c10::Device where(device_);
  if (!where.is_cuda()) return;
  set_up(where);
  c10::cuda::CUDACachingAllocator::emptyCache();
  c10::cuda::CUDACachingAllocator::resetPeakStats(where.index());
}

std::optional<std::int64_t> DevicePeak::bytes() const {
  const c10::Device where(device_);
  if (!where.is_cuda()) return std::nullopt;
  return c10::cuda::CUDACachingAllocator::getDeviceStats(where.index()).reserved_bytes[kAll].peak;
}
#else
std::optional<std::int64_t> free_device_bytes(const std::string&) {
  return std::nullopt;
}

DevicePeak::DevicePeak(std::string device) : device_(std::move(device)) {}

std::optional<std::int64_t> DevicePeak::bytes() const {
  return std::nullopt;
}
#endif

}  // namespace unmask::engine
