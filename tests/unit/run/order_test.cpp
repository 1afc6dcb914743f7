// The longest cells begin first; what belongs together stays together where it costs nothing; rows do not
// depend on it.

#include "run/order.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/ready_cells.hpp"
#include "run/tally.hpp"
#include "unit/run/run_fixture.hpp"

namespace unmask::run::order_test {
namespace {

using ::testing::ElementsAre;

// Trainings a, b; evaluations of a: 2, 3, 4; of b: 5, 6.
std::vector<wire::Cell> two_networks() {
  const auto evaluation = [](const std::string& key, const std::string& training) {
    return fake_cell(key, nlohmann::json::object(), wire::CellKind::kAttack, training);
  };
  return {fake_training("a"),
          fake_training("b"),
          evaluation("a1", "a"),
          evaluation("a2", "a"),
          evaluation("a3", "a"),
          evaluation("b1", "b"),
          evaluation("b2", "b")};
}

std::vector<CellCost> costs(const std::vector<double>& seconds) {
  std::vector<CellCost> result;
  for (const double s : seconds) result.push_back({s, true});
  return result;
}

std::vector<std::size_t> sequence(const Order& order, std::size_t cells) {
  std::vector<std::size_t> result;
  for (std::size_t rank = 0; rank < cells; ++rank) result.push_back(order.cell(rank));
  return result;
}

TEST(Order, IsThePlansWhereNothingIsKnown) {
  const auto plan = two_networks();
  const Needs needs(plan);

  EXPECT_THAT(sequence(Order(plan, needs, {}), 7), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(Order, BeginsWithTheLongestAndATrainingCountsWithTheLongestThatWaitsForIt) {
  const auto plan = two_networks();
  const Needs needs(plan);
  // b takes less than a, but keeps more waiting: 5 + 100 against 10 + 3.
  const Order order(plan, needs, costs({10, 5, 1, 3, 2, 100, 1}));

  EXPECT_THAT(sequence(order, 7), ElementsAre(1, 5, 0, 3, 4, 2, 6));
  EXPECT_EQ(order.rank(1), 0u);
  EXPECT_EQ(order.seconds(5), 100);
}

TEST(Order, AWorkerStaysOnlyWhileALongerCellCanWait) {
  EXPECT_TRUE(may_stay(10, 20, 2));
  EXPECT_FALSE(may_stay(11, 20, 2));
  EXPECT_TRUE(may_stay(0, 0, 4));
}

class Ready : public ::testing::Test {
 protected:
  // Keys in the order in which one worker takes all evaluations, beginning with the checkpoint of `holds`.
  std::vector<std::string> taken(const std::vector<double>& seconds,
                                 std::optional<std::size_t> holds,
                                 std::size_t workers) const {
    const auto plan = two_networks();
    const Needs needs(plan);
    const Order order(plan, needs, seconds.empty() ? std::vector<CellCost>() : costs(seconds));
    ReadyCells ready(plan, needs, order);
    for (std::size_t cell = 2; cell < plan.size(); ++cell) ready.add(cell, Wish::kAny);
    std::vector<std::string> keys;
    while (const auto cell =
               ready.take({false, holds, workers}, [](std::size_t) { return false; })) {
      holds = needs.checkpoint(*cell);
      keys.push_back(plan[*cell].key);
    }
    return keys;
  }
};

TEST_F(Ready, WithoutCostsCheckpointsAreTakenOneAfterTheOther) {
  EXPECT_THAT(taken({}, std::nullopt, 2), ElementsAre("a1", "a2", "a3", "b1", "b2"));
  EXPECT_THAT(taken({}, 1, 2), ElementsAre("b1", "b2", "a1", "a2", "a3"));
}

TEST_F(Ready, CellsOfACheckpointStayTogetherTheLongestFirstWhileThatCostsNothing) {
  // With one worker, nothing can be the last to end but what began last.
  EXPECT_THAT(taken({0, 0, 1, 3, 2, 4, 1}, 0, 1), ElementsAre("a2", "a3", "a1", "b1", "b2"));
}

TEST_F(Ready, ACellThatWouldEndLastBeginsFirstWhereverItsCheckpointIs) {
  EXPECT_THAT(taken({0, 0, 1, 3, 2, 100, 1}, 0, 2), ElementsAre("b1", "b2", "a2", "a3", "a1"));
}

TEST_F(Ready, TakingSomeOutKeepsTheOthersInOrder) {
  const auto plan = two_networks();
  const Needs needs(plan);
  const Order order(plan, needs, costs({0, 0, 1, 3, 2, 4, 1}));
  ReadyCells ready(plan, needs, order);
  for (std::size_t cell = 0; cell < plan.size(); ++cell) ready.add(cell, Wish::kAny);

  EXPECT_THAT(ready.take_all([](std::size_t cell) { return cell == 3 || cell == 5 || cell == 0; }),
              ElementsAre(0, 3, 5));

  std::vector<std::size_t> rest;
  while (const auto cell = ready.take({false, 0, 1}, [](std::size_t) { return false; })) {
    rest.push_back(*cell);
  }
  EXPECT_THAT(rest, ElementsAre(1, 4, 2, 6));
}

TEST_F(Ready, DroppingOneKeepsTheOthersInOrder) {
  const auto plan = two_networks();
  const Needs needs(plan);
  const Order order(plan, needs, costs({0, 0, 1, 3, 2, 4, 1}));
  ReadyCells ready(plan, needs, order);
  for (std::size_t cell = 0; cell < plan.size(); ++cell) {
    ready.add(cell, cell == 2 ? Wish::kAlone : Wish::kAny);
  }

  for (const std::size_t cell : {3, 2, 0}) {
    EXPECT_TRUE(ready.drop(cell)) << cell;
    EXPECT_FALSE(ready.drop(cell)) << cell;
  }

  EXPECT_EQ(ready.size(), plan.size() - 3);
  EXPECT_EQ(ready.shareable(), ready.size());
  std::vector<std::size_t> rest;
  while (const auto cell = ready.take({false, 0, 1}, [](std::size_t) { return false; })) {
    rest.push_back(*cell);
  }
  EXPECT_THAT(rest, ElementsAre(1, 4, 5, 6));
}

class OrderOfARun : public RunTest {};

TEST_F(OrderOfARun, TheLongestBeginsFirstAndRowsAreTheSame) {
  std::vector<wire::Cell> plan = {fake_cell("short"), fake_cell("longer"), fake_cell("longest")};
  run(plan);
  const auto plain = recorder.results;
  ASSERT_EQ(plain.size(), 3u);
  recorder.events.clear();
  recorder.results.clear();
  options.costs = costs({1, 2, 3});

  run(plan);

  EXPECT_LT(recorder.position("start longest"), recorder.position("start longer"));
  EXPECT_LT(recorder.position("start longer"), recorder.position("start short"));
  for (const auto& [key, result] : plain) {
    EXPECT_EQ(nlohmann::json(recorder.results[key]).at("outcomes"),
              nlohmann::json(result).at("outcomes"))
        << key;
  }
}

RunOutline outline_of(const std::vector<wire::Cell>& plan, const std::vector<CellCost>& costs) {
  RunOutline outline = Agenda(plan, {}, costs).outline();
  outline.workers = 1;
  return outline;
}

TEST(TimeLeft, IsKnownFromTheBeginningWhereCellsRanBefore) {
  const std::vector<wire::Cell> plan = {fake_cell("x"), fake_cell("y")};
  Tally tally;

  tally.start(outline_of(plan, costs({60, 120})), 0);

  EXPECT_EQ(tally.time_left(), "about 3m00s");
  tally.finished(plan[0], 60);
  EXPECT_EQ(tally.time_left(), "about 2m00s");
}

TEST(TimeLeft, FollowsThePaceOfThisRun) {
  const std::vector<wire::Cell> plan = {fake_cell("x"), fake_cell("y")};
  Tally tally;
  tally.start(outline_of(plan, costs({60, 120})), 0);

  tally.finished(plan[0], 30);

  EXPECT_EQ(tally.time_left(), "about 1m00s");
}

TEST(TimeLeft, OfOtherCellsIsTheMeanOfTheirKindAndAGuessCountsForNothing) {
  const std::vector<wire::Cell> plan = {fake_cell("x"), fake_cell("y"), fake_cell("z")};
  Tally tally;
  tally.start(outline_of(plan, {{60, true}, {1000, false}, {1000, false}}), 0);
  EXPECT_EQ(tally.time_left(), "over 1m00s");

  tally.finished(plan[1], 60);

  EXPECT_EQ(tally.time_left(), "about 2m00s");
}

}  // namespace
}  // namespace unmask::run::order_test
