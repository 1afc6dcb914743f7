#pragma once
// The attacked classifier: answers under the evaluation solver, gradients under the gradient
// solver, everything counted.

#include <memory>
#include <vector>

#include "engine/gradient_check.hpp"
#include "engine/network.hpp"
#include "engine/recorded_pass.hpp"
#include "unmask/target.hpp"

namespace unmask::engine {

/// Names of the phases under which a target's solves are counted.
struct TargetPhases {
  std::string answer = "attack";
  std::string gradient = "gradient";
};

/// What an attack is told of its target, and what messages call it.
struct TargetTraits {
  bool is_coupled = false;   ///< a sample's logits depend on its batch-mates, see is_batch_coupled
  bool is_stand_in = false;  ///< images are judged on another network
  bool is_deterministic = true;  ///< two passes of an image agree
  std::string network = "";      ///< plugin of the model, for messages
};

/// Target over a frozen model in evaluation mode. The model must outlive it. Every pass works on a
/// copy of the images: layers that write into their input are common.
class NetworkTarget final : public Target, public SolverSteps {
 public:
  /// @param gradients  other solvers to differentiate through; empty: the evaluation solver. Of
  ///   several the gradient is the mean, the expectation over a solver drawn at random. Losses and
  ///   logits still come from the evaluation solver (one more forward pass), unless one of them
  ///   differs from it only in what it differentiates, in which case its pass gives both.
  NetworkTarget(Model& model,
                const SolverSetup& evaluation,
                const std::vector<SolverSetup>& gradients,
                TargetTraits traits,
                std::int64_t num_classes,
                SolveLog& log,
                TargetPhases phases = {});

  std::int64_t num_classes() const override { return num_classes_; }
  bool is_batch_independent() const override {
    return !traits_.is_coupled && !traits_.is_stand_in && traits_.is_deterministic;
  }
  bool is_deterministic() const override { return traits_.is_deterministic; }
  bool is_stand_in() const override { return traits_.is_stand_in; }

  /// From now on.
  void set_deterministic(bool is_deterministic) { traits_.is_deterministic = is_deterministic; }

  /// From now on: samples depend on their batch-mates, whatever the solver says.
  void set_coupled() { traits_.is_coupled = true; }

  /// Record passes that come again and again as device graphs, where the solvers allow it.
  void record_passes(const DeviceGraphMaker& make);

  /// The coming batch: counters of queries restart at zero, and solvers that replay record their
  /// schedules on it.
  /// @param clean  [B, C, H, W]
  void begin_batch(const Tensor& clean);

  /// Answers given for each row since begin_batch: logits, or losses with their gradient.
  const std::vector<std::int64_t>& queries() const { return queries_; }

  /// Forward passes of each row since begin_batch: several for one answer when there are other
  /// gradient solvers.
  const std::vector<std::int64_t>& passes() const { return passes_; }

  const wire::Counters& counters() const { return counters_; }

  std::int64_t accepted_steps() const override { return accepted_steps_; }

  /// Watches the gradients of the batches that it is told of.
  GradientCheck& gradient_check() { return gradient_check_; }

 private:
  Tensor do_logits(const Tensor& x, const Tensor& rows) override;
  LossGradient do_loss_and_gradient(const Tensor& x,
                                    const LossFunction& loss,
                                    const Tensor& rows) override;
  // A solver that is differentiated through.
  struct Differentiated {
    Differentiated(const SolverSetup& solver, bool is_same_map)
        : session(solver.method, solver.options), answers(is_same_map) {}

    ode::Session session;
    ode::ScheduleBook book = {};  ///< of the whole batch
    RecordedPasses passes = {};
    bool answers;  ///< computes the same map as the evaluation solver
  };

  LossGradient differentiate(const Tensor& x,
                             const LossFunction& loss,
                             const Tensor& rows,
                             Differentiated& by);
  void count_rows(const Tensor& x, const Tensor& rows, std::vector<std::int64_t>& counts) const;
  Tensor run(const Tensor& x, OdeContext& ode);
  void expect_finite(const Tensor& logits, const Tensor& x);
  std::string cause_of_bad_logits(const Tensor& x);
  void settle_backward();
  ode::ScheduleBook record_schedules(const Tensor& clean, ode::Session& session);
  Tensor forward(const Tensor& x, ode::Session& session, const std::string& phase);
  Tensor answer(const Tensor& x, const Tensor& rows);
  void count_pass(const Tensor& x,
                  const std::vector<ode::SolveRecord>& solves,
                  const std::string& phase);

  Model& model_;
  ode::Session evaluation_;
  ode::ScheduleBook evaluation_book_;  ///< of the whole batch
  RecordedPasses evaluation_passes_;
  std::vector<std::unique_ptr<Differentiated>> gradients_;
  TargetTraits traits_;
  std::int64_t num_classes_;
  SolveLog& log_;
  TargetPhases phases_;
  wire::Counters counters_;
  GradientCheck gradient_check_;
  std::vector<std::int64_t> queries_;
  std::vector<std::int64_t> passes_;
  std::int64_t accepted_steps_ = 0;  ///< of the last pass
};

/// True when a forward pass of `model` solves at least one ODE under a solver that couples the
/// batch. A solve that fails is one, too.
bool is_batch_coupled(Model& model, const SolverSetup& solver, const Tensor& sample);

}  // namespace unmask::engine
