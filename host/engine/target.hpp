#pragma once
// The attacked classifier: answers under the evaluation solver, gradients under the gradient
// solver, everything counted.

#include <memory>
#include <vector>

#include "engine/gradient_check.hpp"
#include "engine/network.hpp"
#include "engine/recorded_pass.hpp"
#include "unmask/attack.hpp"

namespace unmask::engine {

/// Names of the phases under which a target's solves are counted.
struct TargetPhases {
  std::string answer = "attack";
  std::string gradient = "gradient";
};

/// Target over a frozen model in evaluation mode. The model must outlive it.
class NetworkTarget final : public Target {
 public:
  /// @param gradients  other solvers to differentiate through; empty: the evaluation solver. Of
  ///   several the gradient is the mean, the expectation over a solver drawn at random. Losses and
  ///   logits still come from the evaluation solver (one more forward pass), unless one of them
  ///   differs from it only in what it differentiates, in which case its pass gives both.
  /// @param is_coupled  whether a sample's logits depend on its batch-mates, see is_batch_coupled
  NetworkTarget(Model& model,
                const SolverSetup& evaluation,
                const std::vector<SolverSetup>& gradients,
                bool is_coupled,
                std::int64_t num_classes,
                SolveLog& log,
                TargetPhases phases = {});

  std::int64_t num_classes() const override { return num_classes_; }
  bool is_batch_independent() const override { return !is_coupled_; }

  /// Record passes that come again and again as device graphs, where the solvers allow it.
  void record_passes(const DeviceGraphMaker& make);

  /// The coming batch: counters of queries restart at zero, and solvers that replay record their
  /// schedules on it.
  /// @param clean  [B, C, H, W]
  void begin_batch(const Tensor& clean);

  /// Forward passes spent on each row since begin_batch.
  const std::vector<std::int64_t>& queries() const { return queries_; }

  const wire::Counters& counters() const { return counters_; }

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

  LossGradient differentiate(const Tensor& x, const LossFunction& loss, Differentiated& by);
  void count_queries(const Tensor& x, const Tensor& rows);
  void settle_backward();
  ode::ScheduleBook record_schedules(const Tensor& clean, ode::Session& session);
  Tensor forward(const Tensor& x, ode::Session& session, const std::string& phase);
  Tensor answer(const Tensor& x);
  void count_pass(const Tensor& x,
                  const std::vector<ode::SolveRecord>& solves,
                  const std::string& phase);

  Model& model_;
  ode::Session evaluation_;
  ode::ScheduleBook evaluation_book_;  ///< of the whole batch
  RecordedPasses evaluation_passes_;
  std::vector<std::unique_ptr<Differentiated>> gradients_;
  bool is_coupled_;
  std::int64_t num_classes_;
  SolveLog& log_;
  TargetPhases phases_;
  wire::Counters counters_;
  GradientCheck gradient_check_;
  std::vector<std::int64_t> queries_;
};

/// True when a forward pass of `model` solves at least one ODE under a solver that couples the
/// batch.
bool is_batch_coupled(Model& model, const SolverSetup& solver, const Tensor& sample);

}  // namespace unmask::engine
