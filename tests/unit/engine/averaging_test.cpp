#include "engine/averaging.hpp"

#include <torch/types.h>

#include <gtest/gtest.h>

#include "unit/engine/training_case.hpp"

namespace unmask::engine::averaging_test {
namespace {

TrainingOptions averaging(const std::string& kind, std::int64_t start, double decay = 0.5) {
  return training_options(
      {{"averaging", kind}, {"averaging_start", start}, {"averaging_decay", decay}});
}

double value_of(const WeightAverage& average) {
  return average.values().at(0).item<double>();
}

// With decay 1/2: 1; (1 + 2)/2; (1.5 + 4)/2. All exact.
TEST(Averaging, EmaMixesEveryStepIntoTheAverage) {
  const Tensor w = torch::zeros({}, torch::kDouble);
  WeightAverage average(averaging("ema", 0), {{"w", w}});
  std::vector<double> seen;
  for (const double value : {1.0, 2.0, 4.0}) {
    w.fill_(value);
    average.after_step(0);
    seen.push_back(value_of(average));
  }

  EXPECT_EQ(seen, (std::vector<double>{1, 1.5, 2.75}));
}

TEST(Averaging, EmaBeginsWithTheWeightsOfItsFirstEpoch) {
  const Tensor w = torch::ones({}, torch::kDouble);
  WeightAverage average(averaging("ema", 2), {{"w", w}});

  average.after_step(1);
  EXPECT_FALSE(average.has_value());
  w.fill_(8);
  average.after_step(2);

  EXPECT_EQ(value_of(average), 8);
}

// Means of 2; 2, 4; 2, 4, 9.
TEST(Averaging, SwaIsTheMeanOverEpochs) {
  const Tensor w = torch::ones({}, torch::kDouble);
  WeightAverage average(averaging("swa", 1), {{"w", w}});
  std::vector<double> seen;
  average.after_epoch(0);
  EXPECT_FALSE(average.has_value());
  for (std::int64_t epoch = 1; epoch < 4; ++epoch) {
    w.fill_(epoch == 1 ? 2 : epoch == 2 ? 4 : 9);
    average.after_step(epoch);
    average.after_epoch(epoch);
    seen.push_back(value_of(average));
  }

  EXPECT_EQ(seen, (std::vector<double>{2, 3, 5}));
}

TEST(Averaging, OffDoesNothing) {
  const Tensor w = torch::ones({}, torch::kDouble);
  WeightAverage average(training_options(), {{"w", w}});

  average.after_step(0);
  average.after_epoch(0);

  EXPECT_FALSE(average.has_value());
}

TEST(Averaging, CopiesWholeNumbers) {
  const Tensor count = torch::zeros({}, torch::kLong);
  WeightAverage average(averaging("ema", 0), {{"count", count}});

  for (int i = 1; i <= 3; ++i) {
    count.fill_(i);
    average.after_step(0);
  }

  EXPECT_EQ(average.values().at(0).item<std::int64_t>(), 3);
}

}  // namespace
}  // namespace unmask::engine::averaging_test
