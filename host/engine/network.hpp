#pragma once
// A model together with the solver that runs its ODE blocks, and the statistics of its solves.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ode/session.hpp"
#include "plan/result.hpp"
#include "unmask/model.hpp"

namespace unmask::engine {

/// Collects the solves of a cell by phase and name.
class SolveLog {
 public:
  /// Take the records that a session has gathered, and clear it.
  void take(const std::string& phase, ode::Session& session);

  /// Add what the backward pass through the solves last taken has evaluated, under the phase
  /// "backward".
  void settle_backward();

  /// Vector-field evaluations seen so far.
  std::int64_t nfe() const { return nfe_; }

  /// One row per phase and solve, in order of first appearance.
  std::vector<plan::SolveStats> rows() const;

 private:
  void add(const std::string& phase,
           const std::string& solve,
           const ode::Statistics& statistics,
           ode::SolveStatus status);

  struct Entry {
    plan::SolveStats stats;
    std::vector<std::int64_t> nfe;
  };
  std::vector<std::pair<std::string, Entry>> entries_;  // few: phases x blocks of a network
  std::vector<std::pair<std::string, std::shared_ptr<ode::Statistics>>> backward_;
  std::int64_t nfe_ = 0;
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
