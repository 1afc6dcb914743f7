#include "ode/statistics.hpp"

#include <algorithm>
#include <cmath>

namespace unmask::ode {

std::string_view to_string(SolveStatus status) {
  switch (status) {
    case SolveStatus::kOk: return "ok";
    case SolveStatus::kMaxAttempts: return "max_attempts";
    case SolveStatus::kStepUnderflow: return "step_underflow";
    case SolveStatus::kNonFiniteState: return "non_finite_state";
    case SolveStatus::kNonFiniteField: return "non_finite_field";
  }
  return "?";
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
