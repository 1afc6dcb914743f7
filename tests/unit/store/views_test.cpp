// The numbers in the views, against the small study of small_study.cpp worked out by hand.

#include "store/views.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::views_test {
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
  EXPECT_EQ(
      csv("SELECT model, train_seed, solver, epsilon_text, n_attacks, n_missing, n_failed, n, "
          "clean_correct, robust_correct, robust_accuracy FROM worst_case ORDER BY 1, 2, 3, 4"),
      "model,train_seed,solver,epsilon_text,n_attacks,n_missing,n_failed,n,clean_correct,"
      "robust_correct,robust_accuracy\n"
      "resnet,0,bosh3,8/255,0,1,0,0,,,\n"
      "so_resnet,0,bosh3,4/255,1,0,0,4,3,3,0.75\n"
      "so_resnet,0,bosh3,8/255,4,1,1,4,3,0,0\n"
      "so_resnet,0,rk4,8/255,1,0,0,4,3,1,0.25\n"
      "so_resnet,1,bosh3,8/255,1,0,0,4,2,1,0.25\n");
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

// Of seed 0 under bosh3 at 8/255: pgd rrfw, via rk4 fffw, seed 1 rrrw, spsa (no gradient) rffw.
TEST_F(ViewsTest, SamplesAreToldApartByWhatItTakesToFoolThem) {
  const NamedQuery* query = find_query("sample-classes");
  ASSERT_NE(query, nullptr);
  EXPECT_EQ(csv("SELECT n, wrong_without_attack, never_fooled, fooled_by_gradients_alone AS g, "
                "fooled_without_gradients_alone AS f, fooled_by_both, undecided, "
                "fooled_by_one_attack AS one FROM (" +
                std::string(query->sql) +
                ") WHERE train_seed = 0 AND solver = 'bosh3' AND epsilon_text = '8/255'"),
            "n,wrong_without_attack,never_fooled,g,f,fooled_by_both,undecided,one\n"
            "4,1,0,1,0,2,0,1\n");
  EXPECT_EQ(csv("SELECT gradient_free, name FROM worst_case_cell WHERE name IN ('spsa', 'pgd via "
                "rk4') ORDER BY name"),
            "gradient_free,name\n0,pgd via rk4\n1,spsa\n");
}

TEST_F(ViewsTest, SamplesThatOnlyABlackBoxFindsAreCounted) {
  // Without the gradient attacks' outcomes, spsa alone has anything to say.
  store_.database()
      .prepare("leave one",
               "DELETE FROM sample_outcome WHERE cell_id NOT IN (SELECT cell_id FROM labelled_cell "
               "WHERE method = 'spsa')")
      .run();
  EXPECT_EQ(csv("SELECT fooled_by_gradients_alone AS g, fooled_without_gradients_alone AS f, "
                "never_fooled AS r FROM (" +
                std::string(find_query("sample-classes")->sql) + ")"),
            "g,f,r\n0,2,1\n");
}

TEST_F(ViewsTest, WhatIsRememberedIsWhatTheViewsAnswer) {
  const Store reader = Store::open_reader(folder_.path() / "x.sqlite");
  std::vector<table::Table> before;
  for (const NamedQuery& query : named_queries()) before.push_back(run_query(reader, query.sql));

  remember_answers(reader.database());

  std::size_t i = 0;
  for (const NamedQuery& query : named_queries()) {
    const table::Table after = run_query(reader, query.sql);
    EXPECT_EQ(after.columns, before[i].columns) << query.name;
    EXPECT_EQ(after.rows, before[i].rows) << query.name;
    ++i;
  }
  // And they are not asked again.
  store_.database().prepare("take away", "DELETE FROM sample_outcome").run();
  EXPECT_FALSE(run_query(reader, "SELECT * FROM worst_case_tally").rows.empty());
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
  EXPECT_EQ(csv("SELECT count(*) AS n FROM plan_cell"), "n\n16\n");
}

