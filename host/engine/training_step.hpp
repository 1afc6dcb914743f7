#pragma once
// The network in the middle of a training step, as an objective sees it.

#include <cstdint>
#include <optional>
#include <string>

#include "engine/network.hpp"
#include "engine/target.hpp"
#include "unmask/objective.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

class NetworkStep final : public TrainingStep {
 public:
  /// @param log, counters  of the cell; everything that a step does is added to them
  /// @param mixed          inside an Autocast region: ODE states and logits stay in float32
  NetworkStep(Model& model,
              const SolverSetup& solver,
              std::int64_t num_classes,
              bool mixed,
              SolveLog& log,
              wire::Counters& counters);

  /// The coming step.
  void begin(SampleRandom random);

  Tensor logits(const Tensor& x) override;
  Target& target() override;
  SampleRandom& random() override { return *random_; }

  /// Back-propagate through every logits() of this step into the parameters, and count what inner
  /// attacks and the backward pass have done.
  void backward(const Tensor& loss);

  /// The last logits() of this step, without a graph; undefined before there was one.
  const Tensor& last_logits() const { return last_logits_; }

 private:
  void settle_target();

  Model& model_;
  const SolverSetup& solver_;
  std::int64_t num_classes_;
  bool mixed_;
  SolveLog& log_;
  wire::Counters& counters_;
  ode::Session session_;
  std::optional<SampleRandom> random_;
  std::optional<NetworkTarget> target_;
  SolveLog::BackwardRecords backward_;
  std::int64_t attached_ = 0;  // samples whose logits the backward pass goes through
  Tensor last_logits_;
};

}  // namespace unmask::engine
