#include "engine/learning_rate.hpp"

#include <gtest/gtest.h>

#include "unit/engine/training_case.hpp"
#include "unmask/errors.hpp"

namespace unmask::engine::learning_rate_test {
namespace {

TEST(LearningRate, IsConstantByDefault) {
  EXPECT_EQ(learning_rate_at(training_options({{"learning_rate", 0.5}}), 1234, 10), 0.5);
}

TEST(LearningRate, FollowsHalfACosineToZero) {
  const auto o = training_options(
      {{"learning_rate", 0.2}, {"schedule", std::string("cosine")}, {"epochs", std::int64_t{4}}});

  EXPECT_DOUBLE_EQ(learning_rate_at(o, 0, 10), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 20, 10), 0.1);
  EXPECT_NEAR(learning_rate_at(o, 40, 10), 0.0, 1e-16);
}

TEST(LearningRate, StepsAtMilestonesByTheirOwnFactors) {
  const auto o = training_options({{"learning_rate", 1.0},
                                   {"schedule", std::string("step")},
                                   {"milestones", std::vector<std::int64_t>{2, 4}},
                                   {"factors", std::vector<double>{0.1, 0.01}}});

  EXPECT_DOUBLE_EQ(learning_rate_at(o, 19, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 20, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 40, 10), 0.001);
}

// 2 epochs of 10 steps, rise 0.3: the peak is step 0.3 * 20 - 1 = 5, the end is step 19. Half way
// up a cosine is the mean of its ends; step 12 is half way down.
TEST(LearningRate, OfOneCycleRisesToThePeakAndFallsBelowTheStart) {
  const auto o = training_options({{"learning_rate", 1.0},
                                   {"schedule", std::string("one_cycle")},
                                   {"cycle_start_divisor", 10.0},
                                   {"cycle_final_divisor", 100.0},
                                   {"epochs", std::int64_t{2}}});

  EXPECT_DOUBLE_EQ(learning_rate_at(o, 0, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 5, 10), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 12, 10), (1.0 + 0.001) / 2);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 19, 10), 0.001);
  // A fifth of the way up: 1 + (0.1 - 1)/2 (1 + cos(pi/5)), cos(pi/5) = (1 + sqrt 5)/4.
  EXPECT_NEAR(learning_rate_at(o, 1, 10), 1 - 0.45 * (1 + 0.8090169943749475), 1e-15);
}

TEST(LearningRate, OfOneCycleWithoutRoomToRiseBeginsAtThePeak) {
  const auto o = training_options({{"learning_rate", 1.0},
                                   {"schedule", std::string("one_cycle")},
                                   {"cycle_rise", 0.5},
                                   {"epochs", std::int64_t{2}}});

  EXPECT_DOUBLE_EQ(learning_rate_at(o, 0, 1), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 1, 1), 1.0 / 25 / 1e4);
}

TEST(LearningRate, GrowsLinearlyWhileItWarmsUp) {
  const auto o = training_options({{"learning_rate", 1.0},
                                   {"schedule", std::string("cosine")},
                                   {"warmup_epochs", std::int64_t{1}},
                                   {"epochs", std::int64_t{4}}});
  const auto cold = training_options(
      {{"learning_rate", 1.0}, {"schedule", std::string("cosine")}, {"epochs", std::int64_t{4}}});

  EXPECT_DOUBLE_EQ(learning_rate_at(o, 0, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 4, 10), 0.5 * learning_rate_at(cold, 4, 10));
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 9, 10), learning_rate_at(cold, 9, 10));
  EXPECT_DOUBLE_EQ(learning_rate_at(o, 30, 10), learning_rate_at(cold, 30, 10));
}

TEST(TrainingOptions, RefusesFactorsThatDoNotFitTheMilestones) {
  EXPECT_THROW(training_options({{"milestones", std::vector<std::int64_t>{1, 2, 3}},
                                 {"factors", std::vector<double>{0.1, 0.2}}}),
               ParamError);
}

}  // namespace
}  // namespace unmask::engine::learning_rate_test
