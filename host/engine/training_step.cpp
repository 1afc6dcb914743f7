#include "engine/training_step.hpp"

#include <stdexcept>

#include <torch/types.h>

#include "engine/mixed_precision.hpp"
#include "engine/plugin_results.hpp"

namespace unmask::engine {

NetworkStep::NetworkStep(Model& model,
                         const SolverSetup& solver,
                         std::int64_t num_classes,
                         bool mixed,
                         SolveLog& log,
                         wire::Counters& counters)
    : model_(model),
      solver_(solver),
      num_classes_(num_classes),
      mixed_(mixed),
      log_(log),
      counters_(counters),
      session_(solver.method, solver.options) {}

void NetworkStep::begin(SampleRandom random) {
  random_.emplace(std::move(random));
  backward_.clear();
  attached_ = 0;
  last_logits_ = Tensor();
  // Also for an objective that calls the target first: what it finds must not depend on the step
  // before.
  model_.set_training(true);
  set_trainable(model_, true);
}

Tensor NetworkStep::logits(const Tensor& x) {
  model_.set_training(true);
  set_trainable(model_, true);
  const std::int64_t before = log_.nfe();
  Tensor logits;
  // A copy: layers that write into their input are common, and the objective's x is its own.
  const Tensor input = x.clone();
  if (mixed_) {
    FullPrecisionStates states(session_);
    logits = model_.forward(input, states);
    if (logits.defined() && logits.is_floating_point()) logits = logits.to(x.scalar_type());
  } else {
    logits = model_.forward(input, session_);
  }
  expect_logits(logits, x.size(0), num_classes_);
  if (logits.requires_grad()) {
    attached_ += x.size(0);
    for (const ode::SolveRecord& solve : session_.solves()) {
      backward_.emplace_back(solve.name, solve.backward);
    }
  }
  log_.take("train", session_);
  counters_.forwards += x.size(0);
  counters_.nfe += log_.nfe() - before;
  last_logits_ = logits.detach();
  return logits;
}

Target& NetworkStep::target() {
  settle_target();
  target_.emplace(model_,
                  solver_,
                  std::vector<SolverSetup>{},
                  TargetTraits{.is_coupled = solver_.couples_batch()},
                  num_classes_,
                  log_,
                  TargetPhases{"inner_attack", "inner_attack"});
  return *target_;
}

void NetworkStep::settle_target() {
  if (!target_) return;
  counters_.forwards += target_->counters().forwards;
  counters_.backwards += target_->counters().backwards;
  counters_.nfe += target_->counters().nfe;
  target_.reset();
}

void NetworkStep::backward(const Tensor& loss) {
  settle_target();
  // A target that was asked for after the last logits() has frozen the parameters, and a frozen
  // parameter takes no gradient.
  set_trainable(model_, true);
  if (!loss.requires_grad()) {
    throw std::runtime_error(
        "the training loss has no derivative: nothing leads from it back to a weight of the "
        "network");
  }
  loss.backward();
  counters_.backwards += attached_;
  const std::int64_t before = log_.nfe();
  log_.settle_backward(backward_);
  counters_.nfe += log_.nfe() - before;
}

}  // namespace unmask::engine
