#include "verdict/statistics.hpp"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::verdict::statistics_test {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// Sums of at most 200 terms, each right to about 200 rounding errors of lgamma: 1e-12 relative.
constexpr double kRelative = 1e-11;

// By hand: of 5 fair coins at least 4 heads: (5 + 1) / 32; of 3 throws at 1/4 at least 2: 3 * 3/64 + 1/64.
TEST(Binomial, TailsOfSmallCountsAreThoseOfTheFormula) {
  EXPECT_NEAR(binomial_tail(4, 5, 0.5), 6.0 / 32, kRelative);
  EXPECT_NEAR(binomial_tail(2, 3, 0.25), 10.0 / 64, kRelative);
  EXPECT_EQ(binomial_tail(0, 7, 0.3), 1);
  EXPECT_EQ(binomial_tail(1, 7, 0), 0);
  EXPECT_EQ(binomial_tail(7, 7, 1), 1);
}

TEST(Binomial, BothTailsTogetherAreOne) {
  // P(X >= 41) + P(X <= 40), the latter as the upper tail of the failures.
  EXPECT_NEAR(binomial_tail(41, 100, 0.37) + binomial_tail(60, 100, 0.63), 1, kRelative);
}

// By hand: 10 discordant pairs, all one way: 2^-10; 1 against 9: (10 + 1) / 1024.
TEST(McNemar, SmallTablesAreThoseOfTheFormula) {
  EXPECT_NEAR(mcnemar_one_sided(0, 10), 1.0 / 1024, kRelative);
  EXPECT_NEAR(mcnemar_one_sided(1, 9), 11.0 / 1024, kRelative);
  EXPECT_NEAR(mcnemar_one_sided(9, 1), 1023.0 / 1024, kRelative);
}

// Agresti, Categorical Data Analysis (2nd ed. 2002), 10.1: approval of a prime minister, 86 against
// 150 that changed their minds; exact two-sided p = 3.72e-5 (dbinom sums in R: 3.716e-05), which
// is twice the one tail.
TEST(McNemar, AgrestisTableOfApprovals) {
  EXPECT_NEAR(2 * mcnemar_one_sided(86, 150), 3.716e-5, 0.001e-5);
}

TEST(McNemar, TwoSidedIsTwiceTheSmallerTailAtMostOne) {
  EXPECT_NEAR(mcnemar_two_sided(86, 150), 3.716e-5, 0.001e-5);
  EXPECT_NEAR(mcnemar_two_sided(9, 1), 22.0 / 1024, kRelative);
  EXPECT_EQ(mcnemar_two_sided(5, 5), 1);
  EXPECT_EQ(mcnemar_two_sided(0, 0), 1);
}

// Newcombe 1998 prints his examples to four digits; Fagerland, Lydersen, Laake 2014 (Statistics in
// Medicine 33) print the second data set (airway hyper-responsiveness) to three.
TEST(Newcombe, PairedIntervalsAreThoseOfThePapers) {
  const Interval first = newcombe_paired({36, 12, 2, 0});
  EXPECT_NEAR(first.lower, 0.0569, 0.00005);
  EXPECT_NEAR(first.upper, 0.3404, 0.00005);
  const Interval second = newcombe_paired({1, 1, 7, 12});
  EXPECT_NEAR(second.lower, -0.507, 0.0005);
  EXPECT_NEAR(second.upper, -0.026, 0.0005);
}

// Two margins of 50 of 50: the Wilson interval of each is [50 / (50 + z^2), 1], without correlation the
// ends are +- z^2 / (50 + z^2).
TEST(Newcombe, EqualAnswersHaveAnIntervalAroundNothing) {
  const Interval interval = newcombe_paired({50, 0, 0, 0});
  EXPECT_NEAR(interval.upper, 3.841458820694124 / 53.841458820694124, 1e-12);
  EXPECT_NEAR(interval.lower, -interval.upper, 1e-12);
}

TEST(Newcombe, SidesChangedRoundChangeSignsAndNothingSaysNothing) {
  const Interval forth = newcombe_paired({20, 12, 2, 16});
  const Interval back = newcombe_paired({20, 2, 12, 16});
  EXPECT_NEAR(forth.lower, -back.upper, 1e-12);
  EXPECT_NEAR(forth.upper, -back.lower, 1e-12);
  EXPECT_EQ(newcombe_paired({}).lower, -1);
  EXPECT_EQ(newcombe_paired({}).upper, 1);
  EXPECT_THROW(newcombe_paired({-1, 0, 0, 0}), InternalError);
}

TEST(McNemar, NoDifferenceIsNoEvidence) {
  EXPECT_EQ(mcnemar_one_sided(0, 0), 1);
}

TEST(McNemar, ASidedTestTellsTheSides) {
  EXPECT_LT(mcnemar_one_sided(2, 20), 0.001);
  EXPECT_GT(mcnemar_one_sided(20, 2), 0.999);
}

// Newcombe 1998, Statistics in Medicine 17, table I, method 3 (score), four decimals.
TEST(Intervals, AreNewcombesTable) {
  const auto expect = [](const Interval& found, double lower, double upper) {
    EXPECT_NEAR(found.lower, lower, 0.00005);
    EXPECT_NEAR(found.upper, upper, 0.00005);
  };
  expect(wilson(81, 263), 0.2553, 0.3662);
  expect(wilson(15, 148), 0.0624, 0.1605);
  expect(wilson(0, 20), 0.0, 0.1611);
  expect(wilson(1, 29), 0.0061, 0.1718);
}

TEST(Intervals, AreMirroredForTheOtherShare) {
  EXPECT_NEAR(wilson(3, 17).lower, 1 - wilson(14, 17).upper, kRelative);
}

TEST(Intervals, WithoutSamplesNothingIsKnown) {
  EXPECT_EQ(wilson(0, 0).lower, 0);
  EXPECT_EQ(wilson(0, 0).upper, 1);
}

// By hand: sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04; none falls below
// one before it.
TEST(Holm, ValuesOfASmallFamily) {
  EXPECT_THAT(holm(std::vector{0.03, 0.01, 0.04, 0.02}),
              ElementsAre(DoubleNear(0.06, 1e-15),
                          DoubleNear(0.04, 1e-15),
                          DoubleNear(0.06, 1e-15),
                          DoubleNear(0.06, 1e-15)));
}

TEST(Holm, NothingExceedsOneAndOneAloneStays) {
  EXPECT_THAT(holm(std::vector{0.7, 0.9}), ElementsAre(1.0, 1.0));
  EXPECT_THAT(holm(std::vector{0.7}), ElementsAre(0.7));
  EXPECT_TRUE(holm(std::vector<double>{}).empty());
}

TEST(Statistics, RefuseCountsThatCannotBe) {
  EXPECT_THROW(wilson(3, 2), InternalError);
  EXPECT_THROW(wilson(-1, 2), InternalError);
  EXPECT_THROW(binomial_tail(1, 2, 1.5), InternalError);
  EXPECT_THROW(mcnemar_one_sided(-1, 2), InternalError);
}

}  // namespace
}  // namespace unmask::verdict::statistics_test