// The manifest's text is the same; a file that it extends, its data or a plugin was edited.
TEST_F(ViewsTest, ViewsFollowTheLatestPlanEvenOfAnUnchangedManifest) {
  SmallStudy small;
  const wire::Cell other = attack_cell(small.train0, "bosh3", "", "pgd", 0.1, "0.1");
  const auto run = store_.begin_run(make_study(), make_info());
  store_.register_cells(run, make_catalog(), std::vector{small.train0, small.clean, other});
  finish(store_, run, other, attack_result("rrrw"));

  EXPECT_EQ(csv("SELECT attack, epsilon_text FROM accuracy ORDER BY epsilon"),
            "attack,epsilon_text\nnone,0\npgd,0.1\n");
  EXPECT_EQ(csv("SELECT run_id FROM current_run"), "run_id\n2\n");
  EXPECT_EQ(csv("SELECT run_id FROM earlier_run"), "run_id\n1\n");
}

TEST_F(ViewsTest, ARunThatEndedBeforeItHadAPlanChangesNoView) {
  const std::string before = csv("SELECT * FROM accuracy");

  store_.begin_run(make_study(), make_info());

  EXPECT_EQ(csv("SELECT * FROM accuracy"), before);
}

TEST_F(ViewsTest, CellsThatOnlyLeftOutAreMissing) {
  const SmallStudy small;
  const wire::Cell never = attack_cell(small.train1, "bosh3", "", "spsa", 8.0 / 255, "8/255");
  std::vector<wire::Cell> plan = small.cells();
  plan.push_back(never);
  const auto run = store_.begin_run(make_study(), make_info());
  store_.register_plan(run, make_catalog(), plan, std::vector{small.train1, small.pgd1});

  EXPECT_EQ(csv("SELECT n_attacks, n_missing, n_failed FROM worst_case WHERE train_seed = 1"),
            "n_attacks,n_missing,n_failed\n1,1,0\n");
  EXPECT_EQ(csv("SELECT cells, missing FROM progress WHERE kind = 'attack'"),
            "cells,missing\n11,2\n");
  EXPECT_EQ(csv("SELECT how, count(*) AS n FROM run_cell WHERE run_id = 2 GROUP BY how"),
            "how,n\nhit,2\n");
}

TEST_F(ViewsTest, EqualPlansAreStoredOnce) {
  const auto run = store_.begin_run(make_study(), make_info());
  store_.register_cells(run, make_catalog(), SmallStudy().cells());

  EXPECT_EQ(csv("SELECT count(*) AS plans FROM plan"), "plans\n1\n");
}

// A study of one network under two names, each attacked by one attack under two names.
class AliasTest : public ViewsTest {
 protected:
  AliasTest() {
    training_.aliases = {training_.labels};
    training_.aliases[0].model = "same";
    attack_.aliases = {attack_.labels, attack_.labels, attack_.labels};
    attack_.aliases[0].method = "pgd.1";
    attack_.aliases[1].model = attack_.aliases[2].model = "same";
    attack_.aliases[2].method = "pgd.1";
    other_.aliases = {other_.labels};
    other_.aliases[0].model = "same";
    const auto run = store_.begin_run(make_study("alias"), make_info());
    store_.register_cells(run, make_catalog(), std::vector{training_, attack_, other_});
    finish(store_, run, training_, train_result());
    finish(store_, run, attack_, attack_result("rrfw"));
    finish(store_, run, other_, attack_result("rfrw"));
  }

  wire::Cell training_ = train_cell("so_resnet", 7);
  wire::Cell attack_ = attack_cell(training_, "bosh3", "", "pgd", 0.1, "0.1");
  wire::Cell other_ = attack_cell(training_, "bosh3", "", "spsa", 0.1, "0.1");
};

TEST_F(AliasTest, EveryNameAnswers) {
  EXPECT_EQ(
      csv("SELECT model, attack, is_alias, robust_correct FROM accuracy WHERE study = 'alias' "
          "ORDER BY 1, 2"),
      "model,attack,is_alias,robust_correct\n"
      "same,pgd,1,2\nsame,pgd.1,1,2\nsame,spsa,1,2\n"
      "so_resnet,pgd,0,2\nso_resnet,pgd.1,1,2\nso_resnet,spsa,0,2\n");
}

