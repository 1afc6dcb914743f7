#include "ode/fixed_grid.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace unmask::ode {

std::vector<double> fixed_grid(const std::vector<double>& times, std::optional<double> step_size) {
  if (!step_size) return times;
  const double begin = times.front();
  const double span = times.back() - begin;
  const double quotient = std::abs(span) / *step_size;
  const auto steps = static_cast<std::int64_t>(std::max(1.0, std::ceil(quotient - 1e-9)));
  const double h = span > 0 ? *step_size : -*step_size;
  std::vector<double> grid;
  grid.reserve(static_cast<std::size_t>(steps) + 1);
  for (std::int64_t i = 0; i < steps; ++i) grid.push_back(begin + static_cast<double>(i) * h);
  grid.push_back(times.back());
  return grid;
}

}  // namespace unmask::ode
