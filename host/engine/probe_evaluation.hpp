#pragma once
// Executes a probe cell on a trained network, or a part of it.

#include <cstdint>
#include <memory>

#include "engine/evaluation_input.hpp"
#include "engine/training.hpp"
#include "unmask/probe.hpp"
#include "wire/part.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Measures a probe on samples of the test split, batch by batch. Where no solver couples the
/// samples of a batch, the network is asked first whether it does by itself; every part asks for
/// itself, and the one that begins at sample 0 counts these passes. Nothing else of a batch depends
/// on another one.
class ProbeEvaluation {
 public:
  /// Both are kept by reference.
  /// @param first  sample where a unit begins
  ProbeEvaluation(const EvaluationInput& input, Probe& probe, std::int64_t first);
  ~ProbeEvaluation();

  /// See AttackEvaluation.
  bool is_done() const;
  std::int64_t next() const;
  /// Samples of the cell.
  std::int64_t total() const;
  void step(const ProgressCallback& progress);
  wire::CellPart part() const;

 private:
  class Work;
  std::unique_ptr<Work> work_;
};

}  // namespace unmask::engine