TEST_F(AliasTest, AnAttackCountsOnceWhateverItsNames) {
  EXPECT_EQ(csv("SELECT model, n_attacks, n, robust_correct FROM worst_case WHERE study = 'alias' "
                "ORDER BY model"),
            "model,n_attacks,n,robust_correct\nsame,2,4,1\nso_resnet,2,4,1\n");
  EXPECT_EQ(csv("SELECT model, sample, fooled_by FROM worst_case_sample WHERE study = 'alias' AND "
                "n_fooled > 0 ORDER BY model, sample"),
            "model,sample,fooled_by\nsame,1,spsa\nsame,2,pgd\nso_resnet,1,spsa\nso_resnet,2,pgd\n");
  EXPECT_EQ(csv("SELECT kind, cells FROM progress WHERE study = 'alias' ORDER BY kind"),
            "kind,cells\nattack,2\ntrain,1\n");
  EXPECT_EQ(csv("SELECT sum(wall_s) AS seconds FROM cost WHERE study = 'alias' AND NOT is_alias"),
            "seconds\n5.5\n");
}

// Cells of one network at one radius, made from the letters of attack_result().
class WorstCaseTest : public ViewsTest {
 protected:
  struct Attacked {
    std::string method;
    double epsilon;
    std::string outcomes;  // empty: no result
    std::string norm = "linf";
    std::vector<wire::Metric> metrics = {};
  };

  void attack(const std::vector<Attacked>& attacks) {
    const wire::Cell training = train_cell("so_resnet", 9);
    std::vector<wire::Cell> cells = {training};
    for (const Attacked& a : attacks) {
      cells.push_back(
          attack_cell(training, "bosh3", "", a.method, a.epsilon, std::to_string(a.epsilon)));
    }
    run_ = store_.begin_run(make_study("worst"), make_info());
    store_.register_cells(run_, make_catalog(), cells);
    finish(store_, run_, training, train_result());
    for (std::size_t i = 0; i < attacks.size(); ++i) {
      wire::CellResult result = attack_result(attacks[i].outcomes);
      result.norm = attacks[i].norm;
      result.metrics = attacks[i].metrics;
      if (!attacks[i].outcomes.empty()) finish(store_, run_, cells[i + 1], result);
    }
    cells_ = cells;
  }

  std::string worst(const std::string& columns) const {
    return csv("SELECT " + columns +
               " FROM worst_case WHERE study = 'worst' ORDER BY norm, epsilon");
  }

  std::int64_t run_ = 0;
  std::vector<wire::Cell> cells_;
};

TEST_F(WorstCaseTest, UndecidedSamplesAreCountedAndNeverRobust) {
  attack({{"pgd", 0.1, "rruuw"}, {"spsa", 0.1, "rfrfw"}});

  // Sample 2 is undecided; sample 3, undecided under one attack, is fooled by the other.
  EXPECT_EQ(worst("n, n_undecided, clean_correct, robust_correct"),
            "n,n_undecided,clean_correct,robust_correct\n5,1,4,1\n");
  EXPECT_EQ(
      csv("SELECT sample, robust, n_fooled, n_undecided, fooled_by FROM worst_case_sample WHERE "
          "study = 'worst' ORDER BY sample"),
      "sample,robust,n_fooled,n_undecided,fooled_by\n"
      "0,1,0,0,\n1,0,1,0,spsa\n2,0,0,1,\n3,0,1,1,spsa\n4,0,0,0,\n");
  EXPECT_EQ(csv("SELECT attack, n, n_undecided, robust_correct FROM accuracy WHERE study = 'worst' "
                "ORDER BY attack"),
            "attack,n,n_undecided,robust_correct\npgd,5,2,2\nspsa,5,0,2\n");
}

TEST_F(WorstCaseTest, EachNormHasItsOwn) {
  attack({{"pgd", 0.5, "rrf"}, {"spsa", 0.5, "frr", "l2"}, {"square", 0.5, "rfr", "l2"}});

  EXPECT_EQ(worst("norm, n_attacks, robust_correct"),
            "norm,n_attacks,robust_correct\nl2,2,1\nlinf,1,2\n");
}

// spsa says in no parameter which norm it works in, and has not run.
TEST_F(WorstCaseTest, AnAttackOfUnknownNormIsMissingInAllOfThem) {
  attack({{"pgd", 0.5, "rrf"}, {"square", 0.5, "rfr", "l2"}, {"spsa", 0.5, ""}});

  EXPECT_EQ(worst("norm, n_attacks, n_missing"), "norm,n_attacks,n_missing\nl2,1,1\nlinf,1,1\n");
}

