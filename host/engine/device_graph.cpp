#include "engine/device_graph.hpp"

#include <cstddef>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>

#include <c10/core/Device.h>

#include "unmask/errors.hpp"

#if UNMASK_WITH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/cuda.h>
#endif

namespace unmask::engine {

#if UNMASK_WITH_CUDA
namespace {

// One stream for all recordings on a device: the way back is recorded on the stream of the forward
// pass, on which LibTorch starts it anyway, and workspaces of cuBLAS and cuDNN, which are kept for
// each stream, are made once.
c10::cuda::CUDAStream recording_stream(c10::DeviceIndex device) {
  static std::map<c10::DeviceIndex, c10::cuda::CUDAStream> streams;
  const auto found = streams.find(device);
  if (found != streams.end()) return found->second;
  return streams.emplace(device, c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device))
      .first->second;
}

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(c10::DeviceIndex device) : device_(device) {}

  void capture(const std::function<void()>& work) override {
    // The default stream cannot be recorded. The first run lets cuBLAS and cuDNN set up their
    // workspaces for the stream, which they may not do while it is recorded.
    const c10::cuda::CUDAStreamGuard on_own_stream(recording_stream(device_));
    torch::cuda::synchronize(device_);
    work();
    torch::cuda::synchronize(device_);
    make_room();
    try {
      graph_.capture_begin();
      work();
      graph_.capture_end();
    } catch (const std::exception& error) {
      const std::string reason = error.what();
      abandon();
      throw std::runtime_error(
          "the network cannot be recorded as a CUDA graph; run without --cuda-graphs: " + reason);
    }
  }

  void replay() override { graph_.replay(); }

 private:
  // A recording keeps the memory of a whole pass and, other than a pass, cannot have LibTorch give
  // back what it holds unused.
  static void make_room() {
    std::size_t unused = 0;
    std::size_t all = 0;
    C10_CUDA_CHECK(cudaMemGetInfo(&unused, &all));
    if (unused < all / 2) c10::cuda::CUDACachingAllocator::emptyCache();
  }

  // A stream that goes on recording would refuse all further work of this process.
  void abandon() noexcept {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {
      // It was not recording any more, or what it recorded is of no use: either way it has ended.
    }
  }

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
