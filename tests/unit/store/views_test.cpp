// The numbers in the views, against the small study of small_study.cpp worked out by hand.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store {
namespace {

using testing::attack_cell;
using testing::attack_result;
using testing::finish;
using testing::make_catalog;
using testing::make_info;
using testing::make_study;
using testing::run_small_study;
using testing::SmallStudy;
using testing::train_cell;
using testing::train_result;

class ViewsTest : public ::testing::Test {
 protected:
  ViewsTest() { run_small_study(store_); }

  std::string csv(const std::string& sql) const {
    return table::to_text(run_query(store_, sql), table::Format::kCsv);
  }

  base::TempFolder folder_;
  Store store_ = Store::open_writer(folder_.path() / "x.sqlite");
};

TEST_F(ViewsTest, AccuracyCountsPerModelSolverAndAttack) {
  EXPECT_EQ(
      csv("SELECT train_seed, solver, gradient, attack, epsilon_text, seed, n, clean_correct, "
          "robust_correct, clean_accuracy, robust_accuracy FROM accuracy ORDER BY cell_id"),
      "train_seed,solver,gradient,attack,epsilon_text,seed,n,clean_correct,robust_correct,"
      "clean_accuracy,robust_accuracy\n"
      "0,bosh3,@eval,none,0,0,4,3,3,0.75,0.75\n"
      "0,bosh3,@eval,pgd,8/255,0,4,3,2,0.75,0.5\n"
      "0,bosh3,rk4,pgd,8/255,0,4,3,0,0.75,0\n"
      "0,bosh3,@eval,pgd,8/255,1,4,3,3,0.75,0.75\n"
      "0,bosh3,@eval,spsa,8/255,0,4,3,1,0.75,0.25\n"
      "0,bosh3,@eval,pgd,4/255,0,4,3,3,0.75,0.75\n"
      "0,rk4,@eval,pgd,8/255,0,4,3,1,0.75,0.25\n"
      "1,bosh3,@eval,pgd,8/255,0,4,2,1,0.5,0.25\n");
}

TEST_F(ViewsTest, WrongCleanAnswerThatTheAttackRepairsIsNotRobust) {
  wire::CellResult result = attack_result("r");
  result.outcomes[0].clean_prediction = 7;
  const SmallStudy small;
  const wire::Cell cell = attack_cell(small.train1, "bosh3", "", "spsa", 0.1, "0.1");
  const auto run = store_.begin_run(make_study(), make_info());
  store_.register_cells(run, make_catalog(), std::vector{cell});
  finish(store_, run, cell, result);

  EXPECT_EQ(csv("SELECT clean_correct, robust_correct FROM accuracy WHERE epsilon_text = '0.1'"),
            "clean_correct,robust_correct\n0,0\n");
}

TEST_F(ViewsTest, WorstCaseIsThePointwiseMinimumOverAttacks) {
  EXPECT_EQ(csv("SELECT train_seed, solver, epsilon_text, n_attacks, n_missing, n, clean_correct, "
                "robust_correct, robust_accuracy FROM worst_case ORDER BY 1, 2, 3"),
            "train_seed,solver,epsilon_text,n_attacks,n_missing,n,clean_correct,robust_correct,"
            "robust_accuracy\n"
            "0,bosh3,4/255,1,0,4,3,3,0.75\n"
            "0,bosh3,8/255,4,1,4,3,0,0\n"
            "0,rk4,8/255,1,0,4,3,1,0.25\n"
            "1,bosh3,8/255,1,0,4,2,1,0.25\n");
}

TEST_F(ViewsTest, WorstCaseSampleNamesTheAttacksThatFooledIt) {
  EXPECT_EQ(
      csv("SELECT sample, label, clean_prediction, robust, n_attacks, n_fooled, fooled_by FROM "
          "worst_case_sample WHERE train_seed = 0 AND solver = 'bosh3' AND epsilon_text = "
          "'8/255' ORDER BY sample"),
      "sample,label,clean_prediction,robust,n_attacks,n_fooled,fooled_by\n"
      "0,0,0,0,4,1,pgd via rk4\n"
      "1,1,1,0,4,2,\"pgd via rk4, spsa\"\n"
      "2,2,2,0,4,3,\"pgd, pgd via rk4, spsa\"\n"
      "3,3,4,0,4,0,\n");
}

TEST_F(ViewsTest, SeedSummaryHasTheVarianceOfASample) {
  // 2/4, 3/4 and 1/4: mean 1/2, variance (0 + 1/16 + 1/16) / 2 = 1/16, all exact in binary.
  EXPECT_EQ(
      csv("SELECT n, train_seeds, attack_seeds, min, mean, max, variance FROM seed_summary "
          "WHERE attack = 'pgd' AND gradient = '@eval' AND solver = 'bosh3' AND epsilon_text = "
          "'8/255'"),
      "n,train_seeds,attack_seeds,min,mean,max,variance\n3,2,2,0.25,0.5,0.75,0.0625\n");
}

TEST_F(ViewsTest, SeedSummaryOfOneHasNoVariance) {
  EXPECT_EQ(csv("SELECT n, variance FROM seed_summary WHERE attack = 'spsa'"), "n,variance\n1,\n");
}

TEST_F(ViewsTest, GradientMatrixShowsTheGapToTheOwnGradient) {
  EXPECT_EQ(csv("SELECT gradient, robust_accuracy, own_robust_accuracy, gap FROM gradient_matrix "
                "WHERE train_seed = 0 AND solver = 'bosh3' AND attack = 'pgd' AND seed = 0 AND "
                "epsilon_text = '8/255' ORDER BY gradient"),
            "gradient,robust_accuracy,own_robust_accuracy,gap\n@eval,0.5,0.5,0\nrk4,0,0.5,0.5\n");
}

TEST_F(ViewsTest, FailuresShowTheLatestReasonAndWhatItBlocks) {
  EXPECT_EQ(csv("SELECT kind, model, method, failure_class, message, log_tail, signal, attempt, "
                "blocks FROM failures ORDER BY cell_id"),
            "kind,model,method,failure_class,message,log_tail,signal,attempt,blocks\n"
            "train,resnet,,plugin_error,loss is not finite,\"epoch 3\n\",,1,1\n"
            "attack,so_resnet,square,crash,it crashed again,\"second\n\",6,2,0\n");
}

TEST_F(ViewsTest, CellThatSucceededAfterAFailureIsNoFailure) {
  const SmallStudy small;
  const auto run = store_.begin_run(make_study(), make_info());
  finish(store_, run, small.crashed, attack_result("rrrr"));

  EXPECT_EQ(csv("SELECT count(*) AS n FROM failures WHERE method = 'square'"), "n\n0\n");
}

TEST_F(ViewsTest, CostListsTheWorkOfEachResult) {
  EXPECT_EQ(csv("SELECT kind, wall_s, forwards, backwards, nfe, attempts FROM cost WHERE method IS "
                "NULL OR method = 'spsa' ORDER BY cell_id"),
            "kind,wall_s,forwards,backwards,nfe,attempts\n"
            "train,2.5,40,40,100,1\ntrain,2.5,40,40,100,1\nattack,1.5,88,80,280,1\n");
}

TEST_F(ViewsTest, EvaluationsPerSolveAreMeansOverSolves) {
  EXPECT_EQ(csv("SELECT phase, solves, nfe_min, nfe_median, nfe_max, nfe_mean, accepted_mean, "
                "rejected_mean FROM evaluations_per_solve WHERE kind = 'train' AND train_seed = 0"),
            "phase,solves,nfe_min,nfe_median,nfe_max,nfe_mean,accepted_mean,rejected_mean\n"
            "train,10,7,10,13,10,3,0.5\n");
}

TEST_F(ViewsTest, NoSolvesHaveNoMean) {
  EXPECT_EQ(
      csv("SELECT DISTINCT solves, nfe_mean FROM evaluations_per_solve WHERE phase = 'attack'"),
      "solves,nfe_mean\n0,\n");
}

TEST_F(ViewsTest, MetricsKeepTheFlagOfNan) {
  EXPECT_EQ(csv("SELECT method, name, value, flag FROM metrics WHERE kind = 'probe' ORDER BY name"),
            "method,name,value,flag\ngradient_norm,broken,,nan\ngradient_norm,median_norm,0.5,\n");
}

TEST_F(ViewsTest, ProgressCountsStates) {
  EXPECT_EQ(csv("SELECT kind, cells, done, running, failed, missing FROM progress ORDER BY kind"),
            "kind,cells,done,running,failed,missing\nattack,10,8,0,1,1\nprobe,1,1,0,0,0\n"
            "train,3,2,0,1,0\n");
}

TEST_F(ViewsTest, EditedManifestReplacesTheFormerOneInViews) {
  manifest::Study edited = make_study();
  edited.text += "// a comment\n";
  edited.sha256 = std::string(64, 'e');
  const SmallStudy small;
  const auto run = store_.begin_run(edited, make_info());

  store_.register_cells(run, make_catalog(), std::vector{small.train0, small.clean});

  EXPECT_EQ(csv("SELECT study, attack FROM accuracy"), "study,attack\nsmall,none\n");
  EXPECT_EQ(csv("SELECT count(*) AS n FROM study_cell"), "n\n16\n");
}

// Wilson's interval as C++ computes it.
struct Interval {
  double lower, upper;
};
Interval wilson(double k, double n) {
  const double z = 1.959963984540054;
  const double centre = (k + z * z / 2) / (n + z * z);
  const double half = z / (n + z * z) * std::sqrt(k * (n - k) / n + z * z / 4);
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

TEST(Wilson, ViewsAgreeWithSqrtToRounding) {
  const base::TempFolder folder;
  Store store = Store::open_writer(folder.path() / "x.sqlite");
  const auto run = store.begin_run(make_study(), make_info());
  const wire::Cell training = train_cell("so_resnet", 0);
  std::vector<wire::Cell> cells = {training};
  const std::pair<int, int> counts[] = {{0, 1},
                                        {1, 1},
                                        {0, 7},
                                        {7, 7},
                                        {1, 2},
                                        {3, 10},
                                        {61, 100},
                                        {0, 2000},
                                        {1999, 2000},
                                        {777, 2000}};
  while (cells.size() <= std::size(counts)) {
    // A radius of its own for each, so that the worst case is over this attack alone.
    const std::string epsilon = std::to_string(cells.size());
    cells.push_back(
        attack_cell(training, "bosh3", "", "pgd", static_cast<double>(cells.size()), epsilon));
  }
  store.register_cells(run, make_catalog(), cells);
  finish(store, run, training, train_result());
  for (std::size_t i = 0; i < std::size(counts); ++i) {
    const auto [k, n] = counts[i];
    finish(store,
           run,
           cells[i + 1],
           attack_result(std::string(static_cast<std::size_t>(k), 'r') +
                         std::string(static_cast<std::size_t>(n - k), 'f')));
  }

  for (const char* view : {"accuracy", "worst_case"}) {
    const table::Table table = run_query(
        store,
        std::string("SELECT robust_correct, n, lower, upper FROM ") + view + " ORDER BY epsilon");
    ASSERT_EQ(table.rows.size(), std::size(counts));
    for (const auto& row : table.rows) {
      const auto k = static_cast<double>(std::get<std::int64_t>(row[0]));
      const auto n = static_cast<double>(std::get<std::int64_t>(row[1]));
      const Interval expected = wilson(k, n);
      // A dozen operations on numbers below 1, each with a relative error of at most 1.2e-16.
      EXPECT_NEAR(std::get<double>(row[2]), expected.lower, 2e-15) << k << " of " << n;
      EXPECT_NEAR(std::get<double>(row[3]), expected.upper, 2e-15) << k << " of " << n;
    }
  }
}

}  // namespace
}  // namespace unmask::store
