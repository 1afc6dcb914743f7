#pragma once
// The engine's training step over a model plugin. It notes the points at which the network was
// asked.

#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include "engine/training_step.hpp"
#include "support/plugins.hpp"
#include "unmask/objective.hpp"

namespace unmask::test {

/// A solver without parameters of its own, with default options.
inline engine::SolverSetup make_solver(const std::string& id) {
  engine::SolverSetup setup;
  setup.id = id;
  setup.method = make_plugin<Method>("solver", id);
  setup.options.is_adaptive = setup.method->traits().is_adaptive;
  return setup;
}

class ModelStep final : public TrainingStep {
 public:
  ModelStep(Model& model,
            engine::SolverSetup solver,
            std::int64_t num_classes,
            std::vector<std::int64_t> sample_ids)
      : solver_(std::move(solver)),
        network_(model, solver_, num_classes, /*mixed=*/false, log_, counters_) {
    network_.begin(SampleRandom(1, std::move(sample_ids)));
  }

  Tensor logits(const Tensor& x) override {
    points_.push_back(x.detach().clone());
    return network_.logits(x);
  }
  Target& target() override { return network_.target(); }
  SampleRandom& random() override { return network_.random(); }

  void backward(const Tensor& loss) { network_.backward(loss); }
  const std::vector<Tensor>& points() const { return points_; }
  const wire::Counters& counters() const { return counters_; }

 private:
  engine::SolverSetup solver_;
  engine::SolveLog log_;
  wire::Counters counters_;
  engine::NetworkStep network_;
  std::vector<Tensor> points_;
};

}  // namespace unmask::test
