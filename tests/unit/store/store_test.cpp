#include "store/store.hpp"

#include <cmath>
#include <ctime>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store::store_test {
namespace {

using testing::attack_cell;
using testing::attack_result;
using testing::finish;
using testing::make_catalog;
using testing::make_info;
using testing::make_study;
using testing::probe_result;
using testing::run_small_study;
using testing::SmallStudy;
using testing::train_cell;
using testing::train_result;

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    run_ = store_.begin_run(make_study(), make_info());
    store_.register_cells(run_, make_catalog(), cells_);
  }

  std::string csv(const std::string& sql) const {
    return table::to_text(run_query(store_, sql), table::Format::kCsv);
  }
  std::int64_t integer(const std::string& sql) const {
    return store_.database().integer("test", sql);
  }

  base::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "results" / "x.sqlite";
  Store store_ = Store::open_writer(file_);
  wire::Cell train_ = train_cell("so_resnet", 0);
  wire::Cell pgd_ = attack_cell(train_, "bosh3", "rk4", "pgd", 8.0 / 255, "8/255");
  wire::Cell probe_ = testing::probe_cell(train_, "bosh3");
  std::vector<wire::Cell> cells_ = {train_, pgd_, probe_};
  std::int64_t run_ = 0;
};

TEST_F(StoreTest, WriterMakesFolderAndFile) {
  EXPECT_TRUE(std::filesystem::exists(file_));
}

TEST_F(StoreTest, MovesWithItsLock) {
  Store moved = std::move(store_);

  EXPECT_THROW(Store::open_writer(file_), StoreError);
  EXPECT_TRUE(moved.is_writer());
}

TEST_F(StoreTest, NothingIsDoneAtFirst) {
  EXPECT_TRUE(store_.lookup(std::span<const wire::Cell>(cells_)).empty());
  EXPECT_TRUE(store_.stored().empty());
}

TEST_F(StoreTest, FinishedTrainingIsFoundWithItsCheckpoint) {
  finish(store_, run_, train_, train_result("a"));

  const DoneCells done = store_.lookup(std::span<const wire::Cell>(cells_));

  ASSERT_EQ(done.size(), 1U);
  ASSERT_TRUE(done.at(train_.key).has_value());
  EXPECT_EQ(done.at(train_.key)->sha256, sha256_hex("a"));
  EXPECT_EQ(done.at(train_.key)->bytes, 1234);
  EXPECT_EQ(done.at(train_.key)->path, "ab/a.safetensors");
}

TEST_F(StoreTest, FinishedAttackIsFoundWithoutACheckpoint) {
  finish(store_, run_, train_, train_result());
  finish(store_, run_, pgd_, attack_result("rr"));

  EXPECT_FALSE(store_.stored().at(pgd_.key).has_value());
}

TEST_F(StoreTest, RunningAndFailedCellsAreNotDone) {
  store_.begin_attempt(run_, train_.key, 1, "cpu");
  testing::fail(store_, run_, probe_, {wire::FailureClass::kCrash, "", "", 11, {}});

  EXPECT_TRUE(store_.stored().empty());
}

TEST_F(StoreTest, ReaderSeesWhatWasCommittedWhileTheWriterIsOpen) {
  finish(store_, run_, train_, train_result());

  EXPECT_EQ(Store::open_reader(file_).stored().size(), 1U);
}

TEST_F(StoreTest, WritingThroughAReaderIsABug) {
  Store reader = Store::open_reader(file_);

  EXPECT_THROW(reader.end_run(run_, 0), InternalError);
}

TEST_F(StoreTest, RunKnowsManifestEnvironmentAndGit) {
  EXPECT_EQ(csv("SELECT m.name, m.text, e.host, e.libtorch, e.gpu, r.argv, r.git_dirty, r.state "
                "FROM run r JOIN manifest m ON m.id = r.manifest_id "
                "JOIN environment e ON e.id = r.environment_id"),
            "name,text,host,libtorch,gpu,argv,git_dirty,state\n"
            "small,\"{\"\"name\"\": \"\"small\"\"}\n\",lab1,1.13.1,\"[\"\"none\"\"]\","
            "\"[\"\"unmask\"\",\"\"run\"\",\"\"studies/small.json\"\"]\",0,running\n");
}

TEST_F(StoreTest, SameManifestAndEnvironmentAreStoredOnce) {
  store_.begin_run(make_study(), make_info());

  EXPECT_EQ(integer("SELECT count(*) FROM run"), 2);
  EXPECT_EQ(integer("SELECT count(*) FROM manifest"), 1);
  EXPECT_EQ(integer("SELECT count(*) FROM environment"), 1);
}

