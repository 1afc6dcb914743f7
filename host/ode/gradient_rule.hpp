#pragma once
// What of the step sizes is differentiated. Stage weights, stage times and the position at the end
// carry the gradient of a step size exactly where the size itself does.
//
//   full        the first step and every update, the error ratios included; rejected attempts stay
//               in the graph through the step sizes that follow from them
//   first_only  the first step, if its attempt is accepted; later times inherit its gradient
//   none        step sizes are constants

#include "ode/lanes.hpp"
#include "ode/options.hpp"

namespace unmask::ode {

class GradientRule {
 public:
  /// @param is_recording  whether a graph is being made at all
  GradientRule(StepGradient mode, bool is_recording) : mode_(mode), is_recording_(is_recording) {}

  bool differentiates_first_step() const { return is_recording_ && mode_ != StepGradient::kNone; }
  bool differentiates_updates() const { return is_recording_ && mode_ == StepGradient::kFull; }

  /// The sizes of attempts as the controller may see them when it proposes the next ones.
  Lanes for_update(const Lanes& h) const { return differentiates_updates() ? h : detached(h); }

 private:
  StepGradient mode_;
  bool is_recording_;
};

}  // namespace unmask::ode
