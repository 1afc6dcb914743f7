// Random numbers that belong to samples. Statistical bounds are five standard errors at fixed
// seeds.

#include "unmask/random.hpp"

#include <cmath>
#include <set>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::test::random_test {
namespace {

const auto kDouble = at::TensorOptions().dtype(at::kDouble);
constexpr std::int64_t kMany = 100000;

Tensor like(std::int64_t rows, std::int64_t size = 10) {
  return at::empty({rows, size}, kDouble);
}

double correlation(const Tensor& a, const Tensor& b) {
  const Tensor x = a - a.mean();
  const Tensor y = b - b.mean();
  return ((x * y).sum() / (x.norm() * y.norm())).item<double>();
}

TEST(DeriveSeed, DependsOnEveryPart) {
  std::set<std::uint64_t> seeds;
  for (const std::uint64_t seed : {0, 1}) {
    for (const char* purpose : {"", "a", "b", "ab", "ba"}) {
      for (const std::uint64_t number : {0, 1}) seeds.insert(derive_seed(seed, purpose, number));
    }
  }
  EXPECT_EQ(seeds.size(), 20U);
}

TEST(DeriveSeed, StaysWhatItIs) {
  // Stored results depend on these: a change here changes all random numbers behind equal keys.
  EXPECT_EQ(mix64(1), 0x5692161d100b05e5ULL);
  EXPECT_EQ(derive_seed(1, "restart", 2), 0xf15a01f03883dec6ULL);
}

TEST(SampleRandom, GivesASampleItsNumbersInWhateverBatch) {
  const Tensor together = SampleRandom(7, {10, 11, 12}).uniform(like(3), 0, 1);
  const Tensor alone = SampleRandom(7, {12}).uniform(like(1), 0, 1);
  const Tensor reversed = SampleRandom(7, {12, 11, 10}).uniform(like(3), 0, 1);

  EXPECT_TRUE(at::equal(together[2], alone[0]));
  EXPECT_TRUE(at::equal(together.flip(0), reversed));
}

TEST(SampleRandom, GivesNamedRowsTheirNumbers) {
  SampleRandom whole(7, {10, 11, 12});
  SampleRandom part(7, {10, 11, 12});

  const Tensor all = whole.signs(like(3));
  const Tensor some = part.signs(like(2), at::tensor({2, 0}, at::kLong));

  EXPECT_TRUE(at::equal(some[0], all[2]));
  EXPECT_TRUE(at::equal(some[1], all[0]));
}

TEST(SampleRandom, AdvancesAbsentRowsToo) {
  SampleRandom whole(7, {10, 11});
  SampleRandom part(7, {10, 11});
  whole.normal(like(2));
  part.normal(like(1), at::tensor({0}, at::kLong));

  EXPECT_TRUE(at::equal(whole.normal(like(2)), part.normal(like(2))));
}

TEST(SampleRandom, RefusesAPartWithoutItsRows) {
  SampleRandom random(7, {10, 11});

  EXPECT_THROW(random.uniform(like(1), 0, 1), InternalError);
}

TEST(SampleRandom, CopiesItsPosition) {
  SampleRandom random(7, {1});
  random.uniform(like(1), 0, 1);
  SampleRandom copy = random;

  EXPECT_TRUE(at::equal(copy.uniform(like(1), 0, 1), random.uniform(like(1), 0, 1)));
}

TEST(SampleRandom, DrawsAnewEveryTime) {
  SampleRandom random(7, {1});

  const Tensor first = random.uniform(like(1, kMany), 0, 1);
  const Tensor second = random.uniform(like(1, kMany), 0, 1);

  EXPECT_LE(std::abs(correlation(first, second)), 5 / std::sqrt(kMany));
}

TEST(SampleRandom, GivesDifferentSamplesIndependentNumbers) {
  const Tensor rows = SampleRandom(7, {1, 2}).uniform(like(2, kMany), 0, 1);

  EXPECT_LE(std::abs(correlation(rows[0], rows[1])), 5 / std::sqrt(kMany));
}

TEST(SampleRandom, GivesIndependentStreams) {
  const SampleRandom random(7, {1});

  const Tensor zero = random.stream("restart", 0).uniform(like(1, kMany), 0, 1);
  const Tensor one = random.stream("restart", 1).uniform(like(1, kMany), 0, 1);
  const Tensor other = random.stream("start", 0).uniform(like(1, kMany), 0, 1);

  EXPECT_LE(std::abs(correlation(zero, one)), 5 / std::sqrt(kMany));
  EXPECT_LE(std::abs(correlation(zero, other)), 5 / std::sqrt(kMany));
}

TEST(SampleRandom, IsNotAdvancedByItsStreams) {
  SampleRandom first(7, {1});
  SampleRandom second(7, {1});
  first.stream("restart", 0).uniform(like(1), 0, 1);

  EXPECT_TRUE(at::equal(first.uniform(like(1), 0, 1), second.uniform(like(1), 0, 1)));
}

TEST(SampleRandom, UniformHasTheMomentsOfItsRange) {
  const Tensor x = SampleRandom(7, {1}).uniform(like(1, kMany), -2, 4);

  EXPECT_GE(x.min().item<double>(), -2.0);
  EXPECT_LT(x.max().item<double>(), 4.0);
  // Variance 36 / 12; of the squared deviation: (6^4) (1/80 - 1/144).
  EXPECT_NEAR(x.mean().item<double>(), 1.0, 5 * std::sqrt(3.0 / kMany));
  EXPECT_NEAR(x.var().item<double>(), 3.0, 5 * std::sqrt(1296 * (1.0 / 80 - 1.0 / 144) / kMany));
}

TEST(SampleRandom, SignsAreFairAndNothingElse) {
  const Tensor x = SampleRandom(7, {1}).signs(like(1, kMany));

  EXPECT_TRUE(x.abs().eq(1).all().item<bool>());
  EXPECT_LE(std::abs(x.mean().item<double>()), 5 / std::sqrt(kMany));
  // Neighbours share a word of 64 bits; they must not share more.
  EXPECT_LE(std::abs(correlation(x.slice(1, 0, kMany - 1), x.slice(1, 1, kMany))),
            5 / std::sqrt(kMany));
  EXPECT_LE(std::abs(correlation(x.slice(1, 0, kMany - 64), x.slice(1, 64, kMany))),
            5 / std::sqrt(kMany));
}

TEST(SampleRandom, NormalHasFourRightMoments) {
  const Tensor x = SampleRandom(7, {1}).normal(like(1, kMany));

  // Variances of x, x^2, x^3, x^4 under the normal law: 1, 2, 15, 96.
  EXPECT_NEAR(x.mean().item<double>(), 0, 5 * std::sqrt(1.0 / kMany));
  EXPECT_NEAR(x.pow(2).mean().item<double>(), 1, 5 * std::sqrt(2.0 / kMany));
  EXPECT_NEAR(x.pow(3).mean().item<double>(), 0, 5 * std::sqrt(15.0 / kMany));
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3, 5 * std::sqrt(96.0 / kMany));
  EXPECT_TRUE(x.isfinite().all().item<bool>());
}

TEST(SampleRandom, TakesShapeAndTypeFromTheExample) {
  const Tensor example = at::empty({2, 3, 4, 5}, at::kFloat);

  const Tensor single = SampleRandom(7, {1, 2}).normal(example);
  const Tensor wide = SampleRandom(7, {1, 2}).normal(example.to(at::kDouble));

  EXPECT_EQ(single.sizes(), example.sizes());
  EXPECT_EQ(single.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(single, wide.to(at::kFloat)));
}

TEST(SampleRandom, AcceptsABatchOfNothing) {
  EXPECT_EQ(SampleRandom(7, {}).signs(like(0)).sizes(), at::IntArrayRef({0, 10}));
}

}  // namespace
}  // namespace unmask::test::random_test
