#include "cli/cell_filter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::cli::cell_filter_test {
namespace {

using wire::Cell;
using wire::CellKind;

// Two trainings, an attack on each, and a probe on the second.
std::vector<Cell> cells() {
  std::vector<Cell> result(5);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i].key = "key" + std::to_string(i);
    result[i].labels.model = i == 0 || i == 2 ? "plain" : "ode";
  }
  for (const std::size_t i : {2u, 3u}) {
    result[i].kind = CellKind::kAttack;
    result[i].needs = result[i - 2].key;
    result[i].labels.method = "pgd_margin";
    result[i].labels.solver = "rk4";
    result[i].labels.epsilon_text = "8/255";
  }
  result[4].kind = CellKind::kProbe;
  result[4].needs = result[1].key;
  result[4].labels.method = "norms";
  return result;
}

std::vector<std::string> keys(const std::vector<Cell>& chosen) {
  std::vector<std::string> result;
  result.reserve(chosen.size());
  for (const Cell& cell : chosen) result.push_back(cell.key);
  return result;
}

using ::testing::ElementsAre;

TEST(FilterCells, KeepsAllWithoutAFilter) {
  EXPECT_EQ(filter_cells(cells(), {}).size(), 5u);
}

TEST(FilterCells, KeepsMatchesAndTheTrainingsTheyNeed) {
  EXPECT_THAT(keys(filter_cells(cells(), {"attack=pgd*,model=ode"})), ElementsAre("key1", "key3"));
}

TEST(FilterCells, KeepsBothTrainingsOfATransfer) {
  std::vector<Cell> plan = cells();
  plan[3].needs_source = plan[0].key;

  EXPECT_THAT(keys(filter_cells(plan, {"attack=*,model=ode"})),
              ElementsAre("key0", "key1", "key3"));
}

// A condition on one name is not fulfilled by another one.
TEST(FilterCells, KnowsACellByEachOfItsNames) {
  std::vector<Cell> plan = cells();
  plan[3].aliases = {plan[3].labels, plan[3].labels};
  plan[3].aliases[0].method = "same";
  plan[3].aliases[1].model = "twin";

  EXPECT_THAT(keys(filter_cells(plan, {"attack=same"})), ElementsAre("key1", "key3"));
  EXPECT_THAT(keys(filter_cells(plan, {"attack=pgd*,model=twin"})), ElementsAre("key1", "key3"));
  EXPECT_THROW(filter_cells(plan, {"attack=same,model=twin"}), UsageError);
}

TEST(FilterCells, JoinsSeveralFilters) {
  EXPECT_THAT(keys(filter_cells(cells(), {"probe=*", "attack=*,model=plain"})),
              ElementsAre("key0", "key1", "key2", "key4"));
}

TEST(FilterCells, MatchesTheOwnGradientByItsToken) {
  EXPECT_EQ(filter_cells(cells(), {"gradient=@eval,kind=attack"}).size(), 4u);
}

TEST(FilterCells, RefusesAnUnknownAxisWithASuggestion) {
  try {
    filter_cells(cells(), {"atack=pgd"});
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("did you mean \"attack\"?"));
  }
}

TEST(FilterCells, RefusesAFilterThatMatchesNothing) {
  EXPECT_THROW(filter_cells(cells(), {"attack=spsa"}), UsageError);
}

TEST(FilterCells, RefusesAFilterWithoutAPattern) {
  EXPECT_THROW(filter_cells(cells(), {"attack"}), UsageError);
}

}  // namespace
}  // namespace unmask::cli::cell_filter_test
