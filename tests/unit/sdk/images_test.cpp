// Sizes and channels of images, against values worked out by hand.

#include "unmask/images.hpp"

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::test::images_test {
namespace {

Tensor row(const std::vector<double>& values) {
  return torch::tensor(values, torch::kFloat).view({1, 1, 1, -1});
}
Tensor byte_row(const std::vector<int>& values) {
  return torch::tensor(values, torch::kInt).to(torch::kByte).view({1, 1, 1, -1});
}

// The values are quotients of small numbers: one rounding to float32 apart from the decimals here.
void expect_row(const Tensor& got, const std::vector<double>& expected) {
  EXPECT_EQ(got.sizes(), at::IntArrayRef({1, 1, 1, static_cast<std::int64_t>(expected.size())}));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(got.flatten()[static_cast<std::int64_t>(i)].item<double>(), expected[i], 1e-7);
  }
}

TEST(ResizeImages, AveragesPairsWhenHalving) {
  expect_row(resize_images(row({0.0, 0.5, 1.0, 0.2}), 1, 2), {0.25, 0.6});
}

TEST(ResizeImages, SharesAPixelBetweenTheOutputsThatItReachesInto) {
  // 3 to 2: each output covers one and a half pixels, the one in the middle counts half.
  expect_row(resize_images(row({0.3, 0.6, 0.9}), 1, 2),
             {(0.3 + 0.6 / 2) / 1.5, (0.6 / 2 + 0.9) / 1.5});
}

TEST(ResizeImages, InterpolatesBetweenCentresWhenDoubling) {
  // Centres at -1/4, 1/4, 3/4, 5/4 in input pixels; the outer two are limited to 0 and 1.
  expect_row(resize_images(row({0.0, 1.0}), 1, 4), {0.0, 0.25, 0.75, 1.0});
}

TEST(ResizeImages, InterpolatesAtAWholeNumberOfThirds) {
  // 2 to 3: centres at -1/6 (limited), 1/2, 7/6 (limited).
  expect_row(resize_images(row({0.2, 0.8}), 1, 3), {0.2, 0.5, 0.8});
}

TEST(ResizeImages, TreatsTheAxesAlikeAndOneAfterTheOther) {
  const Tensor image = torch::tensor({0.0, 0.4, 0.8, 0.4}, torch::kFloat).view({1, 1, 2, 2});

  const Tensor got = resize_images(image, 1, 4);

  // Rows 0.0 0.4 and 0.8 0.4 have the mean 0.4 0.4.
  expect_row(got, {0.4, 0.4, 0.4, 0.4});
  EXPECT_TRUE(torch::equal(resize_images(image.transpose(2, 3), 4, 1), got.transpose(2, 3)));
}

TEST(ResizeImages, RoundsBytesHalfUpwards) {
  // Means 0.5, 1.5 and 2.25.
  const Tensor got = resize_images(byte_row({0, 1, 1, 2, 2, 2}), 1, 3);

  EXPECT_TRUE(torch::equal(got, byte_row({1, 2, 2})));
}

TEST(ResizeImages, RoundsBytesOnce) {
  const Tensor image = torch::tensor({0, 1, 0, 0}, torch::kInt).to(torch::kByte).view({1, 1, 2, 2});

  // The mean is 1/4. Rounding after each axis would give 1/2, 0 and then 1.
  EXPECT_EQ(resize_images(image, 1, 1).item<int>(), 0);
}

TEST(ResizeImages, UndoesTheRepetitionOfPixels) {
  const Tensor image = torch::randint(0, 256, {2, 3, 11, 7}, torch::kByte);
  const Tensor repeated = image.repeat_interleave(3, 2).repeat_interleave(2, 3);

  EXPECT_TRUE(torch::equal(resize_images(repeated, 11, 7), image));
}

TEST(ResizeImages, KeepsEqualValuesWhateverTheSizes) {
  for (const std::int64_t from : {1, 3, 7, 20}) {
    for (const std::int64_t to : {1, 2, 5, 20, 33}) {
      const Tensor image = torch::full({1, 1, from, from}, 1.0f);
      EXPECT_TRUE(torch::equal(resize_images(image, to, to), torch::ones({1, 1, to, to})))
          << from << " to " << to;
    }
  }
}

TEST(ResizeImages, DependsOnThePlaneAlone) {
  const Tensor images = torch::rand({3, 2, 9, 8});

  const Tensor together = resize_images(images, 5, 12);
  const Tensor alone = resize_images(images.narrow(0, 2, 1).narrow(1, 1, 1), 5, 12);

  EXPECT_TRUE(torch::equal(together.narrow(0, 2, 1).narrow(1, 1, 1), alone));
}

TEST(ResizeImages, GivesBackWhatHasTheSizeAlready) {
  const Tensor images = torch::rand({1, 1, 4, 4});

  EXPECT_TRUE(resize_images(images, 4, 4).is_same(images));
}

TEST(ResizeImages, MakesNothingOfNoImages) {
  EXPECT_EQ(resize_images(torch::empty({0, 3, 8, 8}, torch::kByte), 4, 4).sizes(),
            at::IntArrayRef({0, 3, 4, 4}));
}

TEST(WithChannels, WeighsColoursAsRec601Does) {
  const Tensor images = torch::eye(3).view({3, 3, 1, 1});

  const Tensor grey = with_channels(images, 1);

  EXPECT_FLOAT_EQ(grey[0].item<float>(), 0.299f);
  EXPECT_FLOAT_EQ(grey[1].item<float>(), 0.587f);
  EXPECT_FLOAT_EQ(grey[2].item<float>(), 0.114f);
}

TEST(WithChannels, RoundsBytesToTheNearest) {
  const Tensor image = torch::tensor({255, 10, 3}, torch::kInt).to(torch::kByte).view({1, 3, 1, 1});

  // 76.245 + 5.87 + 0.342 = 82.457
  EXPECT_EQ(with_channels(image, 1).item<int>(), 82);
}

TEST(WithChannels, RepeatsGreyAndTakesItBack) {
  const Tensor grey = torch::arange(256).to(torch::kByte).view({1, 1, 16, 16});

  const Tensor colour = with_channels(grey, 3);

  EXPECT_EQ(colour.sizes(), at::IntArrayRef({1, 3, 16, 16}));
  EXPECT_TRUE(torch::equal(with_channels(colour, 1), grey));
}

TEST(WithChannels, RefusesOtherCounts) {
  EXPECT_THROW(with_channels(torch::rand({1, 4, 2, 2}), 3), DataError);
  EXPECT_THROW(with_channels(torch::rand({1, 2, 2, 2}), 1), DataError);
}

}  // namespace
}  // namespace unmask::test::images_test
