#pragma once
// Where fixed steps start and end.

#include <cstdint>
#include <optional>
#include <vector>

namespace unmask::ode {

/// Steps that a solve may have; with the graph of a gradient they fill any memory long before.
inline constexpr std::int64_t kMostFixedSteps = 1'000'000;
/// A step that is longer than the whole interval is cut; this many times longer it is a mistake.
inline constexpr double kLongestFixedStep = 1e6;

/// Grid over [times.front(), times.back()]. With a step size h > 0: N = ceil(|t1 - t0| / h) steps
/// of size h, of which the last ends exactly at times.back(); a quotient within 1e-9 of an integer
/// counts as that integer, so that 0.3 / 0.1 makes three steps. Without: the times themselves, one
/// step per interval.
/// @throws ParamError naming step_size and the number of steps when there are more than
///         kMostFixedSteps, or when the step is more than kLongestFixedStep times the interval
std::vector<double> fixed_grid(const std::vector<double>& times, std::optional<double> step_size);

}  // namespace unmask::ode
