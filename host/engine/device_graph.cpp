#include "engine/device_graph.hpp"

#include <stdexcept>
#include <string>

#include <c10/core/Device.h>

#include "unmask/errors.hpp"

#if UNMASK_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/cuda.h>
#endif

namespace unmask::engine {

#if UNMASK_WITH_CUDA
namespace {

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(c10::DeviceIndex device) : device_(device) {}

  void capture(const std::function<void()>& work) override {
    // The default stream cannot be recorded. The first run lets cuBLAS and cuDNN set up their
    // workspaces for the new stream, which they may not do while it is recorded.
    const c10::cuda::CUDAStreamGuard on_own_stream(
        c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_));
    torch::cuda::synchronize(device_);
    work();
    torch::cuda::synchronize(device_);
    try {
      graph_.capture_begin();
      work();
      graph_.capture_end();
    } catch (const std::exception& error) {
      throw std::runtime_error(
          std::string(
              "the network cannot be recorded as a CUDA graph; run without --cuda-graphs: ") +
          error.what());
    }
  }

  void replay() override { graph_.replay(); }

 private:
  c10::DeviceIndex device_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace
#endif

DeviceGraphMaker cuda_graph_maker(const std::string& device) {
  const c10::Device where(device);
  if (!where.is_cuda()) {
    throw UsageError("--cuda-graphs needs a CUDA device, not " + device);
  }
#if UNMASK_WITH_CUDA
  return [index = where.index()] { return std::make_unique<CudaGraph>(index); };
#else
  throw UsageError(
      "--cuda-graphs needs a LibTorch with CUDA; this unmask was built with one without");
#endif
}

}  // namespace unmask::engine
