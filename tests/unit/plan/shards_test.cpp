// Dividing plans among machines, and the files in which they are frozen.

#include "plan/shards.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "plan/frozen_plan.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "unmask/version.hpp"
#include "wire/key.hpp"

namespace unmask::plan::shards_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

json frame(const char* kind) {
  return {{"kind", kind}, {"semantics", wire::kSemantics}, {"sdk_epoch", kSdkEpoch}};
}

wire::Cell training(int seed) {
  wire::Cell cell;
  cell.kind = wire::CellKind::kTrain;
  cell.spec = frame("train");
  cell.spec.set("seed", seed);
  cell.locals = json::object();
  cell.key = wire::key_of(cell.spec);
  return cell;
}

// @param source  another network that images are made on; null: none
wire::Cell attack(const wire::Cell& on, int seed, const wire::Cell* source = nullptr) {
  wire::Cell cell;
  cell.kind = wire::CellKind::kAttack;
  cell.spec = frame("attack");
  cell.spec.set("checkpoint", on.key);
  cell.spec.set("seed", seed);
  cell.locals = json::object();
  cell.needs = on.key;
  if (source != nullptr) {
    cell.spec.set("source", {{"checkpoint", source->key}});
    cell.needs_source = source->key;
  }
  cell.key = wire::key_of(cell.spec);
  return cell;
}

// Networks with a number of attacks each.
std::vector<wire::Cell> study(int networks, int attacks) {
  std::vector<wire::Cell> cells;
  cells.reserve(static_cast<std::size_t>(networks) * static_cast<std::size_t>(1 + attacks));
  for (int n = 0; n < networks; ++n) cells.push_back(training(n));
  for (int n = 0; n < networks; ++n) {
    for (int a = 0; a < attacks; ++a) {
      cells.push_back(attack(cells[static_cast<std::size_t>(n)], a));
    }
  }
  return cells;
}

std::vector<double> ones(const std::vector<wire::Cell>& cells) {
  return std::vector<double>(cells.size(), 1.0);
}

std::map<std::string, std::size_t> shard_of_key(const std::vector<wire::Cell>& cells,
                                                const std::vector<Shard>& shards) {
  std::map<std::string, std::size_t> result;
  for (std::size_t s = 0; s < shards.size(); ++s) {
    for (const std::size_t cell : shards[s].cells) result[cells[cell].key] = s;
  }
  return result;
}

void expect_each_once(const std::vector<wire::Cell>& cells, const std::vector<Shard>& shards) {
  std::vector<std::size_t> all;
  for (const Shard& shard : shards) {
    EXPECT_FALSE(shard.cells.empty());
    EXPECT_TRUE(std::is_sorted(shard.cells.begin(), shard.cells.end()));
    all.insert(all.end(), shard.cells.begin(), shard.cells.end());
  }
  std::sort(all.begin(), all.end());
  std::vector<std::size_t> expected(cells.size());
  std::iota(expected.begin(), expected.end(), std::size_t{0});
  EXPECT_EQ(all, expected);
}

TEST(Shards, HoldEveryCellOnceWithTheTrainingsThatItNeeds) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<wire::Cell> cells = study(1 + static_cast<int>(random() % 9), 3);
    const std::size_t networks = cells.size() / 4;
    for (int extra = 0; extra < 3; ++extra) {
      const wire::Cell on = cells[random() % networks], from = cells[random() % networks];
      if (on.key != from.key) cells.push_back(attack(on, 100 + extra, &from));
    }
    std::vector<double> costs;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      costs.push_back(static_cast<double>(random() % 100));
    }
    const std::vector<Shard> shards = make_shards(cells, costs, 1 + random() % 12, false);

    expect_each_once(cells, shards);
    const auto shard_of = shard_of_key(cells, shards);
    for (const wire::Cell& cell : cells) {
      for (const std::string& need : cell.all_needs()) {
        EXPECT_EQ(shard_of.at(cell.key), shard_of.at(need));
      }
    }
  }
}

