#include "cli/verification.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::cli::verification_test {
namespace {

std::vector<wire::Cell> cells(std::size_t count) {
  std::vector<wire::Cell> result(count);
  for (std::size_t i = 0; i < count; ++i) {
    result[i].kind = wire::CellKind::kAttack;
    result[i].key = "key" + std::to_string(i);
  }
  return result;
}

std::set<std::string> keys(const std::vector<wire::Cell>& chosen) {
  std::set<std::string> result;
  for (const wire::Cell& cell : chosen) result.insert(cell.key);
  return result;
}

TEST(SampleSize, ReadsSharesAndNumbers) {
  EXPECT_EQ(parse_sample("5%").of(100), 5u);
  EXPECT_EQ(parse_sample("12.5%").of(100), 13u);
  EXPECT_EQ(parse_sample("5%").of(3), 1u);
  EXPECT_EQ(parse_sample("100%").of(7), 7u);
  EXPECT_EQ(parse_sample("20").of(100), 20u);
  EXPECT_EQ(parse_sample("20").of(7), 7u);
}

TEST(SampleSize, RefusesWhatIsNone) {
  for (const char* text :
       {"", "%", "0", "0%", "101%", "-1", "1.5", "x", "5 %", "1e3", ".", "1.2.3%"}) {
    EXPECT_THROW(parse_sample(text), UsageError) << text;
  }
}

TEST(ChooseCells, FollowsFromKeysAndSeedAlone) {
  std::vector<wire::Cell> plan = cells(200);
  const auto chosen = keys(choose_cells(plan, parse_sample("10%"), 7));
  std::reverse(plan.begin(), plan.end());

  EXPECT_EQ(chosen.size(), 20u);
  EXPECT_EQ(keys(choose_cells(plan, parse_sample("10%"), 7)), chosen);
  EXPECT_NE(keys(choose_cells(plan, parse_sample("10%"), 8)), chosen);
}

TEST(ChooseCells, ALargerSampleHoldsTheSmallerOne) {
  const auto few = keys(choose_cells(cells(50), parse_sample("5"), 0));
  const auto more = keys(choose_cells(cells(50), parse_sample("25"), 0));

  EXPECT_TRUE(std::includes(more.begin(), more.end(), few.begin(), few.end()));
}

TEST(Arithmetic, OfTheCpuIsThatOfItsKernelsAndOfAGpuItsName) {
  const nlohmann::json environment = {
      {"libtorch", "1.13.0"}, {"cpu", "Alpha"}, {"gpu", "G"}, {"kernels", "ATen AVX2"}};

  EXPECT_EQ(arithmetic_of(environment, "cpu"), "LibTorch 1.13.0 on cpu: ATen AVX2");
  EXPECT_EQ(arithmetic_of(environment, "cuda:1"), "LibTorch 1.13.0 on cuda: G");
  EXPECT_EQ(arithmetic_of({{"cpu", "Alpha"}}, "cpu"), "LibTorch  on cpu: Alpha");
}

TEST(VerificationTable, HasARowForEachDifferenceUpToTheLimit) {
  VerifyReport report;
  for (const wire::Cell& cell : cells(3)) {
    report.cells.push_back({cell, {}, std::nullopt, std::nullopt});
  }
  store::Comparison comparison;
  comparison.count = 150;
  comparison.differences.assign(
      100, {"sample_outcome", "", 4, "prediction", std::string("1"), std::nullopt});
  report.cells[0].record = {"key0", "cpu", comparison, std::nullopt};
  report.cells[1].record = {"key1", "cpu", {}, std::nullopt};
  report.cells[2].obstacle = "its checkpoint is missing";

  const table::Table table = verification_table(report, 2);

  ASSERT_EQ(table.rows.size(), 5u);
  EXPECT_EQ(std::get<std::string>(table.rows[0][3]), "sample_outcome");
  EXPECT_EQ(std::get<std::int64_t>(table.rows[1][5]), 4);
  EXPECT_EQ(std::get<std::string>(table.rows[2][3]), "and 148 more");
  EXPECT_EQ(std::get<std::string>(table.rows[3][2]), "equal");
  EXPECT_EQ(std::get<std::string>(table.rows[4][2]), "not executed");
  EXPECT_EQ(std::get<std::string>(table.rows[4][3]), "its checkpoint is missing");
  EXPECT_EQ(report.count("equal"), 1u);
  EXPECT_FALSE(report.is_flawless());
}

}  // namespace
}  // namespace unmask::cli::verification_test
