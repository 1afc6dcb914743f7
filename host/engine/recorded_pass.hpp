#pragma once
// A forward pass of a network, and the way back to its input, recorded as two device graphs.

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "engine/device_graph.hpp"
#include "ode/session.hpp"
#include "unmask/tensor.hpp"

namespace unmask::engine {

class RecordedPass {
 public:
  using Forward = std::function<Tensor(const Tensor& x)>;

  /// Record.
  /// @param x            a batch; later ones have its shape, dtype and device
  /// @param has_gradient whether backward() will be called
  /// @param forward      x -> logits, through `session`
  RecordedPass(const DeviceGraphMaker& make,
               const Tensor& x,
               bool has_gradient,
               const Forward& forward,
               ode::Session& session);

  /// Logits [B, K] of x, detached.
  Tensor forward(const Tensor& x);

  /// Gradient of sum(weights * logits) with respect to the x last passed to forward().
  /// @param weights  shape of the logits
  Tensor backward(const Tensor& weights);

  /// The solves of one forward pass.
  const std::vector<ode::SolveRecord>& solves() const { return solves_; }

 private:
  Tensor input_;
  Tensor logits_;  ///< with the graph that backward() goes back through
  Tensor weights_;
  Tensor gradient_;
  std::vector<ode::SolveRecord> solves_;
  std::unique_ptr<DeviceGraph> forward_;
  std::unique_ptr<DeviceGraph> backward_;
};

/// The passes of one network under one solver, by the shape of their batches.
class RecordedPasses {
 public:
  /// A shape is recorded when it comes for the third time: recording costs two passes, and the last
  /// survivors of an attack come in many shapes.
  static constexpr int kPassesBeforeRecording = 2;
  /// Each keeps the memory of a whole pass.
  static constexpr std::size_t kMostPasses = 8;

  /// Nothing is recorded before this is called.
  void use(DeviceGraphMaker make) { make_ = std::move(make); }

  /// The recorded pass for batches like x; nullptr where the pass shall just be run.
  RecordedPass* find(const Tensor& x,
                     bool has_gradient,
                     const RecordedPass::Forward& forward,
                     ode::Session& session);

  /// Forget all: the solver's schedules have changed.
  void clear();

 private:
  struct Entry {
    int seen = 0;
    std::unique_ptr<RecordedPass> pass;
  };
  using Shape = std::pair<bool, std::vector<std::int64_t>>;

  DeviceGraphMaker make_;
  std::map<Shape, Entry> entries_;
};

}  // namespace unmask::engine