TEST(Shards, FollowFromThePlanAlone) {
  const std::vector<wire::Cell> cells = study(7, 5);
  const std::vector<double> costs = ones(cells);
  const auto once = shard_of_key(cells, make_shards(cells, costs, 3, false));
  EXPECT_EQ(shard_of_key(cells, make_shards(cells, costs, 3, false)), once);
}

TEST(Shards, AreOfLikeCost) {
  const std::vector<wire::Cell> cells = study(8, 4);
  const std::vector<Shard> shards = make_shards(cells, ones(cells), 4, false);
  ASSERT_THAT(shards, SizeIs(4));
  for (const Shard& shard : shards) EXPECT_EQ(shard.cost, 10);
}

TEST(Shards, AreNoMoreThanThereAreGroups) {
  const std::vector<wire::Cell> cells = study(3, 4);
  EXPECT_THAT(make_shards(cells, ones(cells), 8, false), SizeIs(3));
}

TEST(Shards, TransfersKeepTheirNetworksTogether) {
  std::vector<wire::Cell> cells = study(4, 1);
  cells.push_back(attack(cells[0], 9, &cells[3]));
  const auto shard_of = shard_of_key(cells, make_shards(cells, ones(cells), 4, false));
  EXPECT_EQ(shard_of.at(cells[0].key), shard_of.at(cells[3].key));
  EXPECT_NE(shard_of.at(cells[0].key), shard_of.at(cells[1].key));
}

TEST(Shards, SplitDividesTheEvaluationsOfOneNetworkBehindItsTraining) {
  const std::vector<wire::Cell> cells = study(1, 12);
  const std::vector<Shard> shards = make_shards(cells, ones(cells), 4, true);
  expect_each_once(cells, shards);
  ASSERT_THAT(shards, SizeIs(4));
  EXPECT_THAT(shards[0].cells, ElementsAre(0));
  EXPECT_FALSE(shards[0].is_second_stage);
  for (std::size_t s = 1; s < 4; ++s) {
    EXPECT_TRUE(shards[s].is_second_stage);
    EXPECT_EQ(shards[s].cost, 4);
  }
}

TEST(Shards, SplitTrainsEachNetworkInOneShardAlone) {
  const std::vector<wire::Cell> cells = study(5, 6);
  for (std::size_t count = 2; count < 20; ++count) {
    const std::vector<Shard> shards = make_shards(cells, ones(cells), count, true);
    expect_each_once(cells, shards);
    EXPECT_LE(shards.size(), count);
    for (const Shard& shard : shards) {
      for (const std::size_t cell : shard.cells) {
        EXPECT_EQ(cells[cell].kind != wire::CellKind::kTrain, shard.is_second_stage);
      }
    }
  }
}

TEST(Shards, ACellThatNeedsNoTrainingOfThePlanIsABug) {
  const std::vector<wire::Cell> cells = {attack(training(0), 0)};
  EXPECT_THROW(make_shards(cells, ones(cells), 1, false), InternalError);
}

FrozenPlan frozen() {
  FrozenPlan result;
  result.study.file = "/studies/a.json";
  result.study.text = "{} // a comment";
  result.study.sha256 = sha256_hex(result.study.text);
  result.study.name = "a";
  result.study.thresholds = {{"gap_masked", 0.125}};
  result.run.threads = 2;
  result.run.timeout_s = 1.5;
  result.git_commit = "abc";
  result.git_dirty = true;
  result.plan.cells = study(2, 2);
  result.costs = {1, 2, 3, 4.5, 5, 6};
  result.is_split = true;
  result.tool = "1.0";
  return result;
}

TEST(FrozenPlanFile, ComesBackAsItWas) {
  const base::TempFolder folder;
  const FrozenPlan sent = frozen();
  const FrozenPlan got = read_frozen_plan(write_frozen_plan(folder.path(), sent));

  EXPECT_EQ(got.study.file, sent.study.file);
  EXPECT_EQ(got.study.text, sent.study.text);
  EXPECT_EQ(got.study.thresholds, sent.study.thresholds);
  EXPECT_EQ(got.run.threads, sent.run.threads);
  EXPECT_EQ(got.run.workers, std::nullopt);
  EXPECT_EQ(got.run.timeout_s, sent.run.timeout_s);
  EXPECT_EQ(got.git_commit, "abc");
  EXPECT_EQ(got.git_dirty, true);
  EXPECT_EQ(got.costs, sent.costs);
  EXPECT_TRUE(got.is_split);
  ASSERT_EQ(got.plan.cells.size(), sent.plan.cells.size());
  for (std::size_t i = 0; i < got.plan.cells.size(); ++i) {
    EXPECT_EQ(json(got.plan.cells[i]), json(sent.plan.cells[i]));
    EXPECT_EQ(got.plan.cells[i].needs, sent.plan.cells[i].needs);
  }
}

