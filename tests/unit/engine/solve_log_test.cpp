#include <gtest/gtest.h>

#include "engine/network.hpp"

namespace unmask::engine::solve_log_test {
namespace {

using nlohmann::json;

// A log that has seen these solves: evaluations -> how many.
SolveLog log_of(const std::map<std::int64_t, std::int64_t>& solves) {
  wire::CellResult totals;
  wire::SolveStats stats;
  stats.phase = "evaluate";
  stats.solve = "conv1";
  for (const auto& [nfe, count] : solves) stats.solves += count;
  totals.solve_stats = {stats};
  SolveLog log;
  log.restore({{"totals", totals}, {"nfe", json::array({solves})}});
  return log;
}

TEST(SolveLog, MedianOfAnOddNumberIsTheMiddleOne) {
  EXPECT_EQ(log_of({{7, 1}, {10, 1}, {13, 1}}).rows()[0].nfe_median, 10);
  EXPECT_EQ(log_of({{7, 3}, {10, 1}, {13, 1}}).rows()[0].nfe_median, 7);
  EXPECT_EQ(log_of({{7, 1}}).rows()[0].nfe_median, 7);
}

TEST(SolveLog, MedianOfAnEvenNumberIsTheMeanOfTheTwoMiddleOnes) {
  EXPECT_EQ(log_of({{7, 1}, {10, 1}}).rows()[0].nfe_median, 8.5);
  EXPECT_EQ(log_of({{7, 2}, {10, 1}, {13, 1}}).rows()[0].nfe_median, 8.5);
  EXPECT_EQ(log_of({{7, 1}, {10, 2}, {13, 1}}).rows()[0].nfe_median, 10);
}

}  // namespace
}  // namespace unmask::engine::solve_log_test
