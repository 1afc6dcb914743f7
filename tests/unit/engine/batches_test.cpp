#include "engine/batches.hpp"

#include <algorithm>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::engine::batches_test {
namespace {

Tensor augmented(const Tensor& x,
                 const std::vector<std::int64_t>& samples,
                 std::int64_t padding,
                 bool flip,
                 std::uint64_t seed) {
  return augment(x, plan_augmentation(samples, x.size(2), x.size(3), padding, flip, seed));
}

// 7 images of 2 channels, 3 x 4 pixels, all values different.
LoadedSplit seven_images() {
  return {torch::arange(7 * 2 * 3 * 4, torch::kByte).view({7, 2, 3, 4}), torch::arange(7)};
}

BatchPlan plan_of_seven() {
  BatchPlan plan;
  plan.count = 7;
  plan.batch_size = 3;
  plan.crop_padding = 1;
  plan.horizontal_flip = true;
  plan.seed = 5;
  return plan;
}

TEST(Permutation, IsAPermutationAndDependsOnTheSeed) {
  auto order = permutation(100, 7);

  EXPECT_EQ(order, permutation(100, 7));
  EXPECT_NE(order, permutation(100, 8));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Augment, MovesAnImageByAtMostThePadding) {
  const Tensor x = torch::zeros({1, 1, 5, 5});
  x[0][0][2][2] = 1;

  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Tensor y = augmented(x, {0}, 1, false, seed);

    EXPECT_EQ(y.sizes(), x.sizes());
    EXPECT_EQ(y[0][0].slice(0, 1, 4).slice(1, 1, 4).sum().item<float>(), 1.0f);
  }
}

// Padding, cropping and mirroring image by image, from what the plan says of the first pixel.
TEST(Augment, CutsAWindowOutOfThePaddedImageAndMirrorsIt) {
  const Tensor x = torch::rand({20, 2, 4, 5});
  std::vector<std::int64_t> samples(20);
  for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int64_t>(i);
  const AugmentPlan plan = plan_augmentation(samples, 4, 5, 2, true, 9);

  const Tensor y = augment(x, plan);

  for (std::int64_t i = 0; i < 20; ++i) {
    const Tensor padded = at::constant_pad_nd(x[i], {2, 2, 2, 2});
    const Tensor columns = plan.columns[i];
    const bool is_mirrored = columns[0].item<std::int64_t>() > columns[4].item<std::int64_t>();
    const std::int64_t left = columns.min().item<std::int64_t>();
    Tensor window = padded.narrow(1, plan.rows[i][0].item<std::int64_t>(), 4).narrow(2, left, 5);
    if (is_mirrored) window = window.flip({2});
    EXPECT_TRUE(torch::equal(y[i], window)) << i;
  }
}

TEST(Augment, DependsOnTheSampleAndNotOnItsPlaceInTheBatch) {
  const Tensor a = torch::rand({1, 1, 6, 6});
  const Tensor b = torch::rand({1, 1, 6, 6});

  const Tensor alone = augmented(a, {17}, 2, true, 5);
  const Tensor together = augmented(torch::cat({b, a}), {4, 17}, 2, true, 5);

  EXPECT_TRUE(torch::equal(alone[0], together[1]));
}

TEST(Augment, MirrorsAboutHalfOfTheImages) {
  const Tensor x = torch::tensor({0.0f, 1.0f}).view({1, 1, 1, 2}).expand({1000, 1, 1, 2});
  std::vector<std::int64_t> ids(1000);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);

  const double mirrored = augmented(x, ids, 0, true, 3).select(3, 0).sum().item<double>();

  // Binomial(1000, 1/2): standard deviation 15.8; five of them.
  EXPECT_NEAR(mirrored, 500, 79);
}

TEST(MakeBatch, TurnsBytesIntoTheUnitIntervalAfterMovingThem) {
  const LoadedSplit data = seven_images();
  BatchPlan plan = plan_of_seven();
  plan.crop_padding = 0;
  plan.horizontal_flip = false;

  const Batch batch = make_batch(data, plan, 0, 1);

  ASSERT_EQ(batch.samples.size(), 3u);
  EXPECT_TRUE(torch::equal(batch.x, gather_images(data, batch.samples, torch::kFloat)));
  EXPECT_TRUE(torch::equal(batch.y, gather_labels(data, batch.samples)));
}

TEST(MakeBatch, LeavesSamplesBeyondTheCountOut) {
  BatchPlan plan = plan_of_seven();
  plan.count = 4;

  std::vector<std::int64_t> seen;
  for (std::int64_t step = 0; step < plan.steps(); ++step) {
    for (const std::int64_t s : make_batch(seven_images(), plan, 0, step).samples) {
      seen.push_back(s);
    }
  }

  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 1, 2, 3}));
}

TEST(BatchStream, GivesTheBatchesOfAllEpochsInOrderFromAnyStep) {
  const LoadedSplit data = seven_images();
  const BatchPlan plan = plan_of_seven();
  for (std::int64_t start = 0; start < 6; ++start) {
    BatchStream stream(data, plan, 2, start / 3, start % 3);
    for (std::int64_t i = start; i < 6; ++i) {
      const Batch expected = make_batch(data, plan, i / 3, i % 3);
      const Batch batch = stream.next();
      EXPECT_EQ(batch.samples, expected.samples) << start << " " << i;
      EXPECT_TRUE(torch::equal(batch.x, expected.x)) << start << " " << i;
      EXPECT_TRUE(torch::equal(batch.y, expected.y)) << start << " " << i;
    }
  }
}

TEST(BatchStream, ThrowsWhatMakingABatchHasThrown) {
  const LoadedSplit broken{torch::zeros({2, 1, 1, 1}, torch::kByte),
                           torch::zeros({2}, torch::kLong)};
  BatchPlan plan = plan_of_seven();  // of seven samples

  BatchStream stream(broken, plan, 1, 0, 0);

  EXPECT_THROW(for (int i = 0; i < 3; ++i) stream.next(), std::exception);
}

TEST(BatchStream, EndsAfterTheLastEpoch) {
  const LoadedSplit data = seven_images();
  BatchStream stream(data, plan_of_seven(), 1, 0, 2);
  stream.next();

  EXPECT_THROW(stream.next(), InternalError);
}

}  // namespace
}  // namespace unmask::engine::batches_test
