#pragma once
// What attacks and probes hand over, held against the rules of their interfaces where it arrives:
// nothing that a plugin says can reach the database and be refused there, at the end of the cell.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/process_state.hpp"
#include "unmask/attack.hpp"
#include "unmask/probe.hpp"

namespace unmask::engine {

/// An attack plugin whose points, notes and series are checked, and whose exceptions and changes of
/// the process carry its name.
class CheckedAttack final : public Attack {
 public:
  /// @param process  looked at after every call; nullptr: nobody cares
  CheckedAttack(std::string id, std::unique_ptr<Attack> attack, ProcessState* process);

  Norm norm() const override { return attack_->norm(); }

  /// @throws BrokenAttack when points are not finite
  /// @throws std::runtime_error, with the attack's name, for names and shapes that break the rules
  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext& context) override;

 private:
  std::string who_;
  std::unique_ptr<Attack> attack_;
  ProcessState* process_;
};

/// The same for a probe.
class CheckedProbe final : public Probe {
 public:
  CheckedProbe(std::string id, std::unique_ptr<Probe> probe, ProcessState* process);

  /// @throws std::runtime_error likewise, also when a batch gives other names than the first one
  std::vector<ProbeValue> measure(Target& target,
                                  const Tensor& x,
                                  const Tensor& y,
                                  ProbeContext& context) override;

 private:
  std::string who_;
  std::unique_ptr<Probe> probe_;
  ProcessState* process_;
  std::vector<std::string> names_;
  bool is_first_ = true;
};

/// @throws std::runtime_error, saying what a model gave, unless that is [samples, classes] of floating
///         point
void expect_logits(const Tensor& logits, std::int64_t samples, std::int64_t classes);

/// @throws std::runtime_error, saying what an objective gave, unless that is one number of floating
///         point
void expect_training_loss(const Tensor& loss);

/// Why a note, a value or a series of a plugin must not have this name; empty: it may. Names are
/// lower snake case, parts joined by dots, at most 100 characters; the host's own are taken:
/// check.*, batch_coupled, threat_violations, undecided, all with "accuracy" in them, and the
/// endings of summaries (.mean, ...).
std::string name_problem(const std::string& name);

}  // namespace unmask::engine
