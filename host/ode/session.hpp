#pragma once
// What a model's ODE blocks talk to: one method with its options, and a record of every solve.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ode/driver.hpp"
#include "ode/options.hpp"
#include "ode/schedule.hpp"
#include "ode/statistics.hpp"
#include "unmask/solver.hpp"
#include "unmask/vector_field.hpp"

namespace unmask::ode {

/// One solve of one forward pass.
struct SolveRecord {
  std::string name;
  SolveStatus status = SolveStatus::kOk;
  double t0 = 0;
  double t1 = 0;
  double time_reached = 0;
  Statistics statistics;
  /// What the backward pass evaluates and steps; filled while it runs.
  std::shared_ptr<Statistics> backward;
};

/// Handed to Model::forward. Thread-compatible: one session per thread.
class Session final : public OdeContext {
 public:
  /// @throws ParamError when the options do not fit the method
  Session(std::shared_ptr<Method> method, DriverOptions options);
  ~Session() override;

  State integrate(std::string_view name,
                  const std::shared_ptr<VectorField>& field,
                  const State& y0,
                  double t0,
                  double t1) override;

  Bpda bpda() const override { return options_.bpda; }

  /// Solves since the last clear(), failed ones included, in the order in which they ran.
  const std::vector<SolveRecord>& solves() const { return solves_; }
  void clear() { solves_.clear(); }

  const DriverOptions& options() const { return options_; }

  /// True when solves follow recorded schedules: controller: replay.
  bool is_replaying() const;

  /// True when forward and backward passes through the solves never look at what they compute, so
  /// that the device operations of one stand for those of all: explicit methods with fixed steps,
  /// and whole batches that replay a schedule; with back-propagation through the steps.
  bool can_be_recorded() const;

  /// Record the steps of the solves from now on: under controller: replay they choose them
  /// themselves, by the controller i, until the book is handed over with set_schedules().
  void record_schedules();
  /// What has been recorded.
  const ScheduleBook& schedules() const { return book_; }
  /// Follow these schedules, and stop recording.
  void set_schedules(ScheduleBook book);

 private:
  DriverOptions options_for(std::string_view name) const;

  std::shared_ptr<Method> method_;
  DriverOptions options_;
  std::vector<SolveRecord> solves_;
  bool is_recording_ = false;
  ScheduleBook book_;
};

}  // namespace unmask::ode
