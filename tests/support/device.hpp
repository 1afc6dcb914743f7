#pragma once
// Where tests against recorded numbers compute: on the CPU, or on the device that the variable
// UNMASK_TEST_DEVICE names ("cuda:0"). scripts/gpu/golden.sh runs them there.

#include <cstdlib>
#include <string>

#include <torch/types.h>
#include <torch/utils.h>

namespace unmask::test {

/// The device, with kernels as a worker wants them: the same in every run, and float32 products of
/// float32 numbers.
inline const torch::Device& device() {
  static const torch::Device instance = [] {
    const char* const name = std::getenv("UNMASK_TEST_DEVICE");
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
    return torch::Device(name == nullptr || *name == '\0' ? "cpu" : name);
  }();
  return instance;
}

}  // namespace unmask::test
