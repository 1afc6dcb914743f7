#include "engine/data.hpp"

#include <algorithm>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

using ::testing::HasSubstr;

// A data set that says one thing and delivers what it is told to.
class FakeDataset final : public Dataset {
 public:
  FakeDataset(Tensor images, Tensor labels) : samples_{std::move(images), std::move(labels)} {}
  DatasetInfo describe() override { return {1, 2, 3, 4, 5, 5, {"a", "b", "c", "d"}}; }
  std::string content_hash() override { return std::string(64, '0'); }
  Samples load(Split) override { return samples_; }

 private:
  Samples samples_;
};

Tensor images(std::int64_t n = 5) {
  return torch::full({n, 1, 2, 3}, 51, torch::kByte);
}
Tensor labels(std::int64_t n = 5) {
  return torch::arange(n) % 4;
}

std::string complaint_about(const Tensor& x, const Tensor& y) {
  FakeDataset dataset(x, y);
  try {
    load_split(dataset, Split::kTest, 0);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(LoadSplit, KeepsTheFirstSamples) {
  FakeDataset dataset(images(), labels());

  EXPECT_EQ(load_split(dataset, Split::kTrain, 3).size(), 3);
  EXPECT_EQ(load_split(dataset, Split::kTrain, 0).size(), 5);
  EXPECT_EQ(load_split(dataset, Split::kTrain, 99).size(), 5);
}

TEST(LoadSplit, RefusesWhatTheDataSetDidNotPromise) {
  EXPECT_EQ(complaint_about(images(), labels()), "");
  EXPECT_THAT(complaint_about(images(4), labels(4)),
              HasSubstr("5 samples were announced, 4 images came"));
  EXPECT_THAT(complaint_about(images(), labels(4)), HasSubstr("were announced"));
  EXPECT_THAT(complaint_about(images().transpose(2, 3), labels()), HasSubstr("announced shape"));
  EXPECT_THAT(complaint_about(images().to(torch::kInt), labels()), HasSubstr("uint8 or float32"));
  EXPECT_THAT(complaint_about(images(), labels().to(torch::kInt)), HasSubstr("int64"));
  EXPECT_THAT(complaint_about(images(), labels() + 1), HasSubstr("outside of 0 .. 3"));
  EXPECT_THAT(complaint_about(images().to(torch::kFloat), labels()),
              HasSubstr("outside of [0, 1]"));
}

TEST(GatherImages, TurnsBytesIntoTheUnitInterval) {
  const LoadedSplit split{images(), labels()};

  const Tensor x = gather_images(split, {4, 0}, at::kDouble);

  EXPECT_EQ(x.sizes(), (std::vector<std::int64_t>{2, 1, 2, 3}));
  EXPECT_EQ(x.max().item<double>(), 51.0 / 255);
  EXPECT_EQ(gather_labels(split, {4, 3})[1].item<std::int64_t>(), 3);
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
    const Tensor y = augment(x, {0}, 1, false, seed);

    EXPECT_EQ(y.sizes(), x.sizes());
    EXPECT_EQ(y[0][0].slice(0, 1, 4).slice(1, 1, 4).sum().item<float>(), 1.0f);
  }
}

TEST(Augment, DependsOnTheSampleAndNotOnItsPlaceInTheBatch) {
  const Tensor a = torch::rand({1, 1, 6, 6});
  const Tensor b = torch::rand({1, 1, 6, 6});

  const Tensor alone = augment(a, {17}, 2, true, 5);
  const Tensor together = augment(torch::cat({b, a}), {4, 17}, 2, true, 5);

  EXPECT_TRUE(torch::equal(alone[0], together[1]));
}

TEST(Augment, MirrorsAboutHalfOfTheImages) {
  const Tensor x = torch::tensor({0.0f, 1.0f}).view({1, 1, 1, 2}).expand({1000, 1, 1, 2});
  std::vector<std::int64_t> ids(1000);
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);

  const double mirrored = augment(x, ids, 0, true, 3).select(3, 0).sum().item<double>();

  // Binomial(1000, 1/2): standard deviation 15.8; five of them.
  EXPECT_NEAR(mirrored, 500, 79);
}

}  // namespace
}  // namespace unmask::engine
