#pragma once
// What a solve reports about itself: how it ended, how much it cost, and every attempted step.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace unmask::ode {

/// How a solve ended. Everything but kOk leaves a partial state. Ordered from good to bad.
enum class SolveStatus {
  kOk,
  kMaxAttempts,     ///< the limit of attempted steps is used up
  kTimeLimit,       ///< the limit of wall-clock time is used up
  kStepUnderflow,   ///< the step became so small that t + h == t
  kStepFailed,      ///< an implicit method found no solution of its equations
  kNonFiniteState,  ///< the state at the start of a step is not finite
  kNonFiniteField,  ///< the state is finite, its derivative is not
};

/// "ok", "max_attempts", "time_limit", "step_underflow", "step_failed", "non_finite_state",
/// "non_finite_field".
std::string_view to_string(SolveStatus status);

/// What a user may do about it; "" for kOk.
std::string_view hint(SolveStatus status);

/// One attempted step.
struct Attempt {
  double t = 0;            ///< time at its start
  double h = 0;            ///< signed size
  double error_ratio = 0;  ///< accepted when at most 1; NaN when it was not computed
  bool accepted = false;
  std::int64_t sample = -1;  ///< position in the batch under control: sample; -1: the whole batch
};

struct Statistics {
  std::int64_t nfe = 0;  ///< evaluations of the field, the one that chooses the first step included
  std::int64_t attempts = 0;  ///< under control: sample summed over samples, as the next two
  std::int64_t accepted = 0;
  std::int64_t rejected = 0;
  std::int64_t unconverged = 0;  ///< steps of a multistep method whose corrector hit its limit
  std::int64_t host_reads = 0;   ///< times the host waited for a number from the device
  double first_step = 0;         ///< |h| of the first attempt
  double step_min = 0;           ///< smallest |h| of an accepted step
  double step_max = 0;           ///< largest |h| of an accepted step
  std::vector<Attempt> log;      ///< the first `log_limit` attempts

  /// Counts an attempt and logs it while the log has fewer than `log_limit` rows.
  void record(const Attempt& attempt, std::size_t log_limit);
};

}  // namespace unmask::ode
