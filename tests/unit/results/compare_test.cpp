// Comparisons against counts made by hand, on the small study: r robust, f fooled, w wrong, u undecided.
//   train0 under bosh3: pgd rrfw, pgd via rk4 fffw, pgd seed 1 rrrw, spsa rffw, pgd 4/255 rrrw
//   train0 under rk4: pgd rffw            train1 under bosh3: pgd rfww

#include "results/compare.hpp"

#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/queries.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::results::compare_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CompareTest : public ::testing::Test {
 protected:
  Side side(const std::string& text) const {
    const Selection selection = parse_selection({text});
    return {&store_, selection.filters.front(), text};
  }
  Comparison compared(const std::string& a, const std::string& b) const {
    return compare(side(a), side(b));
  }
  std::string complaint(const std::string& a, const std::string& b) const {
    try {
      std::ignore = compared(a, b);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  base::TempFolder folder_;
  store::Store store_ = store::Store::open_writer(folder_.path() / "x.sqlite");
  store::testing::SmallStudy study_;
  std::int64_t run_ = store::testing::run_small_study(store_, study_);
};

constexpr const char* kPgd =
    "attack=pgd,gradient=@eval,seed=0,epsilon=8/255,train_seed=0,solver=bosh3";
constexpr const char* kSpsa = "attack=spsa,epsilon=8/255,train_seed=0,solver=bosh3";

TEST_F(CompareTest, TwoAttacksAreCountedSampleBySample) {
  const Comparison comparison = compared(kPgd, kSpsa);

  ASSERT_THAT(comparison.pairs, SizeIs(1));
  const Pair& pair = comparison.pairs.front();
  // pgd rrfw, spsa rffw: sample 0 by both, 1 by pgd alone, 2 and 3 by neither.
  EXPECT_EQ(pair.counts.both, 1);
  EXPECT_EQ(pair.counts.only_first, 1);
  EXPECT_EQ(pair.counts.only_second, 0);
  EXPECT_EQ(pair.counts.neither, 2);
  // One discordant pair: either way has probability 1/2, two-sided 1.
  EXPECT_EQ(pair.p, 1);
  EXPECT_LT(pair.difference.lower, 0.25);
  EXPECT_GT(pair.difference.upper, 0.25);
  ASSERT_THAT(pair.flips, SizeIs(1));
  EXPECT_EQ(pair.flips.front().sample, 1);
  EXPECT_TRUE(pair.flips.front().is_right_in_a);
  EXPECT_EQ(pair.flips.front().prediction_a, table::Value(std::int64_t{1}));
  EXPECT_EQ(pair.flips.front().prediction_b, table::Value(std::int64_t{2}));
}

TEST_F(CompareTest, SidesChangedRoundChangeSigns) {
  const Pair forth = compared(kPgd, kSpsa).pairs.front();
  const Pair back = compared(kSpsa, kPgd).pairs.front();

  EXPECT_EQ(forth.counts.only_first, back.counts.only_second);
  EXPECT_DOUBLE_EQ(forth.difference.lower, -back.difference.upper);
  EXPECT_DOUBLE_EQ(forth.p, back.p);
}

TEST_F(CompareTest, NetworksArePairedByAttackAndRadius) {
  const Comparison comparison = compared("train_seed=0,solver=bosh3", "train_seed=1,solver=bosh3");

  // Only pgd with seed 0 and @eval has a partner; and both networks' attacks at 8/255 together.
  ASSERT_THAT(comparison.pairs, SizeIs(2));
  EXPECT_EQ(comparison.pairs[0].labels_a[axis_index("attack")], "pgd");
  EXPECT_EQ(comparison.pairs[0].counts.both, 1);
  EXPECT_EQ(comparison.pairs[0].counts.only_first, 1);
  // Of train0 together (rrfw, fffw, rrrw, rffw): ffffw..: none; train1: rfww.
  EXPECT_EQ(comparison.pairs[1].labels_a[axis_index("attack")], "all of them");
  EXPECT_EQ(comparison.pairs[1].n_attacks_a, 4);
  EXPECT_EQ(comparison.pairs[1].n_attacks_b, 1);
  EXPECT_EQ(comparison.pairs[1].counts.both, 0);
  EXPECT_EQ(comparison.pairs[1].counts.only_second, 1);
  EXPECT_EQ(comparison.pairs[1].counts.neither, 3);
  EXPECT_EQ(comparison.pairs[1].note, "A faced 4 attacks, B 1");
}

TEST_F(CompareTest, WhatHasNoPartnerIsSetAsideWithTheReason) {
  const Comparison comparison = compared("train_seed=0,solver=bosh3", "train_seed=1,solver=bosh3");

  EXPECT_THAT(comparison.aside,
              Contains(Field(&SetAside::reason, "other radius: B has it at linf 8/255")));
  EXPECT_THAT(comparison.aside, Contains(Field(&SetAside::reason, "no result (failed)")));
  EXPECT_THAT(comparison.aside,
              Contains(Field(&SetAside::reason, "B has none that agrees with it")));
}

TEST_F(CompareTest, OtherRadiiAreRefused) {
  EXPECT_THAT(complaint("attack=pgd,epsilon=4/255",
                        "attack=pgd,epsilon=8/255,seed=0,gradient=@eval,"
                        "train_seed=0,solver=bosh3"),
              HasSubstr("other radius: B has it at linf 8/255"));
}

TEST_F(CompareTest, SeveralAttacksWhereOneIsNeededAreRefusedByName) {
  // One side names any gradient, the other one: pairs need not agree in it.
  const std::string text =
      complaint("attack=pgd,gradient=*,seed=0,epsilon=8/255,train_seed=0,solver=bosh3",
                "attack=pgd,gradient=@eval,seed=0,epsilon=8/255,train_seed=1");

  EXPECT_THAT(text, HasSubstr("where one is needed"));
  EXPECT_THAT(text, HasSubstr("gradient: @eval rk4"));
}

TEST_F(CompareTest, NothingThatMatchesIsRefused) {
  EXPECT_THAT(complaint("model=nobody", kSpsa), HasSubstr("matches no attack"));
}

TEST_F(CompareTest, OneCellOnBothSidesIsNoPair) {
  const Comparison comparison = compared(kSpsa, kSpsa);

  EXPECT_THAT(comparison.pairs, IsEmpty());
  EXPECT_EQ(comparison.n_same_cell, 1U);
}

TEST_F(CompareTest, AnUndecidedSampleIsNotRobustAndCounted) {
  wire::Cell other = study_.spsa;
  other.spec.set("seed", 7);
  other.labels.seed = 7;
  other.key = std::string(64, 'a');
  std::vector<wire::Cell> cells = study_.cells();
  cells.push_back(other);
  store_.register_cells(run_, store::testing::make_catalog(), cells);
  store::testing::finish(store_, run_, other, store::testing::attack_result("urrw"));

  const Comparison comparison =
      compared(std::string(kSpsa) + ",seed=0", std::string(kSpsa) + ",seed=7");

  // rffw against urrw: sample 0 only in A, 1 and 2 only in B, 3 by neither.
  ASSERT_THAT(comparison.pairs, SizeIs(1));
  EXPECT_EQ(comparison.pairs[0].counts.only_first, 1);
  EXPECT_EQ(comparison.pairs[0].counts.only_second, 2);
  EXPECT_EQ(comparison.pairs[0].undecided_b, 1);
  EXPECT_EQ(comparison.pairs[0].flips[0].prediction_b, table::Value());
}

TEST_F(CompareTest, TheTableHoldsBothLabelsWhereTheyDiffer) {
  const table::Table table = comparison_table(compared(kPgd, kSpsa));

  EXPECT_THAT(table.columns, Contains("attack_a"));
  EXPECT_THAT(table.columns, Contains("attack_b"));
  EXPECT_THAT(table.columns, Contains("model"));
  EXPECT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.rows[0].size(), table.columns.size());
}

}  // namespace
}  // namespace unmask::results::compare_test
