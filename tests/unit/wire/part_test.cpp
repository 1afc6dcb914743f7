#include "wire/part.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/fake_part.hpp"
#include "unmask/errors.hpp"

namespace unmask::wire::part_test {
namespace {

using nlohmann::json;
using test::fake_part;
using Parts = std::vector<CellPart>;

constexpr std::int64_t kTotal = 23;
constexpr std::int64_t kUnit = 4;

// Parts of these units each, the rest in the last one; over the wire.
Parts divided(const std::vector<std::int64_t>& units) {
  Parts parts;
  std::int64_t first = 0;
  for (const std::int64_t n : units) {
    parts.push_back(fake_part(first, n * kUnit, kTotal, kUnit));
    first += n * kUnit;
  }
  parts.push_back(fake_part(first, kTotal - first, kTotal, kUnit));
  for (CellPart& part : parts) part = json::parse(json(part).dump()).get<CellPart>();
  return parts;
}

// Without the time, whose sum may be rounded in another order.
json without_time(const CellResult& result) {
  json j = result;
  j.erase("wall_s");
  return j;
}

TEST(PutTogether, GivesTheSameBitsHoweverACellIsDivided) {
  const json whole = without_time(put_together(divided({})));
  for (const auto& units : {std::vector<std::int64_t>{1, 1, 1, 1, 1}, {2, 3}, {5}, {1, 3}}) {
    Parts parts = divided(units);
    EXPECT_EQ(without_time(put_together(parts)), whole);
    std::reverse(parts.begin(), parts.end());
    EXPECT_EQ(without_time(put_together(parts)), whole);
  }
}

TEST(PutTogether, CountsAllParts) {
  const CellResult result = put_together(divided({2}));

  // 6, 13 and 20 are wrong from the start; of the other twenty, 0, 2, 4, 8, ... are robust.
  EXPECT_EQ(result.metrics.at(0).value, 20.0 / 23);
  EXPECT_EQ(result.metrics.at(1).value, 10.0 / 23);
  EXPECT_EQ(result.counters.nfe, 3 * kTotal);
  EXPECT_EQ(result.outcomes.size(), 23U);
  EXPECT_EQ(result.solve_stats.at(0).solves, 44);
  EXPECT_EQ(result.solve_stats.at(0).worst_status, "status 19");
}

// An undivided cell meets all clean images before the first attack.
TEST(PutTogether, SolvesStandInTheOrderOfAnUndividedCell) {
  std::vector<std::string> names;
  for (const SolveStats& stats : put_together(divided({1, 1, 1})).solve_stats) {
    names.push_back(stats.phase + " " + stats.solve);
  }

  EXPECT_THAT(names,
              testing::ElementsAre("evaluate flow", "evaluate late", "attack flow", "attack late"));
}

TEST(PutTogether, RefusesAMissingAndADoubledPart) {
  Parts parts = divided({1, 1});
  const CellPart middle = parts[1];
  parts.erase(parts.begin() + 1);

  EXPECT_THROW(put_together(parts), InternalError);
  parts.push_back(middle);
  parts.push_back(middle);
  EXPECT_THROW(put_together(parts), InternalError);
}

TEST(PutTogether, ASeriesOfTheWholeCellComesOnce) {
  Parts parts = divided({1});
  for (CellPart& part : parts) part.found.series.push_back({"once", {1}});

  EXPECT_THROW(put_together(parts), std::runtime_error);
}

TEST(PutTogether, FailsWhenNothingCouldBeDecided) {
  Parts parts = divided({1});
  for (CellPart& part : parts) {
    for (SampleOutcome& outcome : part.found.outcomes) outcome.is_decided = false;
  }
  parts[1].failures[1] = "the second part's attack";
  parts[0].failures[2] = "the first part's verdict";

  try {
    put_together(parts);
    FAIL() << "no error";
  } catch (const NumericError& error) {
    EXPECT_STREQ(error.what(), "the second part's attack");
  }
}

CellPart probe_part(std::int64_t first, std::vector<double> values, const std::string& name) {
  CellPart part;
  part.kind = CellKind::kProbe;
  part.span = {first, static_cast<std::int64_t>(values.size())};
  part.total = 5;
  for (const double value : values) part.found.sample_metrics.push_back({first++, name, value});
  return part;
}

TEST(PutTogether, AProbesValuesAreSummarisedOverAllParts) {
  const Parts parts = {probe_part(2, {0.5, std::nan(""), 4}, "norm"),
                       probe_part(0, {3, 1}, "norm")};

  const CellResult result = put_together(parts);

  ASSERT_EQ(result.sample_metrics.size(), 5U);
  EXPECT_EQ(result.sample_metrics[2].value, 0.5);
  std::map<std::string, double> metrics;
  for (const Metric& m : result.metrics) metrics[m.name] = m.value;
  EXPECT_EQ(metrics.at("norm.mean"), 8.5 / 4);
  EXPECT_EQ(metrics.at("norm.median"), 2);
  EXPECT_EQ(metrics.at("norm.not_finite"), 0.2);
}

TEST(PutTogether, AProbeNamesTheSameValuesInEveryPart) {
  const Parts parts = {probe_part(0, {3, 1}, "norm"), probe_part(2, {1, 1, 1}, "other")};

  EXPECT_THROW(put_together(parts), std::runtime_error);
}

TEST(CellPart, ComplainsOfBrokenBatches) {
  EXPECT_EQ(complaint(fake_part(4, 8, kTotal, kUnit)), std::nullopt);
  EXPECT_EQ(complaint(fake_part(20, 3, kTotal, kUnit)), std::nullopt);
  EXPECT_NE(complaint(fake_part(2, 8, kTotal, kUnit)), std::nullopt);
  EXPECT_NE(complaint(fake_part(4, 3, kTotal, kUnit)), std::nullopt);
  EXPECT_NE(complaint(fake_part(20, 4, kTotal, kUnit)), std::nullopt);
  CellPart part = fake_part(4, 8, kTotal, kUnit);
  part.found.outcomes.pop_back();
  EXPECT_NE(complaint(part), std::nullopt);
}

}  // namespace
}  // namespace unmask::wire::part_test
