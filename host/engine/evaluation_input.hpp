#pragma once
// What an evaluation of a trained network is made of, attack or probe.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/data.hpp"
#include "engine/device_graph.hpp"
#include "engine/network.hpp"
#include "engine/network_state.hpp"
#include "wire/part.hpp"

namespace unmask::engine {

/// The network that an attack sees when it is not the one that it is judged by.
struct AttackSource {
  Model& model;
  const SolverSetup& solver;      ///< answers the attack
  std::string network = "";       ///< plugin of the model, for messages
  NetworkState* state = nullptr;  ///< of `model`, see begin_passes(); null: it does not change
};

/// Gradient solvers that a probe's definition names.
struct NamedSolver {
  std::string name;
  SolverSetup solver;
};

struct EvaluationInput {
  Model& model;
  const SolverSetup& solver;
  const std::vector<SolverSetup>& gradients;  ///< differentiated by the attack; empty: what answers
  const LoadedSplit& data;  ///< the test split, already cut to the samples of the study
  std::int64_t num_classes = 0;
  std::int64_t batch_size = 0;    ///< the canonical batch: predictions and verdicts are taken at it
  std::int64_t method_batch = 0;  ///< samples handed to the attack or probe at once
  double epsilon = 0;
  std::string device = "cpu";
  at::ScalarType dtype = at::kFloat;
  /// Of what is compared: the same for all attacks and solvers on one network, see
  /// Executor::execute.
  std::uint64_t seed = 0;
  DeviceGraphMaker graphs = {};  ///< records passes that come again and again; empty: none
  std::optional<AttackSource> source = {};  ///< nullopt: the network itself
  bool has_checks = true;  ///< measure what makes a verdict doubtful, see checks.hpp
  std::vector<NamedSolver> named_gradients = {};  ///< for probes
  std::string network = "";                       ///< plugin of the model, for messages
  NetworkState* state = nullptr;  ///< of `model`, see begin_passes(); null: it does not change
};

/// [count, C, H, W], on the device of the evaluation.
Tensor images_of(const EvaluationInput& input, const wire::PartSpan& span);

/// Samples at whose multiples both a canonical batch and one of the method begin.
std::int64_t unit_of(const EvaluationInput& input);

/// The unit that begins at a sample: so many, or those that are left.
wire::PartSpan unit_at(const EvaluationInput& input, std::int64_t first);

/// 0, 1, ... from `first` on.
std::vector<std::int64_t> samples_of(const wire::PartSpan& span);

/// Whether samples depend on their batch-mates under one of the solvers that an attack or a probe
/// sees: those of the source, where there is one, or of the network itself.
bool is_attacked_batch_coupled(const EvaluationInput& input);

/// What a network answers next depends on no other cell and no other batch: it is as its checkpoint
/// has it, and LibTorch's own generators, from which random networks draw, hold a number that
/// belongs to this purpose and these samples.
void begin_passes(const EvaluationInput& input, const char* purpose, std::int64_t first_sample);

}  // namespace unmask::engine
