#include "verdict/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "unmask/errors.hpp"

namespace unmask::verdict {
namespace {

// The 97.5 % quantile of the normal distribution.
constexpr double kZ = 1.959963984540054;

void check_counts(std::int64_t k, std::int64_t n) {
  UNMASK_CHECK(k >= 0 && k <= n, std::to_string(k) + " of " + std::to_string(n) + " is no share");
}

double log_choose(std::int64_t n, std::int64_t k) {
  const auto fact = [](std::int64_t i) { return std::lgamma(static_cast<double>(i) + 1); };
  return fact(n) - fact(k) - fact(n - k);
}

}  // namespace

double binomial_tail(std::int64_t k, std::int64_t n, double p) {
  check_counts(k, n);
  UNMASK_CHECK(p >= 0 && p <= 1, "a probability lies in [0, 1]");
  if (k == 0) return 1;
  if (p == 0) return 0;
  if (p == 1) return 1;
  double sum = 0;
  // From the smallest term on, so that small ones are not lost.
  for (std::int64_t i = n; i >= k; --i) {
    sum += std::exp(log_choose(n, i) + static_cast<double>(i) * std::log(p) +
                    static_cast<double>(n - i) * std::log1p(-p));
  }
  return std::min(1.0, sum);
}

double mcnemar_one_sided(std::int64_t only_first, std::int64_t only_second) {
  UNMASK_CHECK(only_first >= 0 && only_second >= 0, "counts are not negative");
  return binomial_tail(only_second, only_first + only_second, 0.5);
}

Interval wilson(std::int64_t k, std::int64_t n) {
  check_counts(k, n);
  if (n == 0) return {};
  const auto size = static_cast<double>(n);
  const double share = static_cast<double>(k) / size;
  const double centre = (share + kZ * kZ / (2 * size)) / (1 + kZ * kZ / size);
  const double half = kZ / (1 + kZ * kZ / size) *
                      std::sqrt(share * (1 - share) / size + kZ * kZ / (4 * size * size));
  return {k == 0 ? 0 : std::max(0.0, centre - half), k == n ? 1 : std::min(1.0, centre + half)};
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(
      order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, p[order[i]] * static_cast<double>(p.size() - i));
    adjusted[order[i]] = std::min(1.0, largest);
  }
  return adjusted;
}

}  // namespace unmask::verdict
