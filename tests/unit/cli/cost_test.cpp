#include "cli/cost.hpp"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace unmask::cli::cost_test {
namespace {

using nlohmann::json;

json attack(const std::string& model, int steps, int seed = 0) {
  return {{"kind", "attack"},
          {"checkpoint", "c"},
          {"dataset", {{"plugin", "strokes"}, {"params", json::object()}}},
          {"model", {{"plugin", model}, {"params", json::object()}}},
          {"solver", {{"plugin", "rk4"}, {"params", json::object()}}},
          {"gradient", nullptr},
          {"attack", {{"plugin", "pgd"}, {"params", {{"steps", steps}}}}},
          {"seed", seed},
          {"samples", 10}};
}

plan::Plan plan_of(const std::vector<json>& specs) {
  plan::Plan plan;
  for (const json& spec : specs) {
    wire::Cell cell;
    cell.kind = wire::CellKind::kAttack;
    cell.key = "k" + std::to_string(plan.cells.size());
    cell.spec = spec;
    plan.cells.push_back(cell);
  }
  return plan;
}

TEST(Cost, SeedsShareAPrecedentAndStepsDoNot) {
  const Precedents known({{attack("mlp", 10, 0), 2, "cpu"}, {attack("mlp", 10, 1), 4, "cpu"}},
                         "cpu");

  const auto range = known.of(attack("mlp", 10, 7));

  ASSERT_TRUE(range);
  EXPECT_EQ(range->low, 2);
  EXPECT_EQ(range->median, 3);
  EXPECT_EQ(range->high, 4);
  EXPECT_FALSE(known.of(attack("mlp", 20)));
  EXPECT_FALSE(known.of(attack("cnn", 10)));
}

TEST(Cost, WhatRanOnAGpuTellsNothingOfTheProcessor) {
  const std::vector<store::TimedCell> cells = {{attack("mlp", 10), 1, "cuda:0"}};

  EXPECT_FALSE(Precedents(cells, "cpu").of(attack("mlp", 10)));
  EXPECT_TRUE(Precedents(cells, "cuda:3").of(attack("mlp", 10)));
  EXPECT_TRUE(Precedents(cells, "").of(attack("mlp", 10)));
}

TEST(Cost, KnowsTheMostMemoryOfAGpuThatSuchACellTook) {
  const Precedents known({{attack("mlp", 10, 0), 2, "cuda:0", 500},
                          {attack("mlp", 10, 1), 4, "cuda:0", 700},
                          {attack("cnn", 10), 4, "cuda:0", std::nullopt}},
                         "cuda:0");
  wire::Cell cell;
  cell.spec = attack("mlp", 10, 7);

  EXPECT_EQ(known.of(attack("mlp", 10, 7))->device_bytes, 700);
  EXPECT_EQ(known.of(attack("cnn", 10))->device_bytes, std::nullopt) << "none was measured";
  EXPECT_FALSE(known.of(attack("mlp", 20)));
  EXPECT_EQ(costs_of_cells({cell}, known).at(0).device_bytes, 700);
}

TEST(Cost, AGuessGrowsWithPlannedPassesAtThePaceOfTheNetwork) {
  const Precedents known({{attack("mlp", 10), 1, "cpu"}, {attack("cnn", 10), 50, "cpu"}}, "cpu");

  EXPECT_DOUBLE_EQ(known.guess(attack("mlp", 40)), 4);
  EXPECT_DOUBLE_EQ(known.guess(attack("cnn", 40)), 200);
  EXPECT_EQ(planned_passes(attack("mlp", 40)), 400);
  EXPECT_LT(Precedents().guess(attack("mlp", 10)), Precedents().guess(attack("mlp", 11)));
}

TEST(Cost, ARangeIsDividedAmongTheWorkersButNoCellIs) {
  const plan::Plan plan = plan_of({attack("mlp", 10), attack("mlp", 10, 1), attack("cnn", 10)});
  const Precedents known({{attack("mlp", 10), 60, "cpu"},
                          {attack("mlp", 10), 120, "cpu"},
                          {attack("cnn", 10), 300, "cpu"}},
                         "cpu");

  EXPECT_EQ(to_text(estimate_cost(plan, {}, known, 1)), "7m00s to 9m00s");
  EXPECT_EQ(to_text(estimate_cost(plan, {}, known, 2)), "about 5m00s");
  EXPECT_EQ(to_text(estimate_cost(plan, {{"k2", std::nullopt}}, known, 1)), "2m00s to 4m00s");
}

TEST(Cost, WhatNeverRanIsSaidToBeUnknown) {
  const plan::Plan plan = plan_of({attack("mlp", 10), attack("cnn", 10)});
  const Precedents known({{attack("mlp", 10), 60, "cpu"}}, "cpu");

  EXPECT_EQ(to_text(estimate_cost(plan, {}, known, 1)),
            "about 1m00s, and 1 cell of a kind that never ran here");
  EXPECT_EQ(to_text(estimate_cost(plan, {}, {}, 1)),
            "unknown: no cell like these is in the database yet");
  const auto costs = costs_of_cells(plan.cells, known);
  EXPECT_TRUE(costs[0].is_recorded);
  EXPECT_FALSE(costs[1].is_recorded);
  EXPECT_GT(costs[1].seconds, 0);
}

}  // namespace
}  // namespace unmask::cli::cost_test
