#pragma once
// Recorded device operations that can be started again as a whole: CUDA graphs. One launch then
// stands for the thousands of small ones of a solve.

#include <functional>
#include <memory>

#include "unmask/tensor.hpp"

namespace unmask::engine {

class DeviceGraph {
 public:
  DeviceGraph() = default;
  DeviceGraph(const DeviceGraph&) = delete;
  DeviceGraph& operator=(const DeviceGraph&) = delete;
  virtual ~DeviceGraph() = default;

  /// Record the device operations that `work` starts. It may run more than once (to warm up); what
  /// its last run computed lies in the same memory after every replay().
  /// @throws std::runtime_error when an operation cannot be recorded: it reads from the device, or
  /// copies to it
  virtual void capture(const std::function<void()>& work) = 0;

  /// Start the recorded operations again, on the tensors they were recorded with.
  virtual void replay() = 0;
};

using DeviceGraphMaker = std::function<std::unique_ptr<DeviceGraph>()>;

/// Makes CUDA graphs on a device ("cuda:0").
/// @throws UsageError for another device, or when this LibTorch was built without CUDA
DeviceGraphMaker cuda_graph_maker(const std::string& device);

}  // namespace unmask::engine
