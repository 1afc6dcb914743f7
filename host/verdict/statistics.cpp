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

double mcnemar_two_sided(std::int64_t only_first, std::int64_t only_second) {
  return std::min(1.0,
                  2 * std::min(mcnemar_one_sided(only_first, only_second),
                               mcnemar_one_sided(only_second, only_first)));
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

Interval newcombe_paired(const PairedCounts& counts) {
  UNMASK_CHECK(
      counts.both >= 0 && counts.only_first >= 0 && counts.only_second >= 0 && counts.neither >= 0,
      "counts are not negative");
  const std::int64_t n = counts.n();
  if (n == 0) return {-1, 1};
  const std::int64_t first = counts.both + counts.only_first;
  const std::int64_t second = counts.both + counts.only_second;
  const auto real = [](std::int64_t count) { return static_cast<double>(count); };
  const double margins = real(first) * real(n - first) * real(second) * real(n - second);
  double phi = 0;
  if (margins > 0) {
    const double surplus = real(counts.both) * real(counts.neither) -
                           real(counts.only_first) * real(counts.only_second);
    const double corrected = surplus > 0 ? std::max(0.0, surplus - real(n) / 2) : surplus;
    phi = corrected / std::sqrt(margins);
  }
  const double p1 = real(first) / real(n);
  const double p2 = real(second) / real(n);
  const Interval one = wilson(first, n);
  const Interval two = wilson(second, n);
  const auto half = [&](double a, double b) {
    return std::sqrt(std::max(0.0, a * a - 2 * phi * a * b + b * b));
  };
  return {std::max(-1.0, p1 - p2 - half(p1 - one.lower, two.upper - p2)),
          std::min(1.0, p1 - p2 + half(one.upper - p1, p2 - two.lower))};
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
