#include "engine/epoch_sums.hpp"

#include <cmath>

#include <torch/types.h>

#include <gtest/gtest.h>

namespace unmask::engine::epoch_sums_test {
namespace {

const Tensor& two_logits() {
  static const Tensor logits = torch::tensor({{1.0f, 0.0f}, {0.0f, 1.0f}});
  return logits;
}

TEST(EpochSums, WeighLossesByTheSizeOfTheBatchAndGoOn) {
  EpochSums sums("cpu", 10, 3);

  sums.add(torch::tensor(0.5f), two_logits(), torch::tensor({0, 0}, torch::kLong), 0);
  sums.add(torch::tensor(2.0f), two_logits(), torch::tensor({0}, torch::kLong), 1);

  EXPECT_EQ(sums.loss(), 10 + 2 * 0.5 + 1 * 2.0);
  EXPECT_EQ(sums.correct(), 3 + 1 + 1);
  EXPECT_EQ(sums.bad_step(), -1);
}

TEST(EpochSums, RememberTheFirstStepWhoseLossIsNotFinite) {
  EpochSums sums("cpu", 0, 0);
  const Tensor y = torch::tensor({0, 1}, torch::kLong);
  const float infinity = HUGE_VALF;

  for (std::int64_t step = 0; step < 6; ++step) {
    sums.add(torch::tensor(step < 3 ? 1.0f : step == 3 ? infinity : NAN), two_logits(), y, step);
  }

  EXPECT_EQ(sums.bad_step(), 3);
}

}  // namespace
}  // namespace unmask::engine::epoch_sums_test