TEST_F(WorstCaseTest, ASuccessAtASmallRadiusCountsAtLargerOnesToo) {
  attack({{"pgd", 0.1, "rrrf"}, {"pgd", 0.2, "rfrr"}, {"pgd", 0.3, "rrrr"}});

  EXPECT_EQ(worst("robust_correct, cumulative_correct, cumulative_accuracy"),
            "robust_correct,cumulative_correct,cumulative_accuracy\n3,3,0.75\n3,2,0.5\n4,2,0.5\n");
}

// A randomised network answers the clean image differently from cell to cell. Right means right in
// all of them, whichever class the wrong answer is.
TEST_F(WorstCaseTest, CleanCorrectCountsRightAnswersNotTheSmallestClass) {
  attack({{"pgd", 0.1, "rrr"}, {"spsa", 0.1, ""}});
  wire::CellResult result = attack_result("rrr");
  result.outcomes[0].clean_prediction = 5;  // larger than the label 0
  result.outcomes[2].clean_prediction = 0;  // smaller than the label 2
  finish(store_, run_, cells_[2], result);

  EXPECT_EQ(worst("n, clean_correct"), "n,clean_correct\n3,1\n");
  EXPECT_EQ(
      csv("SELECT sample, clean_prediction, clean_correct FROM worst_case_sample WHERE study = "
          "'worst' ORDER BY sample"),
      "sample,clean_prediction,clean_correct\n0,,0\n1,1,1\n2,,0\n");
}

TEST_F(WorstCaseTest, RobustnessNamesWhatIsMissingFailedAndOutside) {
  attack({{"pgd", 0.1, "rrfu", "linf", {{"threat_violations", 2, 4}}},
          {"spsa", 0.1, ""},
          {"square", 0.1, ""}});
  testing::fail(store_, run_, cells_[3], {wire::FailureClass::kCrash, "", "", 11, {}});

  EXPECT_EQ(csv("SELECT attack, norm, n, percent, note FROM (" +
                std::string(find_query("robustness")->sql) + ") WHERE study = 'worst'"),
            "attack,norm,n,percent,note\n"
            "pgd,linf,4,50,1 undecided; 2 points outside the ball or the box\n"
            "square,,,,failed\n"
            "all so far (1 of 3),linf,4,50,failed: square; missing: spsa; 1 undecided; "
            "2 points outside the ball or the box\n");
}

TEST_F(WorstCaseTest, RobustnessSaysWhenASmallerRadiusFooledMore) {
  attack({{"pgd", 0.1, "rrrf"}, {"pgd", 0.2, "rfrr"}});

  EXPECT_EQ(csv("SELECT attack, epsilon, percent, note FROM (" +
                std::string(find_query("robustness")->sql) +
                ") WHERE study = 'worst' AND attack LIKE 'all%'"),
            "attack,epsilon,percent,note\nall of them,0.100000,75,\n"
            "all of them,0.200000,75,50.0 with all smaller radii\n");
}

// Of 20, 30, 50 and 70 queries the median is 40; the sample that was wrong anyway does not count.
TEST_F(WorstCaseTest, EffortCountsAttackedSamplesAndHasTrueMedians) {
  attack({{"pgd", 0.1, ""}, {"spsa", 0.1, ""}});
  const auto result_of = [](const std::string& outcomes, const std::vector<std::int64_t>& queries) {
    wire::CellResult result = attack_result(outcomes);
    for (std::size_t i = 0; i < queries.size(); ++i) result.outcomes[i].queries = queries[i];
    return result;
  };
  finish(store_, run_, cells_[1], result_of("rfwrf", {70, 20, 0, 30, 50}));
  finish(store_, run_, cells_[2], result_of("rfwwf", {70, 20, 0, 0, 50}));

  EXPECT_EQ(csv("SELECT n_attacked, n_fooled, queries_mean, queries_median, passes_mean FROM "
                "attack_effort e JOIN labelled_cell l USING (cell_id) WHERE l.study = 'worst' "
                "ORDER BY l.method"),
            "n_attacked,n_fooled,queries_mean,queries_median,passes_mean\n"
            "4,2,42.5,40,40\n3,2,46.666666666666664,50,40\n");
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
}  // namespace unmask::store::views_test
