#pragma once
// Where fixed steps start and end.

#include <optional>
#include <vector>

namespace unmask::ode {

/// Grid over [times.front(), times.back()]. With a step size h > 0: N = ceil(|t1 - t0| / h) steps
/// of size h, of which the last ends exactly at times.back(); a quotient within 1e-9 of an integer
/// counts as that integer, so that 0.3 / 0.1 makes three steps. Without: the times themselves, one
/// step per interval.
std::vector<double> fixed_grid(const std::vector<double>& times, std::optional<double> step_size);

}  // namespace unmask::ode
