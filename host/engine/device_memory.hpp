#pragma once
// Memory of the GPU that a worker computes on. On the CPU there is nothing to say.

#include <cstdint>
#include <optional>
#include <string>

namespace unmask::engine {

/// Free memory of a GPU in bytes, this process having set it up, which takes part of it.
/// @param device  "cpu", "cuda:0"  @return nullopt on the CPU
std::optional<std::int64_t> free_device_bytes(const std::string& device);

/// Measures the most memory that LibTorch's allocator holds from its construction on: networks that
/// are loaded already included, what earlier cells left unused not.
class DevicePeak {
 public:
  explicit DevicePeak(std::string device);

  /// In bytes; nullopt on the CPU.
  std::optional<std::int64_t> bytes() const;

 private:
  std::string device_;
};

}  // namespace unmask::engine
