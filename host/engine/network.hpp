#pragma once
// A model together with the solver that runs its ODE blocks, and the statistics of its solves.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ode/session.hpp"
#include "unmask/model.hpp"
#include "wire/part.hpp"

namespace unmask::engine {

/// Collects the solves of a cell by phase and name.
class SolveLog {
 public:
  /// Take the records of a forward pass.
  void take(const std::string& phase, const std::vector<ode::SolveRecord>& solves);

  /// Take the records that a session has gathered, and clear it.
  void take(const std::string& phase, ode::Session& session);

  /// Add what the backward pass through the solves last taken has evaluated, under the phase
  /// "backward".
  void settle_backward();

  /// The same for solves whose records the caller has kept: those of several forward passes through
  /// which one backward pass went.
  using BackwardRecords = std::vector<std::pair<std::string, std::shared_ptr<ode::Statistics>>>;
  void settle_backward(const BackwardRecords& records);

  /// Vector-field evaluations seen so far, and those of backward passes among them.
  std::int64_t nfe() const { return nfe_; }
  std::int64_t nfe_backward() const { return nfe_backward_; }

  /// Rejected steps seen so far.
  std::int64_t rejected() const { return rejected_; }

  /// One row per phase and solve, in order of first appearance.
  std::vector<wire::SolveStats> rows() const { return wire::rows_of(tallies_); }

  /// The same with all that is needed to add them to others.
  const std::vector<wire::SolveTally>& tallies() const { return tallies_; }

  /// Everything seen so far, for restore() of another log.
  nlohmann::json state() const;
  void restore(const nlohmann::json& state);

 private:
  void add(const std::string& phase,
           const std::string& solve,
           const ode::Statistics& statistics,
           ode::SolveStatus status);

  std::vector<wire::SolveTally> tallies_;  // few: phases x blocks of a network
  BackwardRecords backward_;
  std::int64_t nfe_ = 0;
  std::int64_t nfe_backward_ = 0;
  std::int64_t rejected_ = 0;
};

/// A solver of a specification: method and options.
struct SolverSetup {
  std::string id;             ///< plugin id of the method
  std::string method_params;  ///< the method's own parameters, as canonical text
  std::shared_ptr<Method> method;
  ode::DriverOptions options;

  /// True when samples influence each other.
  bool couples_batch() const { return options.couples_batch() || method->traits().couples_samples; }
};

/// True when two solvers give the same values and differ at most in what they differentiate.
bool computes_same_map(const SolverSetup& a, const SolverSetup& b);

/// Switch requires_grad of all parameters.
void set_trainable(Model& model, bool trainable);

}  // namespace unmask::engine
