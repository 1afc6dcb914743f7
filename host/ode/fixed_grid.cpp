#include "ode/fixed_grid.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>

#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

[[noreturn]] void refuse(double step_size, double begin, double end, const std::string& reason) {
  std::ostringstream text;
  text << "solver option \"step_size\" = " << step_size << ": from t = " << begin << " to " << end
       << reason;
  throw ParamError(text.str());
}

// Before anything is allocated for them.
void check_count(double quotient, double step_size, double begin, double end) {
  std::ostringstream reason;
  if (!(quotient <= static_cast<double>(kMostFixedSteps))) {
    reason << " are " << quotient << " steps, more than the " << kMostFixedSteps
           << " that a solve may have; take a longer step";
    refuse(step_size, begin, end, reason.str());
  }
  if (quotient * kLongestFixedStep < 1) {
    reason << " is " << quotient << " of such a step; leave step_size out for one over all of it";
    refuse(step_size, begin, end, reason.str());
  }
}

}  // namespace

std::vector<double> fixed_grid(const std::vector<double>& times, std::optional<double> step_size) {
  if (!step_size) return times;
  const double begin = times.front();
  const double span = times.back() - begin;
  const double quotient = std::abs(span) / *step_size;
  check_count(quotient, *step_size, begin, times.back());
  const auto steps = static_cast<std::int64_t>(std::max(1.0, std::ceil(quotient - 1e-9)));
  const double h = span > 0 ? *step_size : -*step_size;
  std::vector<double> grid;
  grid.reserve(static_cast<std::size_t>(steps) + 1);
  for (std::int64_t i = 0; i < steps; ++i) grid.push_back(begin + static_cast<double>(i) * h);
  grid.push_back(times.back());
  return grid;
}

}  // namespace unmask::ode