TEST(FrozenPlanFile, EqualPlansAreOneFileAndOthersAnother) {
  const base::TempFolder folder;
  FrozenPlan other = frozen();
  other.costs[0] = 1.25;
  EXPECT_EQ(write_frozen_plan(folder.path(), frozen()), write_frozen_plan(folder.path(), frozen()));
  EXPECT_NE(write_frozen_plan(folder.path(), frozen()), write_frozen_plan(folder.path(), other));
}

TEST(FrozenPlanFile, OneThatWasChangedIsRefused) {
  const base::TempFolder folder;
  const fs::path file = write_frozen_plan(folder.path(), frozen());
  base::write_file_atomically(file, base::read_file(file) + " ");
  EXPECT_THROW(read_frozen_plan(file), DataError);
}

// Writes any text under the name that its hash demands, and says what reading it says.
std::string complaint_about(const std::string& text) {
  const base::TempFolder folder;
  const fs::path file = folder.path() / ("plan-" + sha256_hex(text).substr(0, 16) + ".json");
  base::write_file_atomically(file, text);
  try {
    read_frozen_plan(file);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(FrozenPlanFile, MalformedOnesAreRefusedInWords) {
  const base::TempFolder folder;
  const json good = json::parse(base::read_file(write_frozen_plan(folder.path(), frozen())));
  EXPECT_EQ(complaint_about(good.dump()), "");
  EXPECT_THAT(complaint_about(std::string(1'000'000, '[')), HasSubstr("nested deeper than 200"));

  json j = good;
  j["unmask_plan"] = 99;
  EXPECT_THAT(complaint_about(j.dump()), HasSubstr("version 99"));
  j = good;
  j["costs"].push_back(1);
  EXPECT_THAT(complaint_about(j.dump()), HasSubstr("not every cell has a cost"));
  j = good;
  j["costs"][0] = -1;
  EXPECT_THAT(complaint_about(j.dump()), HasSubstr("a cost"));
  j = good;
  j["plan"]["cells"][0]["spec"]["seed"] = 77;
  EXPECT_THAT(complaint_about(j.dump()), HasSubstr("has another key"));
  j = good;
  j["plan"]["cells"].push_back(good["plan"]["cells"][0]);
  j["costs"].push_back(1);
  EXPECT_THAT(complaint_about(j.dump()), HasSubstr("is there twice"));
  j = good;
  std::swap(j["plan"]["cells"][0], j["plan"]["cells"][2]);
  EXPECT_THAT(complaint_about(j.dump()), HasSubstr("before the training"));
  j = good;
  j["plan"]["cells"][0]["spec"]["semantics"] = wire::kSemantics + 1;
  j["plan"]["cells"][0]["key"] = wire::key_of(j["plan"]["cells"][0]["spec"]);
  EXPECT_NE(complaint_about(j.dump()), "");
  EXPECT_THAT(complaint_about("{"), HasSubstr("cannot be read"));
  EXPECT_THAT(complaint_about("[]"), HasSubstr("cannot be read"));
}

TEST(FrozenPlanFile, OneOfAnotherSemanticsIsRefused) {
  FrozenPlan old = frozen();
  old.plan.cells = {training(0)};
  old.plan.cells[0].spec.set("semantics", wire::kSemantics + 1);
  old.plan.cells[0].key = wire::key_of(old.plan.cells[0].spec);
  old.costs = {1};
  const base::TempFolder folder;
  try {
    read_frozen_plan(write_frozen_plan(folder.path(), old));
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("computes cells otherwise"));
  }
}

}  // namespace
}  // namespace unmask::plan::shards_test
