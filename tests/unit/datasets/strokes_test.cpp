// The generator of `strokes` against the check values of its specification.

#include <numeric>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "plugins/datasets/strokes/generator.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::test::strokes_test {
namespace {

TEST(StrokesGenerator, MixesAsSpecified) {
  EXPECT_EQ(mix64(1), 0x5692161d100b05e5ULL);
}

TEST(StrokesGenerator, StartsImagesAsSpecified) {
  EXPECT_EQ(strokes::image_base(1, 0), 0x21b2c52e0290861dULL);
  EXPECT_EQ(strokes::image_base(1, 1), 0x78c63dbf39b027c1ULL);
}

TEST(StrokesGenerator, DrawsAsSpecified) {
  EXPECT_EQ(strokes::draw_bits(strokes::image_base(1, 0), 0), 11677988U);
  EXPECT_EQ(strokes::draw_bits(strokes::image_base(1, 1), 0), 1974022U);
}

std::vector<std::uint8_t> draw(int size,
                               std::uint64_t seed,
                               std::uint64_t index,
                               const strokes::Difficulty& difficulty = strokes::kStandard) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
  strokes::draw_image(size, difficulty, seed, index, pixels);
  return pixels;
}

TEST(StrokesGenerator, DrawsTheSpecifiedFirstPixels) {
  const auto pixels = draw(20, 1, 0);

  const int expected[] = {204, 195, 185, 191, 204, 194};
  // Another libm may round a value to the neighbouring grey level.
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(pixels[i], expected[i], 1);
}

struct SumCase {
  const char* difficulty;
  int size;
  std::uint64_t seed;
  int sums[4];
};

class StrokesSums : public testing::TestWithParam<SumCase> {};

TEST_P(StrokesSums, AreTheSpecifiedOnes) {
  const SumCase& expected = GetParam();
  for (std::uint64_t image = 0; image < 4; ++image) {
    const auto pixels =
        draw(expected.size, expected.seed, image, strokes::difficulty_of(expected.difficulty));
    // The specification allows a few units for differences of libm.
    EXPECT_NEAR(std::accumulate(pixels.begin(), pixels.end(), 0), expected.sums[image], 3);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table,
    StrokesSums,
    testing::Values(SumCase{"easy", 20, 1, {48990, 34770, 28794, 36417}},
                    SumCase{"easy", 20, 2, {47780, 46081, 45779, 37597}},
                    SumCase{"easy", 28, 1, {95442, 67815, 55452, 70795}},
                    SumCase{"easy", 28, 2, {92692, 89927, 89271, 73040}},
                    SumCase{"standard", 20, 1, {68792, 46434, 34507, 41862}},
                    SumCase{"standard", 20, 2, {66801, 65162, 59076, 51993}},
                    SumCase{"standard", 28, 1, {134328, 91500, 67317, 83014}},
                    SumCase{"standard", 28, 2, {130053, 127368, 116707, 101361}},
                    SumCase{"hard", 20, 1, {72332, 45701, 29798, 40144}},
                    SumCase{"hard", 20, 2, {70376, 68659, 62678, 50987}},
                    SumCase{"hard", 28, 1, {142292, 89824, 58074, 80266}},
                    SumCase{"hard", 28, 2, {137248, 134680, 124180, 99707}},
                    SumCase{"extreme", 20, 1, {77565, 44805, 25434, 39309}},
                    SumCase{"extreme", 20, 2, {75057, 73060, 66388, 50516}},
                    SumCase{"extreme", 28, 1, {152166, 87956, 49067, 78307}},
                    SumCase{"extreme", 28, 2, {145768, 143047, 131562, 98800}}));

std::unique_ptr<Dataset> make(std::map<std::string, ParamValue> values = {}) {
  return make_plugin<Dataset>("dataset", "strokes", std::move(values));
}

TEST(Strokes, DescribesTheReferenceSetting) {
  const DatasetInfo info = make()->describe();

  EXPECT_EQ(info.channels, 1);
  EXPECT_EQ(info.height, 20);
  EXPECT_EQ(info.width, 20);
  EXPECT_EQ(info.num_classes, 10);
  EXPECT_EQ(info.train_count, 6000);
  EXPECT_EQ(info.test_count, 1000);
}

TEST(Strokes, LoadsTheImagesOfTheGenerator) {
  const Samples samples = make({{"test_count", std::int64_t{5}}})->load(Split::kTest);

  const auto expected = draw(20, 2, 4);
  const Tensor image = samples.images[4].contiguous();
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), image.data_ptr<std::uint8_t>()));
}

TEST(Strokes, LabelsImagesByTheirIndexModuloTen) {
  const Samples samples = make({{"train_count", std::int64_t{25}}})->load(Split::kTrain);

  for (std::int64_t i = 0; i < 25; ++i) EXPECT_EQ(samples.labels[i].item<std::int64_t>(), i % 10);
}

TEST(Strokes, GivesOtherImagesForAnotherSeed) {
  const Samples first = make({{"train_count", std::int64_t{5}}})->load(Split::kTrain);
  const Samples other = make({{"train_count", std::int64_t{5}}, {"train_seed", std::int64_t{9}}})
                            ->load(Split::kTrain);

  EXPECT_FALSE(at::equal(first.images, other.images));
}

TEST(Strokes, HashesEveryParameter) {
  const std::string reference = make()->content_hash();

  EXPECT_NE(make({{"size", std::int64_t{28}}})->content_hash(), reference);
  EXPECT_NE(make({{"difficulty", "hard"}})->content_hash(), reference);
  EXPECT_NE(make({{"train_count", std::int64_t{5}}})->content_hash(), reference);
  EXPECT_NE(make({{"test_count", std::int64_t{5}}})->content_hash(), reference);
  EXPECT_NE(make({{"train_seed", std::int64_t{5}}})->content_hash(), reference);
  EXPECT_NE(make({{"test_seed", std::int64_t{5}}})->content_hash(), reference);
}

TEST(Strokes, LoadsImagesOfTheDifficulty) {
  const Samples samples =
      make({{"test_count", std::int64_t{5}}, {"difficulty", "extreme"}})->load(Split::kTest);

  const auto expected = draw(20, 2, 4, strokes::kExtreme);
  const Tensor image = samples.images[4].contiguous();
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), image.data_ptr<std::uint8_t>()));
}

TEST(Strokes, IsOfTheStandardDifficultyByDefault) {
  EXPECT_EQ(make({{"difficulty", "standard"}})->content_hash(), make()->content_hash());
}

// The hash of the default setting before there were difficulties: the images are the same.
TEST(Strokes, HashesTheStandardSettingAsEver) {
  EXPECT_EQ(make()->content_hash(),
            sha256_hex("strokes\ngenerator=1\nsize=20\ntrain_count=6000\ntest_count=1000\n"
                       "train_seed=1\ntest_seed=2\n"));
}

TEST(Strokes, RefusesOtherSizes) {
  EXPECT_THROW(make({{"size", std::int64_t{24}}}), ParamError);
  EXPECT_THROW(make({{"size", std::int64_t{32}}}), ParamError);
}

TEST(Strokes, RefusesOneSeedForBothSplits) {
  EXPECT_THROW(make({{"test_seed", std::int64_t{1}}}), ParamError);
}

}  // namespace
}  // namespace unmask::test::strokes_test