TEST_F(StoreTest, EndedRunHasItsExitCode) {
  store_.end_run(run_, 1);

  EXPECT_EQ(csv("SELECT state, exit_code, ended_at >= started_at AS ok FROM run"),
            "state,exit_code,ok\nended,1,1\n");
}

TEST_F(StoreTest, RunEndsOnce) {
  store_.end_run(run_, 0);

  EXPECT_THROW(store_.end_run(run_, 0), InternalError);
}

TEST_F(StoreTest, PluginsOfACellAreKnownByRole) {
  EXPECT_EQ(csv("SELECT c.role, p.kind, p.name FROM cell_plugin c JOIN plugin p ON p.id = "
                "c.plugin_id WHERE c.cell_id = (SELECT id FROM cell WHERE kind = 'attack') "
                "ORDER BY c.role"),
            "role,kind,name\n"
            "attack,attack,pgd\n"
            "dataset,dataset,strokes\n"
            "gradient,solver,rk4\n"
            "model,model,so_resnet\n"
            "solver,solver,bosh3\n");
}

TEST_F(StoreTest, PluginsThatNobodyUsesAreNotStored) {
  EXPECT_EQ(integer("SELECT count(*) FROM plugin WHERE name = 'spsa'"), 0);
}

TEST_F(StoreTest, PluginWithAnotherFingerprintThanTheCatalogsIsABug) {
  wire::Cell cell = train_cell("so_resnet", 5);
  nlohmann::json model_part = cell.spec.at("model");
  model_part["fingerprint"] = "other";
  cell.spec.set("model", model_part);

  EXPECT_THROW(store_.register_cells(run_, make_catalog(), std::vector{cell}), InternalError);
}

TEST_F(StoreTest, RegisteringIsAllOrNothing) {
  const wire::Cell good = train_cell("so_resnet", 5);
  wire::Cell bad = train_cell("so_resnet", 6);
  nlohmann::json model_part = bad.spec.at("model");
  model_part["plugin"] = "unknown";
  bad.spec.set("model", model_part);

  EXPECT_THROW(store_.register_cells(run_, make_catalog(), std::vector{good, bad}), InternalError);

  EXPECT_EQ(integer("SELECT count(*) FROM cell"), 3);
}

TEST_F(StoreTest, RegisteringTwiceAddsNothing) {
  const std::string before = csv("SELECT * FROM cell, plan_cell");

  store_.register_cells(run_, make_catalog(), cells_);

  EXPECT_EQ(csv("SELECT * FROM cell, plan_cell"), before);
}

TEST_F(StoreTest, SameCellKeepsItsNamesInEachStudy) {
  std::vector<wire::Cell> renamed = {train_};
  renamed[0].labels.model = "mine";
  const auto other = store_.begin_run(make_study("other"), make_info());

  store_.register_cells(other, make_catalog(), renamed);

  EXPECT_EQ(csv("SELECT study, model FROM cells WHERE kind = 'train' ORDER BY study"),
            "study,model\nother,mine\nsmall,so_resnet\n");
  EXPECT_EQ(integer("SELECT count(*) FROM cell"), 3);
}

TEST_F(StoreTest, RunCellTellsWhatTheRunDid) {
  finish(store_, run_, train_, train_result());
  testing::fail(store_, run_, pgd_, {wire::FailureClass::kTimeout, "too slow", "", {}, {}});
  store_.skip_cell(run_, probe_.key, "not today");
  const auto again = store_.begin_run(make_study(), make_info());
  store_.register_cells(again, make_catalog(), cells_);

  EXPECT_EQ(csv("SELECT r.run_id, c.kind, r.how, r.reason FROM run_cell r JOIN cell c ON c.id = "
                "r.cell_id ORDER BY r.run_id, c.id"),
            "run_id,kind,how,reason\n"
            "1,train,ran,\n1,attack,failed,\n1,probe,skipped,not today\n"
            "2,train,hit,\n2,attack,planned,\n2,probe,planned,\n");
}

