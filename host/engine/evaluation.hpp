#pragma once
// Executes attack and probe cells on a trained network: batches, re-scoring, checks, per-sample
// rows.

#include <optional>
#include <string>
#include <vector>

#include "engine/data.hpp"
#include "engine/device_graph.hpp"
#include "engine/network.hpp"
#include "engine/training.hpp"
#include "unmask/attack.hpp"
#include "unmask/probe.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// The network that an attack sees when it is not the one that it is judged by.
struct AttackSource {
  Model& model;
  const SolverSetup& solver;  ///< answers the attack
};

/// What an evaluation is made of.
struct EvaluationInput {
  Model& model;
  const SolverSetup& solver;
  const std::vector<SolverSetup>& gradients;  ///< differentiated by the attack; empty: what answers
  const LoadedSplit& data;  ///< the test split, already cut to the samples of the study
  std::int64_t num_classes = 0;
  std::int64_t batch_size = 0;    ///< the canonical batch: predictions and verdicts are taken at it
  std::int64_t method_batch = 0;  ///< samples handed to the attack or probe at once
  double epsilon = 0;
  std::string device;
  at::ScalarType dtype = at::kFloat;
  std::uint64_t seed = 0;        ///< of the cell
  DeviceGraphMaker graphs = {};  ///< records passes that come again and again; empty: none
  std::optional<AttackSource> source = {};  ///< nullopt: the network itself
  bool has_checks = true;  ///< measure what makes a verdict doubtful, see checks.hpp
};

/// Attack the first samples of the test split and judge the outcome.
///
/// The verdict never comes from the attack: the host scores every x_adv again with the evaluation
/// solver in the canonical batches (consecutive samples), after putting back the clean image where
/// the sample was misclassified anyway or where x_adv leaves the ball (epsilon (1 + 1e-6) + 1e-7)
/// or the box. On a batch-independent target only correctly classified samples are attacked.
///
/// With a source the attack sees that network alone. It is told that samples hang together there,
/// so that it does not stop when the source is fooled, but goes on for the largest margin: a point
/// that barely fools one network rarely fools another.
/// @return the judged images [N, C, H, W], on the device of the evaluation
/// @throws NumericError when logits are not finite
Tensor evaluate_attack(const EvaluationInput& input,
                       Attack& attack,
                       wire::CellResult& result,
                       const ProgressCallback& progress);

/// Measure a probe on the same samples; stores each value and mean, median, min, max and the share
/// that is not finite.
void evaluate_probe(const EvaluationInput& input,
                    Probe& probe,
                    wire::CellResult& result,
                    const ProgressCallback& progress);

}  // namespace unmask::engine
