#include "engine/data.hpp"

#include <algorithm>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/host_options.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::data_test {
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
    load_split(dataset, Split::kTest, {});
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(LoadSplit, KeepsTheFirstSamples) {
  FakeDataset dataset(images(), labels());

  EXPECT_EQ(load_split(dataset, Split::kTrain, {.train_limit = 3, .test_limit = 2}).size(), 3);
  EXPECT_EQ(load_split(dataset, Split::kTest, {.train_limit = 3, .test_limit = 2}).size(), 2);
  EXPECT_EQ(load_split(dataset, Split::kTrain, {}).size(), 5);
  EXPECT_EQ(load_split(dataset, Split::kTrain, {.train_limit = 99}).size(), 5);
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

std::vector<std::string> remarks(const std::vector<std::int64_t>& values) {
  FakeDataset dataset(images(), torch::tensor(values, torch::kLong));
  return remarks_about_labels(dataset);
}

TEST(Labels, CountedFromOneOrWithGapsAreRemarked) {
  EXPECT_THAT(remarks({0, 1, 2, 3, 0}), ::testing::IsEmpty());
  EXPECT_THAT(remarks({0, 1, 0, 1, 0}), ::testing::IsEmpty());
  EXPECT_THAT(remarks({1, 2, 3, 1, 1}), ::testing::ElementsAre(HasSubstr("run from 1 to 3")));
  EXPECT_THAT(
      remarks({0, 2, 0, 2, 3}),
      ::testing::ElementsAre(HasSubstr("no image has the label 1, though labels go up to 3")));
  EXPECT_THAT(remarks({3, 3, 3, 3, 3}),
              ::testing::ElementsAre(HasSubstr("no image has the label 0, 1, 2, though")));
}

TEST(LoadSplit, LeavesEverythingAsItIsByDefault) {
  FakeDataset dataset(images(), labels());

  const LoadedSplit split = load_split(dataset, Split::kTrain, {});

  EXPECT_TRUE(torch::equal(split.images, images()));
  EXPECT_TRUE(torch::equal(split.labels, labels()));
}

TEST(ClassFilter, KeepsTheClassesAndRelabelsThemInTheGivenOrder) {
  const Tensor x = torch::arange(5).to(torch::kByte).view({5, 1, 1, 1}).expand({5, 1, 2, 3});
  FakeDataset dataset(x, torch::tensor({0, 3, 1, 3, 0}, torch::kLong));

  const LoadedSplit split = load_split(dataset, Split::kTrain, {.classes = {3, 0}});

  EXPECT_TRUE(torch::equal(split.labels, torch::tensor({1, 0, 0, 1}, torch::kLong)));
  EXPECT_TRUE(torch::equal(split.images.select(1, 0).select(1, 0).select(1, 0),
                           torch::tensor({0, 1, 3, 4}, torch::kInt).to(torch::kByte)));
}

TEST(ClassFilter, ComesBeforeTheLimit) {
  FakeDataset dataset(images(), torch::tensor({0, 3, 1, 3, 0}, torch::kLong));

  const LoadedSplit split = load_split(dataset, Split::kTest, {.classes = {1, 3}, .test_limit = 2});

  EXPECT_TRUE(torch::equal(split.labels, torch::tensor({1, 0}, torch::kLong)));
}

TEST(ClassFilter, IsWhatModelsSee) {
  FakeDataset dataset(images(), labels());

  const DatasetInfo info = describe(dataset, {.classes = {3, 0}});

  EXPECT_EQ(info.num_classes, 2);
  EXPECT_EQ(info.class_names, (std::vector<std::string>{"d", "a"}));
}

TEST(ClassFilter, IsCounted) {
  FakeDataset dataset(images(), torch::tensor({0, 3, 1, 3, 0}, torch::kLong));

  EXPECT_EQ(sample_count(dataset, Split::kTest, {.classes = {3, 0}}), 4);
  EXPECT_EQ(sample_count(dataset, Split::kTest, {.classes = {3, 0}, .test_limit = 3}), 3);
  EXPECT_EQ(sample_count(dataset, Split::kTest, {.test_limit = 3}), 3);
  EXPECT_EQ(sample_count(dataset, Split::kTest, {}), 5);
}

TEST(ClassFilter, RefusesAClassThatTheDataSetLacks) {
  FakeDataset dataset(images(), labels());

  try {
    describe(dataset, {.classes = {1, 4}});
    FAIL() << "no error";
  } catch (const ParamError& error) {
    EXPECT_THAT(error.what(), HasSubstr("there is no class 4, the data set has 0 to 3"));
  }
}

TEST(ClassFilter, RefusesToLeaveNothing) {
  FakeDataset dataset(images(), torch::zeros({5}, torch::kLong));

  EXPECT_THROW(load_split(dataset, Split::kTest, {.classes = {1, 2}}), DataError);
}

TEST(ImageOptions, AreWhatModelsSeeAndWhatIsLoaded) {
  FakeDataset dataset(images(), labels());
  const DataOptions options = {.channels = 3, .resize = 7};

  const DatasetInfo info = describe(dataset, options);
  const LoadedSplit split = load_split(dataset, Split::kTrain, options);

  EXPECT_EQ(info.channels, 3);
  EXPECT_EQ(info.height, 7);
  EXPECT_EQ(info.width, 7);
  EXPECT_TRUE(torch::equal(split.images, torch::full({5, 3, 7, 7}, 51, torch::kByte)));
}

TEST(ImageOptions, MayNameWhatIsThereAlready) {
  FakeDataset dataset(images(), labels());

  EXPECT_TRUE(torch::equal(load_split(dataset, Split::kTrain, {.channels = 1}).images, images()));
}

// The host's table of options with these values.
DataOptions options_from(std::map<std::string, ParamValue> values) {
  return DataOptions::from(Params(catalog::host_options("dataset", {}), std::move(values)));
}

TEST(DataOptions, AreOffByDefault) {
  const DataOptions options = options_from({});

  EXPECT_TRUE(options.classes.empty());
  EXPECT_EQ(options.train_limit, 0);
  EXPECT_EQ(options.test_limit, 0);
  EXPECT_EQ(options.channels, 0);
  EXPECT_EQ(options.resize, 0);
}

TEST(DataOptions, RefuseTwoChannels) {
  EXPECT_THROW(options_from({{"channels", std::int64_t{2}}}), ParamError);
  EXPECT_NO_THROW(options_from({{"channels", std::int64_t{3}}}));
}

TEST(DataOptions, RefuseOneClassOrOneTwice) {
  EXPECT_THROW(options_from({{"classes", std::vector<std::int64_t>{1}}}), ParamError);
  EXPECT_THROW(options_from({{"classes", std::vector<std::int64_t>{1, 2, 1}}}), ParamError);
  EXPECT_NO_THROW(options_from({{"classes", std::vector<std::int64_t>{1, 2}}}));
}

TEST(GatherImages, TurnsBytesIntoTheUnitInterval) {
  const LoadedSplit split{images(), labels()};

  const Tensor x = gather_images(split, {4, 0}, at::kDouble);

  EXPECT_EQ(x.sizes(), (std::vector<std::int64_t>{2, 1, 2, 3}));
  EXPECT_EQ(x.max().item<double>(), 51.0 / 255);
  EXPECT_EQ(gather_labels(split, {4, 3})[1].item<std::int64_t>(), 3);
}

}  // namespace
}  // namespace unmask::engine::data_test