TEST_F(StoreTest, AStoredPlanIsTakenUpByLaterRuns) {
  finish(store_, run_, train_, train_result());
  const auto again = store_.begin_run(make_study(), make_info());
  store_.register_cells(again, make_catalog(), cells_);
  const auto part = store_.begin_run(make_study(), make_info());
  store_.register_plan(part, make_catalog(), cells_, std::vector{train_, pgd_});

  EXPECT_EQ(integer("SELECT count(*) FROM plan"), 1);
  EXPECT_EQ(integer("SELECT count(*) FROM cell"), 3);
  for (const auto run : {again, part}) {
    EXPECT_EQ(csv("SELECT plugin_id, file FROM run_plugin WHERE run_id = " + std::to_string(run)),
              csv("SELECT plugin_id, file FROM run_plugin WHERE run_id = 1"));
  }
  EXPECT_EQ(csv("SELECT c.kind, r.how FROM run_cell r JOIN cell c ON c.id = r.cell_id WHERE "
                "r.run_id = " +
                std::to_string(part) + " ORDER BY c.id"),
            "kind,how\ntrain,hit\nattack,planned\n");
}

TEST_F(StoreTest, SuccessAfterAFailureCountsAsRan) {
  testing::fail(store_, run_, train_, {wire::FailureClass::kCrash, "", "", 11, {}});
  finish(store_, run_, train_, train_result());

  EXPECT_EQ(csv("SELECT how FROM run_cell JOIN cell ON id = cell_id WHERE kind = 'train'"),
            "how\nran\n");
  EXPECT_EQ(csv("SELECT n, state, failure_class, signal FROM attempt ORDER BY n"),
            "n,state,failure_class,signal\n1,failed,crash,11\n2,done,,\n");
}

TEST_F(StoreTest, AllValuesOfAResultAreStored) {
  finish(store_, run_, train_, train_result());
  finish(store_, run_, pgd_, attack_result("rfw"));
  finish(store_, run_, probe_, probe_result());

  EXPECT_EQ(csv("SELECT name, value, flag, n FROM metric ORDER BY name"),
            "name,value,flag,n\nbroken,,nan,4\nmedian_norm,0.5,,4\n"
            "train_accuracy,0.75,,4\ntrain_loss,0.5,,4\n");
  EXPECT_EQ(csv("SELECT name, step, value, flag FROM series"),
            "name,step,value,flag\ntrain_loss,1,2,\ntrain_loss,2,,nan\ntrain_loss,3,0.5,\n");
  EXPECT_EQ(csv("SELECT sample, label, state, clean_prediction, prediction, distance, queries, "
                "passes FROM sample_outcome"),
            "sample,label,state,clean_prediction,prediction,distance,queries,passes\n"
            "0,0,decided,0,0,0.03,20,40\n1,1,decided,1,2,0.03,20,40\n2,2,decided,3,3,0.03,20,40\n");
  EXPECT_EQ(csv("SELECT sample, name, value, flag FROM sample_metric"),
            "sample,name,value,flag\n0,norm,0.25,\n1,norm,,inf\n");
  EXPECT_EQ(csv("SELECT phase, solves, nfe_median, step_min FROM solve_stats ORDER BY phase"),
            "phase,solves,nfe_median,step_min\nattack,0,0,\nevaluate,2,14,0.25\ntrain,10,10,0.1\n");
  EXPECT_EQ(csv("SELECT purpose, seed FROM seed ORDER BY purpose"),
            "purpose,seed\nattack,19\ninit,17\norder,18\n");
  EXPECT_EQ(csv("SELECT wall_s, peak_bytes, forwards, backwards, nfe, worker_pid FROM attempt "
                "ORDER BY started_at, rowid LIMIT 1"),
            "wall_s,peak_bytes,forwards,backwards,nfe,worker_pid\n2.5,1000,40,40,100,42\n");
  EXPECT_EQ(
      csv("SELECT DISTINCT kind, device_peak_bytes FROM cost WHERE kind <> 'probe' ORDER BY 1"),
      "kind,device_peak_bytes\nattack,3000\ntrain,\n");
}

TEST_F(StoreTest, FailureKeepsItsReason) {
  testing::fail(store_,
                run_,
                train_,
                {wire::FailureClass::kCrash, "segmentation fault", "last words", 11, {}});

  EXPECT_EQ(csv("SELECT failure_class, message, log_tail, signal, exit_code, wall_s >= 0 AS timed "
                "FROM attempt"),
            "failure_class,message,log_tail,signal,exit_code,timed\n"
            "crash,segmentation fault,last words,11,,1\n");
}

