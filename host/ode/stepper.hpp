#pragma once
// What a solve asks of its method and its field: f, the first step, one attempt. Directly, or,
// under gradient: checkpoint, so that the graph of each of them is made again in the backward pass.
// The loops (adaptive_solve.hpp, fixed_solve.hpp) know no difference.

#include <memory>
#include <string>
#include <vector>

#include "ode/initial_step.hpp"
#include "ode/lanes.hpp"
#include "ode/options.hpp"
#include "ode/recompute.hpp"
#include "ode/statistics.hpp"
#include "unmask/solver.hpp"

namespace unmask::ode {

/// A method and a field that stay alive as long as somebody may evaluate them.
struct Equation {
  std::shared_ptr<Method> method;
  std::shared_ptr<VectorField> field;
};

struct AttemptRequest {
  Lanes t0;
  Lanes h;  ///< signed
  Lanes t1;
  State y;
  State f;                           ///< f(t0, y)
  const History* history = nullptr;  ///< of multistep methods
  bool wants_error = false;
  bool differentiates_error = false;
  bool wants_middle = false;
};

struct AttemptResult {
  State y1;
  State f1;      ///< what the next step starts with; empty: f is to be evaluated
  State middle;  ///< when wanted and the method has one
  Lanes ratio;   ///< error ratios; NaN when not wanted
  /// The field was finite in every stage of every lane; only computed where a ratio is not finite.
  std::vector<bool> stages_finite;
  std::string failure;  ///< see StepOutput
  bool is_unconverged = false;
  int history_kept = 0;
};

class Stepper {
 public:
  /// @param forward   counts evaluations of the forward pass; must outlive this object
  /// @param backward  counts those of the backward pass; kept by the graph
  Stepper(Equation equation,
          const DriverOptions& options,
          Statistics& forward,
          std::shared_ptr<Statistics> backward);

  const MethodTraits& traits() const { return traits_; }
  const DriverOptions& options() const { return options_; }
  Statistics& statistics() { return forward_; }

  /// f(t, y). The first call under gradient: checkpoint finds what the field captures.
  State evaluate(const Lanes& t, const State& y);

  InitialStep first_step(
      double t0, double direction, const State& y0, const State& f0, bool differentiable);

  AttemptResult attempt(const AttemptRequest& request);

 private:
  bool is_checkpointing() const;

  Equation equation_;
  MethodTraits traits_;
  DriverOptions options_;
  Statistics& forward_;
  std::shared_ptr<Statistics> backward_;
  std::shared_ptr<Captures> captures_;  // null until the first evaluation
};

}  // namespace unmask::ode
