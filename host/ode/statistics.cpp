#include "ode/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace unmask::ode {

std::string_view to_string(SolveStatus status) {
  switch (status) {
    case SolveStatus::kOk: return "ok";
    case SolveStatus::kMaxAttempts: return "max_attempts";
    case SolveStatus::kTimeLimit: return "time_limit";
    case SolveStatus::kStepUnderflow: return "step_underflow";
    case SolveStatus::kStepFailed: return "step_failed";
    case SolveStatus::kNonFiniteState: return "non_finite_state";
    case SolveStatus::kNonFiniteField: return "non_finite_field";
  }
  return "?";
}

std::string_view hint(SolveStatus status) {
  switch (status) {
    case SolveStatus::kOk: return "";
    case SolveStatus::kMaxAttempts: return "raise max_attempts, or loosen rtol and atol";
    case SolveStatus::kTimeLimit: return "raise time_limit, or loosen rtol and atol";
    case SolveStatus::kStepUnderflow:
      return "the field is too steep, jumps, or is not finite beyond this time; set min_step, "
             "loosen rtol and atol, or use fixed steps";
    case SolveStatus::kStepFailed:
      return "use shorter steps, or more iterations of the method's solver";
    case SolveStatus::kNonFiniteState:
      return "look for overflow in the layers before the block, or for weights that are not finite";
    case SolveStatus::kNonFiniteField:
      return "look for weights that are not finite, for divisions by zero in the field, and, under "
             "control: sample, for a field that reads Scalar::value instead of broadcast()";
  }
  return "";
}

void Statistics::record(const Attempt& attempt, std::size_t log_limit) {
  const double size = std::abs(attempt.h);
  if (attempts == 0) first_step = size;
  ++attempts;
  if (attempt.accepted) {
    step_min = accepted == 0 ? size : std::min(step_min, size);
    step_max = accepted == 0 ? size : std::max(step_max, size);
    ++accepted;
  } else {
    ++rejected;
  }
  if (log.size() < log_limit) log.push_back(attempt);
}

}  // namespace unmask::ode