TEST_F(StoreTest, InterruptionIsNoFailure) {
  testing::fail(
      store_, run_, train_, {wire::FailureClass::kInterrupted, "stopped by Ctrl-C", "", {}, {}});

  EXPECT_EQ(csv("SELECT state, failure_class FROM attempt"), "state,failure_class\ninterrupted,\n");
  EXPECT_EQ(integer("SELECT count(*) FROM run_cell WHERE how = 'failed'"), 0);
}

TEST_F(StoreTest, AttemptsOfADeadRunAreInterrupted) {
  store_.begin_attempt(run_, train_.key, 1, "cpu");
  { const Store gone = std::move(store_); }

  store_ = Store::open_writer(file_);

  EXPECT_EQ(csv("SELECT a.state, r.state FROM attempt a JOIN run r ON r.id = a.run_id"),
            "state,state\ninterrupted,interrupted\n");
}

TEST_F(StoreTest, AttemptEndsOnce) {
  const std::string attempt = store_.begin_attempt(run_, train_.key, 1, "cpu");
  EXPECT_TRUE(store_.commit_result(attempt, train_result()).empty());

  EXPECT_THROW(std::ignore = store_.commit_result(attempt, train_result()), InternalError);
  EXPECT_THROW(store_.fail_attempt(attempt, {}), InternalError);
}

TEST_F(StoreTest, CellWithAResultIsNotTriedAgain) {
  finish(store_, run_, train_, train_result());

  EXPECT_THROW(store_.begin_attempt(run_, train_.key, 1, "cpu"), InternalError);
}

TEST_F(StoreTest, UnregisteredCellCannotBeTried) {
  EXPECT_THROW(store_.begin_attempt(run_, std::string(64, 'a'), 1, "cpu"), InternalError);
}

TEST_F(StoreTest, TrainingWithoutACheckpointIsABug) {
  wire::CellResult result = train_result();
  result.checkpoint.reset();
  const std::string attempt = store_.begin_attempt(run_, train_.key, 1, "cpu");

  EXPECT_THROW(std::ignore = store_.commit_result(attempt, result), InternalError);
}

TEST_F(StoreTest, AttemptNamesTheWeightsThatItUses) {
  finish(store_, run_, train_, train_result("a"));
  finish(store_, run_, pgd_, attack_result("r"));

  EXPECT_EQ(csv("SELECT checkpoint_sha256 FROM attempt ORDER BY cell_id"),
            "checkpoint_sha256\n\n" + sha256_hex("a") + "\n");
}

// One thing is wrong with each of these results.
struct WrongResult {
  const char* name;
  const char* rule;  // that the message names
  void (*spoil)(wire::CellResult&);
};

class WrongResultTest : public StoreTest, public ::testing::WithParamInterface<WrongResult> {};

TEST_P(WrongResultTest, IsRefusedAndLeavesNothing) {
  finish(store_, run_, train_, train_result());
  wire::CellResult result = attack_result("rf");
  GetParam().spoil(result);
  const std::string attempt = store_.begin_attempt(run_, pgd_.key, 1, "cpu");

  try {
    std::ignore = store_.commit_result(attempt, result);
    FAIL() << "no error";
  } catch (const RefusedResult& error) {
    EXPECT_NE(std::string(error.what()).find(GetParam().rule), std::string::npos) << error.what();
  }

  EXPECT_EQ(integer("SELECT count(*) FROM sample_outcome"), 0);
  EXPECT_EQ(integer("SELECT count(*) FROM attempt WHERE state = 'running'"), 1);
}

