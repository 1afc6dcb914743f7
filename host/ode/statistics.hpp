#pragma once
// What a solve reports about itself: how it ended, how much it cost, and every attempted step.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace unmask::ode {

/// How a solve ended. Everything but kOk leaves a partial state.
enum class SolveStatus {
  kOk,
  kMaxAttempts,     ///< the limit of attempted steps is used up
  kStepUnderflow,   ///< the step became so small that t + h == t
  kNonFiniteState,  ///< the state at the start of a step is not finite
  kNonFiniteField,  ///< the state is finite, its derivative is not
};

/// "ok", "max_attempts", "step_underflow", "non_finite_state", "non_finite_field".
std::string_view to_string(SolveStatus status);

/// One attempted step.
struct Attempt {
  double t = 0;            ///< time at its start
  double h = 0;            ///< signed size
  double error_ratio = 0;  ///< accepted when at most 1; NaN when it was not computed
  bool accepted = false;
};

struct Statistics {
  std::int64_t nfe = 0;  ///< evaluations of the field, the one that chooses the first step included
  std::int64_t attempts = 0;
  std::int64_t accepted = 0;
  std::int64_t rejected = 0;
  std::int64_t host_reads = 0;  ///< times the host waited for a number from the device
  double first_step = 0;        ///< |h| of the first attempt
  double step_min = 0;          ///< smallest |h| of an accepted step
  double step_max = 0;          ///< largest |h| of an accepted step
  std::vector<Attempt> log;     ///< the first `log_limit` attempts

  /// Counts an attempt and logs it while the log has fewer than `log_limit` rows.
  void record(const Attempt& attempt, std::size_t log_limit);
};

}  // namespace unmask::ode
