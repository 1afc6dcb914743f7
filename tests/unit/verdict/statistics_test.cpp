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
