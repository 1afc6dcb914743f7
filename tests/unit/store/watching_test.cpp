// What somebody sees who watches the small study of small_study.cpp.

#include "store/watching.hpp"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::watching_test {
namespace {

using testing::finish;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::make_catalog;
using testing::make_info;
using testing::make_study;
using testing::run_small_study;
using testing::SmallStudy;
using testing::train_result;

class WatchingTest : public ::testing::Test {
 protected:
  Store reader() const { return Store::open_reader(file_); }

  base::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.sqlite";
  Store writer_ = Store::open_writer(file_);
  const SmallStudy study_;
};

TEST_F(WatchingTest, FindsNoRunInAFreshFile) {
  EXPECT_THAT(watched_runs(reader()), IsEmpty());
}

TEST_F(WatchingTest, CountsTheCellsOfAStudy) {
  run_small_study(writer_, study_);
  const Store store = reader();
  const WatchedRun run = watched_runs(store).at(0);

  const KindCounts kinds = count_cells(store, run);
  const RunCount count = count_run(store, run);

  EXPECT_EQ(run.state, "ended");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(kinds[0].cells, 3);
  EXPECT_EQ(kinds[0].done, 2);
  EXPECT_EQ(kinds[0].failed, 1);
  EXPECT_EQ(kinds[1].cells, 10);
  EXPECT_EQ(kinds[1].done, 8);
  EXPECT_EQ(kinds[1].failed, 1);
  EXPECT_EQ(kinds[1].missing(), 1);
  EXPECT_EQ(kinds[2].done, 1);
  EXPECT_EQ(count.ran, 11);
  EXPECT_EQ(count.failed, 2);
  EXPECT_EQ(count.skipped, 1);
  EXPECT_EQ(count.to_do(), 14);
}

TEST_F(WatchingTest, SeesARunningCellOfAnotherConnection) {
  const std::int64_t id = writer_.begin_run(make_study(), make_info());
  writer_.register_cells(id, make_catalog(), study_.cells());
  const Store store = reader();
  const std::int64_t before = data_version(store);

  writer_.begin_attempt(id, study_.train0.key, 4711, "cpu");

  EXPECT_NE(data_version(store), before);
  const WatchedRun run = watched_runs(store).at(0);
  EXPECT_EQ(run.state, "running");
  const auto running = running_cells(store, run);
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0].title, wire::title(study_.train0));
  EXPECT_EQ(running[0].pid, 4711);
  EXPECT_EQ(count_cells(store, run)[0].running, 1);
  EXPECT_EQ(count_cells(store, run)[0].ahead, 3);
}

TEST_F(WatchingTest, ShowsFailuresTheLatestFirst) {
  run_small_study(writer_, study_);
  const Store store = reader();
  const WatchedRun run = watched_runs(store).at(0);

  const auto all = failed_tries(store, run, 10);

  EXPECT_EQ(count_failed_tries(store, run), 3);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(failed_tries(store, run, 2).size(), 2U);
  int crashes = 0;
  for (const FailedTry& one : all) {
    EXPECT_EQ(one.state, "failed");
    if (one.failure_class != "crash") continue;
    ++crashes;
    EXPECT_EQ(one.key, study_.crashed.key);
    EXPECT_EQ(one.log_tail, one.attempt == 1 ? "first\n" : "second\n");
  }
  EXPECT_EQ(crashes, 2);
}

// A try that was worth another one: nobody would learn of it from the view `failures`.
TEST_F(WatchingTest, ShowsAFailureThatIsOvercome) {
  const std::int64_t id = writer_.begin_run(make_study(), make_info());
  writer_.register_cells(id, make_catalog(), study_.cells());
  testing::fail(writer_,
                id,
                study_.train0,
                {wire::FailureClass::kCrash, "the worker was killed", "last words\n", 9, {}});
  finish(writer_, id, study_.train0, train_result("a"));
  const Store store = reader();

  const auto tries = failed_tries(store, watched_runs(store).at(0), 10);

  ASSERT_EQ(tries.size(), 1U);
  EXPECT_EQ(tries[0].state, "done");
  EXPECT_EQ(tries[0].attempt, 1);
}

TEST_F(WatchingTest, ShowsAccuraciesAsTheViewDoes) {
  run_small_study(writer_, study_);
  const Store store = reader();
  const WatchedRun run = watched_runs(store).at(0);

  const auto rows = accuracies(store, run, 100);

  ASSERT_EQ(rows.size(), 8U);
  EXPECT_EQ(accuracies(store, run, 3).size(), 3U);
  EXPECT_EQ(rows[0].attack, "none");
  EXPECT_DOUBLE_EQ(rows[0].clean, 0.75);
  EXPECT_THAT(rows[0].network, HasSubstr("so_resnet/strokes/"));
  // pgd: one of four fooled, one wrong before.
  EXPECT_EQ(rows[1].attack, "pgd");
  EXPECT_EQ(rows[1].epsilon_text, "8/255");
  EXPECT_DOUBLE_EQ(rows[1].robust, 0.5);
  EXPECT_LT(rows[1].lower, 0.5);
  EXPECT_GT(rows[1].upper, 0.5);
  EXPECT_EQ(rows[2].attack, "pgd via rk4");
  EXPECT_EQ(rows[3].attack, "pgd seed 1");
}

TEST_F(WatchingTest, ThinsLongCurvesAndKeepsTheirEnds) {
  const std::int64_t id = writer_.begin_run(make_study(), make_info());
  writer_.register_cells(id, make_catalog(), study_.cells());
  wire::CellResult result = train_result("a");
  wire::Series series{"train_loss", {}};
  for (int i = 0; i < 1000; ++i) series.values.push_back(i == 999 ? std::nan("") : i);
  result.series = {series};
  finish(writer_, id, study_.train0, result);
  const Store store = reader();

  const auto curves = training_curves(store, watched_runs(store).at(0), 10, 50);

  ASSERT_EQ(curves.size(), 1U);
  EXPECT_EQ(curves[0].name, "train_loss");
  EXPECT_LE(curves[0].points.size(), 50U);
  EXPECT_EQ(curves[0].points.front().first, 1);
  EXPECT_EQ(curves[0].points.back().first, 1000);
  EXPECT_TRUE(std::isnan(curves[0].points.back().second));
}

TEST_F(WatchingTest, ShowsVerdicts) {
  run_small_study(writer_, study_);
  const Store store = reader();

  const auto verdicts = watched_verdicts(store, watched_runs(store).at(0), 10);

  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].judgement, "masked");
  EXPECT_EQ(verdicts[0].threat, "linf 8/255");
}

}  // namespace
}  // namespace unmask::store::watching_test