INSTANTIATE_TEST_SUITE_P(
    Each,
    WrongResultTest,
    ::testing::Values(
        WrongResult{"AccuracyAboveOne",
                    "accuracy_is_a_fraction",
                    [](wire::CellResult& r) {
                      r.metrics = {{"test_accuracy", 1.5, 2}};
                    }},
        WrongResult{"AccuracyBelowZero",
                    "accuracy_is_a_fraction",
                    [](wire::CellResult& r) {
                      r.metrics = {{"accuracy", -0.1, 2}};
                    }},
        WrongResult{"NegativeForwards",
                    "forwards >= 0",
                    [](wire::CellResult& r) { r.counters.forwards = -1; }},
        WrongResult{"NegativeQueries",
                    "queries >= 0",
                    [](wire::CellResult& r) { r.outcomes[0].queries = -1; }},
        WrongResult{"NegativeSampleCount",
                    "n >= 0",
                    [](wire::CellResult& r) {
                      r.metrics = {{"loss", 1, -2}};
                    }},
        WrongResult{"NegativeClass",
                    "prediction >= 0",
                    [](wire::CellResult& r) { r.outcomes[0].prediction = -1; }},
        WrongResult{"DistanceIsNan",
                    "NaN",
                    [](wire::CellResult& r) { r.outcomes[1].distance = std::nan(""); }},
        WrongResult{"DistanceIsInfinite",
                    "distance_is_finite",
                    [](wire::CellResult& r) { r.outcomes[1].distance = HUGE_VAL; }},
        WrongResult{"NoteTwice",
                    "metric \"note.mean\" is there twice",
                    [](wire::CellResult& r) {
                      r.metrics = {{"note.mean", 1, 2}, {"note.mean", 2, 2}};
                    }},
        WrongResult{"QuantityTwice",
                    "quantity \"note\" of sample 0 is there twice",
                    [](wire::CellResult& r) {
                      r.sample_metrics = {{0, "note", 1}, {0, "note", 2}};
                    }},
        WrongResult{"SeriesTwice",
                    "series \"loss\", step 1, is there twice",
                    [](wire::CellResult& r) {
                      r.series = {{"loss", {1}}, {"loss", {2}}};
                    }},
        WrongResult{"DecidedWithoutAnAnswer",
                    "sample 0 has a value that cannot be",
                    [](wire::CellResult& r) { r.outcomes[0].prediction = -1; }},
        WrongResult{"SampleTwice", "UNIQUE", [](wire::CellResult& r) { r.outcomes[1].sample = 0; }},
        WrongResult{"MedianBelowMinimum",
                    "nfe_median >= nfe_min",
                    [](wire::CellResult& r) { r.solve_stats[0].nfe_median = 1; }},
        WrongResult{"WallTimeIsNan", "NaN", [](wire::CellResult& r) { r.wall_s = std::nan(""); }}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST_F(StoreTest, DiscardedResultIsMissingAgain) {
  finish(store_, run_, train_, train_result());

  EXPECT_TRUE(store_.discard_result(train_.key, "the file has vanished"));

  EXPECT_TRUE(store_.stored().empty());
  EXPECT_EQ(integer("SELECT count(*) FROM metric"), 0);
  EXPECT_EQ(csv("SELECT state, message FROM attempt"),
            "state,message\ndiscarded,the file has vanished\n");
  EXPECT_EQ(csv("SELECT state FROM cells WHERE kind = 'train'"), "state\nmissing\n");
}

TEST_F(StoreTest, DiscardingWhatIsNotThereSaysSo) {
  EXPECT_FALSE(store_.discard_result(train_.key, "nothing"));
}

TEST_F(StoreTest, DiscardedCellCanBeDoneAgain) {
  finish(store_, run_, train_, train_result());
  store_.discard_result(train_.key, "the file has vanished");

  finish(store_, run_, train_, train_result());

  EXPECT_EQ(store_.stored().size(), 1U);
}

TEST_F(StoreTest, AttacksOnTheSameWeightsOutliveTheirRetraining) {
  finish(store_, run_, train_, train_result("a"));
  finish(store_, run_, pgd_, attack_result("rr"));
  store_.discard_result(train_.key, "the file has vanished");
  const std::string attempt = store_.begin_attempt(run_, train_.key, 1, "cpu");

  EXPECT_TRUE(store_.commit_result(attempt, train_result("a")).empty());

  EXPECT_EQ(store_.stored().count(pgd_.key), 1U);
}

TEST_F(StoreTest, AttacksOnOtherWeightsAreDiscarded) {
  finish(store_, run_, train_, train_result("a"));
  finish(store_, run_, pgd_, attack_result("rr"));
  store_.discard_result(train_.key, "the file has vanished");
  const std::string attempt = store_.begin_attempt(run_, train_.key, 1, "cpu");

  EXPECT_EQ(store_.commit_result(attempt, train_result("b")), std::vector{pgd_.key});

  EXPECT_EQ(store_.stored().count(pgd_.key), 0U);
  EXPECT_EQ(integer("SELECT count(*) FROM sample_outcome"), 0);
}

TEST_F(StoreTest, AHitWhoseResultIsDiscardedIsPlannedAgain) {
  finish(store_, run_, train_, train_result("a"));
  finish(store_, run_, pgd_, attack_result("rr"));
  store_.discard_result(train_.key, "the file has vanished");
  const std::int64_t again = store_.begin_run(make_study("one"), {});
  store_.register_cells(again, make_catalog(), std::vector{train_, pgd_});
  const std::string attempt = store_.begin_attempt(again, train_.key, 1, "cpu");

  std::ignore = store_.commit_result(attempt, train_result("b"));

  EXPECT_EQ(csv("SELECT how FROM run_cell r JOIN cell c ON c.id = r.cell_id WHERE run_id = " +
                std::to_string(again) + " AND c.kind = 'attack'"),
            "how\nplanned\n");
}

TEST_F(StoreTest, ReasonsRemarksAndUndecidedSamplesAreStored) {
  wire::CellResult result = attack_result("ru");
  result.metrics = {{"check.randomised", std::nan(""), std::nullopt, "its pass failed"}};
  result.remarks = {"attack pgd changed the rounding mode"};
  finish(store_, run_, train_, train_result());
  finish(store_, run_, pgd_, result);

  EXPECT_EQ(csv("SELECT value, flag, reason FROM metric WHERE name = 'check.randomised'"),
            "value,flag,reason\n,nan,its pass failed\n");
  EXPECT_EQ(csv("SELECT n, text FROM remark"), "n,text\n1,attack pgd changed the rounding mode\n");
  EXPECT_EQ(csv("SELECT sample, state, clean_prediction, prediction, distance FROM sample_outcome"),
            "sample,state,clean_prediction,prediction,distance\n"
            "0,decided,0,0,0.03\n1,undecided,1,,\n");
}

TEST_F(StoreTest, TheNormOfAResultReplacesWhatWasExpected) {
  wire::Cell cw = attack_cell(train_, "bosh3", "", "square", 0.5, "0.5");
  wire::Cell cw_on_rk4 = attack_cell(train_, "rk4", "", "square", 0.5, "0.5");
  wire::CellResult result = attack_result("rf");
  result.norm = "l2";
  store_.register_cells(run_, make_catalog(), std::vector{train_, cw, cw_on_rk4, pgd_});
  finish(store_, run_, train_, train_result());

  // pgd_ has a parameter that says linf.
  finish(store_, run_, cw, result);
  finish(store_, run_, pgd_, result);

  // The same attack under another solver has not run, but is known to work in l2 now.
  EXPECT_EQ(
      csv("SELECT method, solver, norm FROM labelled_cell WHERE kind = 'attack' ORDER BY 1, 2"),
      "method,solver,norm\npgd,bosh3,l2\nsquare,bosh3,l2\nsquare,rk4,l2\n");
}

TEST_F(StoreTest, TypedReadsTellWhatAnAttackDid) {
  finish(store_, run_, train_, train_result());
  wire::CellResult result = attack_result("rfwu");
  result.metrics = {{"threat_violations", 2, 4}};
  finish(store_, run_, pgd_, result);
  const auto samples = [&](OutcomeFilter filter) {
    std::string text;
    for (const auto& o : store_.outcomes(pgd_.key, filter, 10)) text += std::to_string(o.sample);
    return text;
  };

  EXPECT_EQ(samples(OutcomeFilter::kAll), "0123");
  EXPECT_EQ(samples(OutcomeFilter::kRobust), "0");
  EXPECT_EQ(samples(OutcomeFilter::kFooled), "1");
  EXPECT_EQ(samples(OutcomeFilter::kUndecided), "3");
  EXPECT_EQ(store_.outcomes(pgd_.key, OutcomeFilter::kAll, 2).size(), 2U);
  EXPECT_EQ(store_.done_attacks(pgd_.key.substr(0, 8), 2), std::vector{pgd_.key});
  EXPECT_TRUE(store_.done_attacks("no key", 2).empty());
  EXPECT_EQ(store_.metric_above("threat_violations", 0),
            (std::map<std::string, double>{{pgd_.key, 2.0}}));
  EXPECT_TRUE(store_.metric_above("threat_violations", 2).empty());
  std::vector<double> times;
  store_.visit_timed_cells([&](const TimedCell& cell) { times.push_back(cell.wall_s); });
  EXPECT_THAT(times, ::testing::UnorderedElementsAre(2.5, ::testing::_));
}

// --- waiting ---

// What the writer says while it waits, and how often it looked whether to give up.
struct Waiting {
  std::vector<std::string> told;
  int looks = 0;
};

Patience patience_of(Waiting& waiting, std::chrono::milliseconds limit) {
  Patience patience;
  patience.limit = limit;
  patience.pause = std::chrono::milliseconds(5);
  patience.tell = [&](const std::string& text) { waiting.told.push_back(text); };
  return patience;
}

TEST_F(StoreTest, AWriterWaitsForTheLockOfAnotherProgram) {
  finish(store_, run_, train_, train_result());
  const std::string attempt = store_.begin_attempt(run_, pgd_.key, 1, "cpu");
  Database other = Database::open(file_, Database::Mode::kWrite);
  other.execute("lock", "BEGIN IMMEDIATE");
  Waiting waiting;
  Patience patience = patience_of(waiting, std::chrono::minutes(10));
  // The other program ends when the writer has looked at the lock three times.
  patience.gives_up = [&] {
    if (++waiting.looks == 3) other.execute("unlock", "COMMIT");
    return false;
  };
  store_.set_patience(patience);

  EXPECT_TRUE(store_.commit_result(attempt, attack_result("rf")).empty());

  EXPECT_EQ(store_.stored().count(pgd_.key), 1U);
  EXPECT_EQ(integer("SELECT count(*) FROM sample_outcome"), 2);
  ASSERT_EQ(waiting.told.size(), 1U);
  EXPECT_NE(waiting.told[0].find("is locked by another program"), std::string::npos);
  EXPECT_NE(waiting.told[0].find("600 s"), std::string::npos) << waiting.told[0];
  // Trainings stand in a file until they are recorded.
  EXPECT_NE(waiting.told[0].find("a finished training are kept"), std::string::npos)
      << waiting.told[0];
}

TEST_F(StoreTest, AWriterWaitsForRoomOnAFullDisk) {
  finish(store_, run_, train_, train_result());
  const std::string attempt = store_.begin_attempt(run_, pgd_.key, 1, "cpu");
  const auto pages = integer("PRAGMA page_count");
  // As a full disk: the file may not grow by a page.
  store_.database().execute("fill", "PRAGMA max_page_count = " + std::to_string(pages));
  Waiting waiting;
  Patience patience = patience_of(waiting, std::chrono::minutes(10));
  patience.gives_up = [&] {
    store_.database().execute("make room", "PRAGMA max_page_count = 1000000");
    return false;
  };
  store_.set_patience(patience);

  EXPECT_TRUE(store_.commit_result(attempt, attack_result(std::string(5000, 'r'))).empty());

  EXPECT_EQ(integer("SELECT count(*) FROM sample_outcome"), 5000);
  ASSERT_EQ(waiting.told.size(), 1U);
  EXPECT_NE(waiting.told[0].find("the disk is full"), std::string::npos) << waiting.told[0];
}

TEST_F(StoreTest, PatienceEnds) {
  Database other = Database::open(file_, Database::Mode::kWrite);
  other.execute("lock", "BEGIN IMMEDIATE");
  Waiting waiting;
  store_.set_patience(patience_of(waiting, std::chrono::milliseconds(20)));

  EXPECT_THROW(store_.end_run(run_, 0), SqliteError);

  EXPECT_EQ(waiting.told.size(), 1U);
  other.execute("unlock", "COMMIT");
  EXPECT_NO_THROW(store_.end_run(run_, 0));
}

TEST_F(StoreTest, WaitingIsGivenUpWhenTheRunIsStopped) {
  Database other = Database::open(file_, Database::Mode::kWrite);
  other.execute("lock", "BEGIN IMMEDIATE");
  Waiting waiting;
  Patience patience = patience_of(waiting, std::chrono::minutes(10));
  patience.gives_up = [] { return true; };
  store_.set_patience(patience);

  EXPECT_THROW(store_.end_run(run_, 0), SqliteError);
}

// An attack on `on` whose images are made on another network.
wire::Cell transfer_cell(const wire::Cell& on, const wire::Cell& source) {
  wire::Cell cell = attack_cell(on, "bosh3", "", "pgd", 0.03, "0.03", 7);
  cell.spec.set("source",
                {{"checkpoint", source.key},
                 {"model", source.spec.at("model")},
                 {"solver", source.spec.at("solver")}});
  cell.labels.source = "so_resnet/strokes/natural/bosh3/1";
  return cell;
}

TEST_F(StoreTest, TransferNamesItsSource) {
  const wire::Cell other = train_cell("so_resnet", 1);
  const wire::Cell transfer = transfer_cell(train_, other);
  store_.register_cells(run_, make_catalog(), std::vector{other, transfer});
  finish(store_, run_, train_, train_result("a"));
  finish(store_, run_, other, train_result("b"));

  finish(store_, run_, transfer, attack_result("rf"));

  EXPECT_EQ(integer("SELECT count(*) FROM labelled_cell WHERE source = "
                    "'so_resnet/strokes/natural/bosh3/1' AND kind = 'attack'"),
            1);
  EXPECT_EQ(integer("SELECT count(*) FROM attempt WHERE source_sha256 IS NOT NULL AND "
                    "source_sha256 <> checkpoint_sha256"),
            1);
  EXPECT_EQ(integer("SELECT count(*) FROM cell_plugin WHERE role IN ('source.model', "
                    "'source.solver')"),
            2);
}

TEST_F(StoreTest, TransfersFromOtherWeightsAreDiscarded) {
  const wire::Cell other = train_cell("so_resnet", 1);
  const wire::Cell transfer = transfer_cell(train_, other);
  store_.register_cells(run_, make_catalog(), std::vector{other, transfer});
  finish(store_, run_, train_, train_result("a"));
  finish(store_, run_, other, train_result("b"));
  finish(store_, run_, transfer, attack_result("rf"));
  store_.discard_result(other.key, "the file has vanished");
  const std::string attempt = store_.begin_attempt(run_, other.key, 1, "cpu");

  // Known beforehand, to those who may not write, too.
  const std::string weights = train_result("c").checkpoint->sha256;
  EXPECT_EQ(Store::open_reader(file_).results_of_other_weights(other.key, weights),
            std::vector{transfer.key});
  EXPECT_TRUE(store_.results_of_other_weights("unknown", weights).empty());

  EXPECT_EQ(store_.commit_result(attempt, train_result("c")), std::vector{transfer.key});

  EXPECT_EQ(store_.stored().count(transfer.key), 0U);
  EXPECT_EQ(store_.stored().count(train_.key), 1U);
}

TEST_F(StoreTest, KeptImagesAreFoundUntilTheResultIsDiscarded) {
  finish(store_, run_, train_, train_result());
  wire::CellResult result = attack_result("rf");
  result.adversarials = wire::ResultFile{std::string(64, 'e'), 12, "x.safetensors"};
  finish(store_, run_, pgd_, result);

  const auto kept = store_.adversarials_of(pgd_.key);
  const auto of_training = store_.adversarials_of(train_.key);
  store_.discard_result(pgd_.key, "the file has vanished");

  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->path, "x.safetensors");
  EXPECT_FALSE(of_training.has_value());
  EXPECT_FALSE(store_.adversarials_of(pgd_.key).has_value());
}

TEST(Store, SameInputsGiveSameRows) {
  const base::TempFolder folder;
  std::string dumps[2];
  for (int i = 0; i < 2; ++i) {
    Store store = Store::open_writer(folder.path() / (std::to_string(i) + ".sqlite"));
    run_small_study(store);
    for (const char* table : {"manifest",
                              "environment",
                              "plugin",
                              "run_plugin",
                              "cell",
                              "cell_plugin",
                              "plan",
                              "plan_cell",
                              "run_cell",
                              "checkpoint",
                              "metric",
                              "series",
                              "solve_stats",
                              "sample_outcome",
                              "sample_metric",
                              "seed"}) {
      table::Table rows = run_query(store, std::string("SELECT * FROM ") + table);
      if (rows.columns.back() == "first_seen") {
        for (auto& row : rows.rows) row.back() = std::monostate{};
      }
      dumps[i] += table::to_text(rows, table::Format::kCsv);
    }
  }

  EXPECT_EQ(dumps[0], dumps[1]);
}

TEST(Store, RegistersTenThousandCellsQuickly) {
  const base::TempFolder folder;
  Store store = Store::open_writer(folder.path() / "x.sqlite");
  const auto run = store.begin_run(make_study(), make_info());
  const catalog::Catalog catalog = make_catalog();
  std::vector<wire::Cell> cells = {train_cell("so_resnet", 0)};
  for (int i = 1; i < 10'000; ++i) {
    cells.push_back(attack_cell(cells[0], "bosh3", "rk4", "pgd", 0.03, "0.03", i));
  }

  // Processor time: another program on the machine does not make it longer.
  const std::clock_t start = std::clock();
  store.register_cells(run, catalog, cells);
  const double first = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;

  EXPECT_EQ(store.database().integer("count", "SELECT count(*) FROM run_cell"), 10'000);
  // Below 1 s when optimised; debug and sanitizer builds get room.
  EXPECT_LT(first, 5.0);
  RecordProperty("seconds", std::to_string(first));
}

}  // namespace
}  // namespace unmask::store::store_test
