// Pivots against numbers made by hand: see compare_test.cpp for the outcomes of the small study.

#include "results/pivot.hpp"

#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::results::pivot_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PivotTest : public ::testing::Test {
 protected:
  PivotTest() { store::testing::run_small_study(store_); }

  Pivot pivot(const PivotQuestion& question) const { return make_pivot(store_, question); }
  std::string complaint(const PivotQuestion& question) const {
    try {
      std::ignore = pivot(question);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  base::TempFolder folder_;
  store::Store store_ = store::Store::open_writer(folder_.path() / "x.sqlite");
};

PivotQuestion question_of(const std::string& filter) {
  PivotQuestion question;
  question.rows = {"train_seed", "solver"};
  question.columns = {"attack", "epsilon"};
  question.value = "accuracy";
  question.selection = parse_selection({filter});
  return question;
}

TEST_F(PivotTest, FieldsHoldTheAccuracyOfTheirCell) {
  // pgd 4/255: rrrw on train0 under bosh3; 8/255: rrfw there, rffw under rk4, rfww on train1.
  const Pivot answer = pivot(question_of("attack=pgd,gradient=@eval,seed=0,model=so_resnet"));

  EXPECT_THAT(answer.column_labels,
              ElementsAre(ElementsAre("pgd", "4/255"), ElementsAre("pgd", "8/255")));
  ASSERT_EQ(answer.row_labels.size(), 3U);
  EXPECT_THAT(answer.row_labels[0], ElementsAre("0", "bosh3"));
  EXPECT_EQ(answer.fields[0][0].value, 0.75);
  EXPECT_EQ(answer.fields[0][1].value, 0.5);
  EXPECT_EQ(answer.fields[1][1].value, 0.25);
  EXPECT_EQ(answer.fields[1][0].n, 0U);
}

TEST_F(PivotTest, EmptyFieldsAndMissingResultsAreShownAsSuch) {
  PivotQuestion question = question_of("epsilon=8/255,gradient=@eval,seed=0,model=so_resnet");
  question.columns = {"attack"};

  const table::Table table = readable(pivot(question), false);

  // Row (0, bosh3): pgd rrfw, spsa rffw, square crashed; row (0, rk4): pgd alone.
  EXPECT_THAT(table.columns, ElementsAre("train_seed", "solver", "pgd", "spsa", "square"));
  EXPECT_EQ(table.rows[0][4], table::Value(std::string("missing")));
  EXPECT_EQ(table.rows[1][3], table::Value(std::string("-")));
  EXPECT_EQ(table.rows[0][2], table::Value(std::string("0.500")));
}

TEST_F(PivotTest, SeveralCellsInAFieldAreRefusedUnlessSaid) {
  PivotQuestion question = question_of(
      "model=so_resnet,attack=pgd,gradient=@eval,epsilon=8/255,solver=bosh3,train_seed=0");
  EXPECT_THAT(complaint(question), HasSubstr("2 cells that differ in\n  seed: 0 1"));

  question.over = {"seed"};
  const Pivot answer = pivot(question);

  // Seeds 0 and 1: rrfw 0.5 and rrrw 0.75.
  EXPECT_EQ(answer.fields[0][0].n, 2U);
  EXPECT_EQ(answer.fields[0][0].value, 0.625);
  EXPECT_EQ(answer.fields[0][0].least, 0.5);
  EXPECT_EQ(answer.fields[0][0].largest, 0.75);
  EXPECT_EQ(readable(answer, false).rows[0][2],
            table::Value(std::string("0.625 (n = 2, 0.500 to 0.750)")));
  question.aggregate = Aggregate::kMin;
  EXPECT_EQ(pivot(question).fields[0][0].value, 0.5);
}

TEST_F(PivotTest, AWorstCaseOfWhichAttacksAreMissingIsABound) {
  PivotQuestion question = question_of("model=so_resnet,train_seed=0,solver=bosh3,epsilon=8/255");
  question.columns = {"epsilon"};
  question.value = "worst_case";

  const table::Table table = readable(pivot(question), false);

  // rrfw, fffw, rrrw, rffw together leave nothing; square has crashed.
  EXPECT_EQ(table.rows[0][2], table::Value(std::string("\u2264 0.000")));
}

TEST_F(PivotTest, AWorstCaseHasNoAttackAndSaysSo) {
  PivotQuestion question = question_of("model=so_resnet");
  question.value = "worst_case";

  EXPECT_THAT(complaint(question), HasSubstr("has no axis \"attack\""));
}

TEST_F(PivotTest, MachinesGetNumbersAndWhatIsBehindThem) {
  const table::Table table =
      for_machines(pivot(question_of("attack=pgd,gradient=@eval,seed=0,model=so_resnet")));

  EXPECT_THAT(table.columns,
              ElementsAre("train_seed",
                          "solver",
                          "pgd 4/255",
                          "pgd 4/255 n",
                          "pgd 4/255 lower",
                          "pgd 4/255 upper",
                          "pgd 8/255",
                          "pgd 8/255 n",
                          "pgd 8/255 lower",
                          "pgd 8/255 upper"));
  EXPECT_EQ(table.rows[1][2], table::Value());
  EXPECT_EQ(table.rows[1][3], table::Value(std::int64_t{0}));
}

TEST_F(PivotTest, TheBestOfAColumnIsTheLargestAccuracy) {
  const auto best =
      best_fields(pivot(question_of("attack=pgd,gradient=@eval,seed=0,model=so_resnet")));

  EXPECT_FALSE(best[0][0]);  // alone
  EXPECT_TRUE(best[0][1]);
  EXPECT_FALSE(best[1][1]);
}

TEST_F(PivotTest, MetricsOfProbesHaveAPlaceAndANaNIsMissing) {
  PivotQuestion question = question_of("attack=gradient_norm");
  question.columns = {"attack"};
  question.value = "metric:median_norm";
  EXPECT_EQ(pivot(question).fields[0][0].value, 0.5);

  question.value = "metric:broken";
  EXPECT_EQ(readable(pivot(question), false).rows[0][2], table::Value(std::string("missing")));
}

TEST_F(PivotTest, UnknownAxesAndValuesAreNamed) {
  PivotQuestion question = question_of("model=so_resnet");
  question.rows = {"modle"};
  EXPECT_THAT(complaint(question), HasSubstr("model"));
  question.rows = {"attack"};
  EXPECT_THAT(complaint(question), HasSubstr("in --rows and in --cols"));
  question.rows = {"model"};
  question.value = "wurst_case";
  EXPECT_THAT(complaint(question), HasSubstr("worst_case"));
}

}  // namespace
}  // namespace unmask::results::pivot_test
