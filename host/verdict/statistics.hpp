#pragma once
// The statistics of verdicts: counts and their exact tests, nothing that needs a distribution of
// the data. All functions throw InternalError for counts that cannot be.

#include <cstdint>
#include <span>
#include <vector>

namespace unmask::verdict {

struct Interval {
  double lower = 0;
  double upper = 1;
};

/// P(X >= k) for X binomial with n trials of probability p, by summation of exact terms.
/// @param k in [0, n]; p in [0, 1]
double binomial_tail(std::int64_t k, std::int64_t n, double p);

/// McNemar's exact test, one-sided: were the two equally likely, how probable is it that at least
/// `only_second` of the samples on which they differ speak for the second? 1 when they never differ.
/// Source: McNemar 1947, Psychometrika 12; the exact form is the sign test on discordant pairs.
double mcnemar_one_sided(std::int64_t only_first, std::int64_t only_second);

/// Likewise two-sided: twice the smaller tail, at most 1.
double mcnemar_two_sided(std::int64_t only_first, std::int64_t only_second);

/// 95 % score interval of a share k / n; [0, 1] for n = 0. Source: Wilson 1927, JASA 22.
Interval wilson(std::int64_t k, std::int64_t n);

/// What two classifiers did with the same samples: right by both, by one alone, by neither.
struct PairedCounts {
  std::int64_t both = 0;
  std::int64_t only_first = 0;
  std::int64_t only_second = 0;
  std::int64_t neither = 0;

  std::int64_t n() const { return both + only_first + only_second + neither; }
};

/// 95 % interval of the difference of two shares of the same samples, first minus second: the score
/// intervals of both, put together with the correlation of the pairs (corrected for continuity where
/// it is positive); [-1, 1] without samples.
/// Source: Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10.
Interval newcombe_paired(const PairedCounts& counts);

/// P-values adjusted for having looked that many times, in the order given; each at most 1. Source:
/// Holm 1979, Scandinavian Journal of Statistics 6: the i-th smallest of m is multiplied by m - i + 1
/// (i from 1), and never smaller than one before it.
std::vector<double> holm(std::span<const double> p);

}  // namespace unmask::verdict
