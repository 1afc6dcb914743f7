#pragma once
// Executes a probe cell on a trained network.

#include "engine/evaluation_input.hpp"
#include "engine/training.hpp"
#include "unmask/probe.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Measure a probe on the first samples of the test split; stores each value and mean, median, min,
/// max and the share that is not finite, and the probe's series. Where no solver couples the samples
/// of a batch, the network is asked first whether it does by itself; these passes are counted, too.
void evaluate_probe(const EvaluationInput& input,
                    Probe& probe,
                    wire::CellResult& result,
                    const ProgressCallback& progress);

}  // namespace unmask::engine
