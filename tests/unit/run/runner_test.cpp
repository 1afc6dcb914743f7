#include "run/runner.hpp"

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/complaint.hpp"
#include "run_fixture.hpp"
#include "unmask/errors.hpp"

namespace unmask::run::runner_test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Events = std::vector<std::string>;

json doing(const std::string& what) {
  return {{"do", what}};
}

// ---- what goes well ----

TEST_F(RunTest, RunsACellAndRecordsItsResult) {
  const RunSummary summary = run({fake_cell("a")});

  EXPECT_EQ(recorder.events, (Events{"start a", "done a"}));
  EXPECT_EQ(recorder.results.at("a").outcomes.size(), 2U);
  EXPECT_TRUE(summary.is_complete());
}

TEST_F(RunTest, StartsNoWorkerWhenAllIsDone) {
  start_workers_with("exit:1");
  done["a"] = std::nullopt;

  const RunSummary summary = run({fake_cell("a")});

  EXPECT_EQ(summary.hit, 1U);
  EXPECT_TRUE(recorder.events.empty());
}

TEST_F(RunTest, RunsExactlyWhatIsMissing) {
  done["b"] = std::nullopt;

  const RunSummary summary = run({fake_cell("a"), fake_cell("b"), fake_cell("c")});

  EXPECT_EQ(recorder.events, (Events{"start a", "done a", "start c", "done c"}));
  EXPECT_EQ(summary.ran, 2U);
}

TEST_F(RunTest, GivesAnEvaluationTheCheckpointOfItsTraining) {
  run({fake_cell("a", {}, wire::CellKind::kAttack, "t"), fake_training("t")});

  EXPECT_EQ(recorder.events, (Events{"start t", "done t", "start a", "done a"}));
  EXPECT_EQ(recorder.results.at("a").seeds.at("checkpoint"), "t.safetensors");
}

TEST_F(RunTest, GivesAnEvaluationAStoredCheckpoint) {
  done["t"] = wire::CheckpointFile{std::string(64, 'b'), 5, "stored"};

  run({fake_training("t"), fake_cell("a", {}, wire::CellKind::kAttack, "t")});

  EXPECT_EQ(recorder.results.at("a").seeds.at("checkpoint"), "stored");
}

TEST_F(RunTest, TrainsBeforeItEvaluates) {
  done["t0"] = wire::CheckpointFile{std::string(64, 'b'), 5, "stored"};

  run({fake_training("t0"),
       fake_cell("a", {}, wire::CellKind::kAttack, "t0"),
       fake_training("t1")});

  EXPECT_EQ(recorder.events, (Events{"start t1", "done t1", "start a", "done a"}));
}

TEST_F(RunTest, StaysWithTheCheckpointThatAWorkerHolds) {
  // One worker trains t0, then t1, and so holds t1 when the evaluations begin.
  const auto attack = wire::CellKind::kAttack;

  run({fake_training("t0"),
       fake_training("t1"),
       fake_cell("a0", {}, attack, "t0"),
       fake_cell("a1", {}, attack, "t1"),
       fake_cell("b0", {}, attack, "t0"),
       fake_cell("b1", {}, attack, "t1")});

  EXPECT_EQ(recorder.events,
            (Events{"start t0",
                    "done t0",
                    "start t1",
                    "done t1",
                    "start a1",
                    "done a1",
                    "start b1",
                    "done b1",
                    "start a0",
                    "done a0",
                    "start b0",
                    "done b0"}));
}

TEST_F(RunTest, KeepsAWorkerFromCellToCell) {
  run({fake_cell("a"), fake_cell("b"), fake_cell("c")});

  EXPECT_EQ(recorder.pids.at("a"), recorder.pids.at("c"));
}

TEST_F(RunTest, RunsTwoCellsAtOnceWithTwoWorkers) {
  // Each cell waits until the other has begun: one after the other they would never end.
  options.workers = 2;
  options.timeout_s = 15;

  const RunSummary summary =
      run({fake_cell("a", {{"do", "meet"}, {"marker", marker("a")}, {"other", marker("b")}}),
           fake_cell("b", {{"do", "meet"}, {"marker", marker("b")}, {"other", marker("a")}})});

  EXPECT_EQ(summary.ran, 2U);
}

TEST_F(RunTest, TakesAResultThatIsLargerThanTheSocketsBuffer) {
  run({fake_cell("a", doing("large result"))});

  EXPECT_EQ(recorder.results.at("a").outcomes.size(), 20000U);
}

TEST_F(RunTest, KeepsTheResultOfAWorkerThatDiesRightAfterIt) {
  const RunSummary summary = run({fake_cell("a", doing("die after result"))});

  EXPECT_EQ(summary.ran, 1U);
}

TEST_F(RunTest, DoesNotBlameTheNextCellForAWorkerThatDiesAfterAResult) {
  // Whether the worker is dead before it is given b or just after is a race; b must run in both
  // cases.
  options.failures.retries[wire::FailureClass::kCrash] = 0;

  const RunSummary summary = run({fake_cell("a", doing("die after result")), fake_cell("b")});

  EXPECT_EQ(summary.ran, 2U);
}

TEST_F(RunTest, RunsManyCellsWithManyWorkers) {
  options.workers = 4;
  std::vector<wire::Cell> plan = {fake_training("t0"), fake_training("t1")};
  for (std::size_t i = 0; i < 500; ++i) {
    plan.push_back(
        fake_cell(std::to_string(i), {}, wire::CellKind::kProbe, "t" + std::to_string(i % 2)));
  }

  EXPECT_EQ(run(plan).ran, 502U);
}

TEST_F(RunTest, PassesProgressOn) {
  class Watcher : public Progress {
   public:
    std::vector<std::int64_t> seen;
    void run_started(const RunOutline&) override {}
    void worker_started(int, int, const std::string&) override {}
    void cell_started(int, const wire::Cell&, int) override {}
    void cell_progress(
        int, const wire::Cell&, std::int64_t n, std::int64_t, const std::string&) override {
      seen.push_back(n);
    }
    void cell_done(int, const wire::Cell&, const wire::CellResult&) override {}
    void cell_failed(int, const wire::Cell&, const wire::CellFailure&, bool) override {}
    void cell_skipped(const wire::Cell&, const std::string&) override {}
    void cell_again(const wire::Cell&) override {}
    void notice(const std::string&) override {}
    void tick() override {}
    void run_finished(const RunSummary&) override {}
  } watcher;

  run_cells({fake_cell("a", doing("progress"))}, done, options, recorder, watcher);

  EXPECT_THAT(watcher.seen, ElementsAre(1, 2, 3));
}

// ---- failure classes ----

TEST_F(RunTest, CallsAnOrderlyFailureAPluginError) {
  const auto failure = failure_of(doing("throw"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kPluginError);
  EXPECT_EQ(failure.message, "the plugin threw: no");
}

TEST_F(RunTest, TriesAPluginErrorOnce) {
  failure_of(doing("throw"));

  EXPECT_EQ(recorder.failures.size(), 1U);
}

TEST_F(RunTest, KeepsTheWorkerAfterAPluginError) {
  run({fake_cell("a", doing("throw")), fake_cell("b")});

  EXPECT_EQ(recorder.pids.at("a"), recorder.pids.at("b"));
}

TEST_F(RunTest, CallsASegmentationFaultACrash) {
  const auto failure = failure_of(doing("segfault"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kCrash);
  EXPECT_EQ(failure.signal, SIGSEGV);
  EXPECT_EQ(failure.message,
            "the worker was killed by signal 11 (Segmentation fault) in the middle of the cell");
}

TEST_F(RunTest, CallsAnAbortACrash) {
  EXPECT_EQ(failure_of(doing("abort")).signal, SIGABRT);
}

TEST_F(RunTest, CallsAnExitInTheMiddleOfACellACrash) {
  const auto failure = failure_of(doing("exit"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kCrash);
  EXPECT_EQ(failure.exit_code, 0);
}

TEST_F(RunTest, CallsAClosedConnectionACrash) {
  const auto failure = failure_of(doing("close descriptors"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kCrash);
  EXPECT_EQ(failure.message, "the worker closed its connection in the middle of the cell");
}

TEST_F(RunTest, SeesACrashThoughAProcessLeftBehindHoldsTheConnection) {
  EXPECT_EQ(failure_of({{"do", "leave a child"}, {"marker", marker("m")}}).exit_code, 7);
}

TEST_F(RunTest, TellsWhenAWorkerIsGoneAndWhichOnesLive) {
  std::vector<std::size_t> living;
  options.workers = 2;
  options.worker_ended = [&](const std::vector<pid_t>& others) {
    living.push_back(others.size());
    for (const pid_t pid : others) EXPECT_EQ(::kill(pid, 0), 0);
  };

  const RunSummary summary = run({fake_cell("a", {{"do", "die once"}, {"marker", marker("m")}}),
                                  fake_cell("b"),
                                  fake_cell("c"),
                                  fake_cell("d")});

  // One dies, and two end with the run, the last of them alone.
  EXPECT_EQ(summary.ran, 4U);
  ASSERT_GE(living.size(), 2U);
  EXPECT_EQ(living.back(), 0U);
}

TEST_F(RunTest, TriesACrashTwice) {
  failure_of(doing("segfault"));

  EXPECT_EQ(recorder.events, (Events{"start a", "crash a", "start a", "crash a"}));
  EXPECT_TRUE(recorder.failures.front().will_retry);
  EXPECT_FALSE(recorder.failures.back().will_retry);
}

TEST_F(RunTest, TriesACrashAsOftenAsAsked) {
  options.failures.retries[wire::FailureClass::kCrash] = 3;

  failure_of(doing("segfault"));

  EXPECT_EQ(recorder.failures.size(), 4U);
}

TEST_F(RunTest, TakesTheResultOfASecondTry) {
  const RunSummary summary = run({fake_cell("a", {{"do", "die once"}, {"marker", marker("m")}})});

  EXPECT_EQ(recorder.events, (Events{"start a", "crash a", "start a", "done a"}));
  EXPECT_TRUE(summary.is_complete());
}

TEST_F(RunTest, TriesACrashAgainInAFreshWorker) {
  options.workers = 2;

  run({fake_cell("a", {{"do", "die once"}, {"marker", marker("m")}}),
       fake_cell("b"),
       fake_cell("c")});

  // The first attempt of that worker is the second attempt at a.
  const auto& starts = recorder.starts;
  const int pid = recorder.pids.at("a").at(1);
  const auto first = std::find(starts.begin(), starts.end(), pid);
  std::vector<std::string> begun;
  for (const auto& event : recorder.events) {
    if (event.rfind("start ", 0) == 0) begun.push_back(event);
  }
  const auto index = static_cast<std::size_t>(first - starts.begin());
  EXPECT_GT(index, 0U);
  EXPECT_EQ(begun.at(index), "start a");
}

TEST_F(RunTest, KeepsTheOthersGoingWhenACellCrashes) {
  const RunSummary summary =
      run({fake_cell("a", doing("segfault")), fake_cell("b"), fake_cell("c")});

  EXPECT_EQ(summary.failed, 1U);
  EXPECT_EQ(summary.ran, 2U);
}

TEST_F(RunTest, RecordsTheEndOfTheLogWithAFailure) {
  EXPECT_EQ(failure_of(doing("segfault")).log_tail, "doing segfault");
}

TEST_F(RunTest, KeepsEarlierCellsOutOfTheLogOfAFailure) {
  run({fake_cell("a"), fake_cell("b", doing("throw"))});

  EXPECT_EQ(recorder.failures.at(0).failure.log_tail, "doing throw");
}

TEST_F(RunTest, StopsACellWhoseTimeIsUp) {
  options.timeout_s = 0.1;

  const auto failure = failure_of(doing("hang"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kTimeout);
  EXPECT_EQ(failure.message, "no result after 0.1 s");
  EXPECT_EQ(recorder.failures.size(), 1U);
}

TEST_F(RunTest, KillsACellThatIsDeafToSigterm) {
  options.timeout_s = 0.3;

  const auto failure = failure_of(doing("hang deaf"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kTimeout);
  EXPECT_EQ(failure.message, "no result after 0.3 s; it ignored SIGTERM and was killed");
}

TEST_F(RunTest, GoesOnWithAFreshWorkerAfterATimeout) {
  options.timeout_s = 1;

  const RunSummary summary = run({fake_cell("a", doing("hang")), fake_cell("b")});

  EXPECT_EQ(summary.ran, 1U);
  EXPECT_NE(recorder.pids.at("a"), recorder.pids.at("b"));
}

TEST_F(RunTest, TriesOutOfMemoryAgainAloneAndOnce) {
  options.workers = 2;
  std::vector<wire::Cell> plan = {fake_cell("a", {{"do", "oom once"}, {"marker", marker("m")}})};
  for (int i = 0; i < 10; ++i) plan.push_back(fake_cell(std::to_string(i)));

  const RunSummary summary = run(plan);

  EXPECT_EQ(summary.ran, 11U);
  const auto& events = recorder.events;
  ASSERT_GE(events.size(), 2U);
  EXPECT_EQ((Events{events.end() - 2, events.end()}), (Events{"start a", "done a"}));
}

TEST_F(RunTest, GivesUpOutOfMemoryAfterTheSecondTry) {
  EXPECT_EQ(failure_of(doing("oom")).failure_class, wire::FailureClass::kOutOfMemory);
  EXPECT_EQ(recorder.failures.size(), 2U);
}

TEST_F(RunTest, TriesADeviceFaultAgainInAFreshWorker) {
  const RunSummary summary =
      run({fake_cell("a", {{"do", "device fault once"}, {"marker", marker("m")}})});

  EXPECT_EQ(summary.ran, 1U);
  EXPECT_EQ(recorder.failures.at(0).failure.failure_class, wire::FailureClass::kDeviceFault);
  EXPECT_NE(recorder.pids.at("a").at(0), recorder.pids.at("a").at(1));
}

TEST_F(RunTest, RefusesTheResultOfAnotherCell) {
  const auto failure = failure_of(doing("wrong key"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kInvalid);
  EXPECT_EQ(failure.message, "the result is of another cell, another");
}

TEST_F(RunTest, RefusesADistanceThatIsNotANumber) {
  const auto failure = failure_of(doing("nan distance"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kInvalid);
  EXPECT_EQ(recorder.failures.size(), 1U);
}

TEST_F(RunTest, RefusesAResultWithoutItsParts) {
  EXPECT_EQ(failure_of(doing("no parts")).failure_class, wire::FailureClass::kInvalid);
}

TEST_F(RunTest, CallsGarbageACrashOfTheProtocol) {
  const auto failure = failure_of(doing("garbage"));

  EXPECT_EQ(failure.failure_class, wire::FailureClass::kCrash);
  EXPECT_THAT(failure.message, StartsWith("protocol: a frame announces 4294967295 bytes"));
}

TEST_F(RunTest, CallsAFrameWithoutJsonACrashOfTheProtocol) {
  EXPECT_EQ(failure_of(doing("not json")).message,
            "protocol: a frame of 4 bytes does not hold JSON");
}

TEST_F(RunTest, CallsAnUnknownMessageACrashOfTheProtocol) {
  EXPECT_EQ(failure_of(doing("unknown frame")).message,
            "protocol: a worker sent a message of unknown type \"greetings\"");
}

TEST_F(RunTest, CallsAMalformedMessageACrashOfTheProtocol) {
  EXPECT_THAT(failure_of(doing("missing field")).message,
              StartsWith("protocol: a message of type \"result\" is malformed"));
}

TEST_F(RunTest, CallsAnUnknownFailureClassACrashOfTheProtocol) {
  EXPECT_EQ(failure_of(doing("bad class")).message,
            "protocol: a message names the unknown failure class \"crash\"");
}

TEST_F(RunTest, SaysThatTheLastMessageIsTruncated) {
  EXPECT_EQ(
      failure_of(doing("truncate")).message,
      "the worker exited with code 0 in the middle of the cell; its last message is truncated");
}

// ---- logs ----

TEST_F(RunTest, TakesAFloodOfOutputAndCapsTheLogFile) {
  options.log_limit_bytes = 1000000;

  const RunSummary summary = run({fake_cell("a", {{"do", "print"}, {"bytes", 50000000}})});

  EXPECT_EQ(summary.ran, 1U);
  // The limit, and the host's own lines about the worker and the cell.
  EXPECT_LT(std::filesystem::file_size(folder.path() / "logs" / "worker-0.log"), 1001000U);
}

TEST_F(RunTest, KeepsTheLastLinesOfAFlood) {
  const auto failure = failure_of({{"do", "print"}, {"bytes", 1000000}, {"crash", true}});

  EXPECT_LE(failure.log_tail.size(), 4096U);
  EXPECT_EQ(std::count(failure.log_tail.begin(), failure.log_tail.end(), '\n'), 19);
  EXPECT_THAT(failure.log_tail, testing::EndsWith("\nbad ?? byte\nlast line"));
}

TEST_F(RunTest, SaysWhereTheLogOfAFailureIs) {
  EXPECT_EQ(failure_of(doing("throw")).log_file, (folder.path() / "logs/worker-0.log").string());
}

// ---- dependencies and stopping early ----

TEST_F(RunTest, SkipsTheEvaluationsOfATrainingThatFailed) {
  const auto attack = wire::CellKind::kAttack;

  const RunSummary summary = run({fake_training("t", doing("throw")),
                                  fake_cell("a", {}, attack, "t"),
                                  fake_cell("b", {}, attack, "t"),
                                  fake_cell("c")});

  EXPECT_EQ(recorder.skips.at("a"), "its training failed (plugin_error): the plugin threw: no");
  EXPECT_EQ(summary.skipped, 2U);
  EXPECT_EQ(summary.ran, 1U);
}

TEST_F(RunTest, FailsWhatIsHopelessWithoutAWorker) {
  options.hopeless = {{"t1", "its data never come"}, {"b", "it never begins"}};

  const RunSummary summary = run({fake_training("t0"),
                                  fake_training("t1"),
                                  fake_cell("a", {}, wire::CellKind::kAttack, "t0"),
                                  fake_cell("b", {}, wire::CellKind::kAttack, "t0"),
                                  fake_cell("c", {}, wire::CellKind::kAttack, "t1")});

  EXPECT_EQ(summary.ran, 2U);
  EXPECT_EQ(summary.failed, 2U);
  EXPECT_EQ(summary.skipped, 1U);
  EXPECT_EQ(summary.not_run, 0U);
  ASSERT_EQ(recorder.failures.size(), 2U);
  EXPECT_EQ(recorder.failures[0].key, "t1");
  EXPECT_EQ(recorder.failures[1].key, "b");
  for (const MemoryRecorder::Failed& failed : recorder.failures) {
    EXPECT_EQ(failed.failure.failure_class, wire::FailureClass::kTimeout);
    EXPECT_EQ(failed.failure.message, options.hopeless.at(failed.key));
    EXPECT_FALSE(failed.will_retry);
  }
  EXPECT_EQ(recorder.skips.at("c"), "its training failed (timeout): its data never come");
}

TEST_F(RunTest, StartsNoWorkerWhenAllIsHopeless) {
  options.hopeless = {{"a", "it never begins"}};
  options.worker_command = [](int) -> WorkerCommand { throw std::logic_error("a worker starts"); };

  EXPECT_EQ(run({fake_cell("a")}).failed, 1U);
}

TEST_F(RunTest, WaitsForBothTrainingsOfATransfer) {
  wire::Cell transfer = fake_cell("a", {}, wire::CellKind::kAttack, "t");
  transfer.needs_source = "s";

  const RunSummary summary = run({fake_training("t"), transfer, fake_training("s")});

  EXPECT_EQ(recorder.events,
            (Events{"start t", "done t", "start s", "done s", "start a", "done a"}));
  EXPECT_EQ(recorder.results.at("a").seeds.at("checkpoint"), "t.safetensors");
  EXPECT_EQ(recorder.results.at("a").seeds.at("source"), "s.safetensors");
  EXPECT_TRUE(summary.is_complete());
}

TEST_F(RunTest, SkipsATransferOnceWhenBothTrainingsFail) {
  wire::Cell transfer = fake_cell("a", {}, wire::CellKind::kAttack, "t");
  transfer.needs_source = "s";

  const RunSummary summary =
      run({fake_training("t", doing("throw")), fake_training("s", doing("throw")), transfer});

  EXPECT_EQ(summary.skipped, 1U);
  EXPECT_EQ(summary.failed, 2U);
  EXPECT_EQ(summary.not_run, 0U);
}

TEST_F(RunTest, SkipsATransferWhoseSourceFailed) {
  wire::Cell transfer = fake_cell("a", {}, wire::CellKind::kAttack, "t");
  transfer.needs_source = "s";

  run({fake_training("s", doing("throw")), fake_training("t"), transfer});

  EXPECT_EQ(recorder.skips.at("a"), "its source failed (plugin_error): the plugin threw: no");
}

TEST_F(RunTest, SkipsNothingWhileATrainingWillBeTriedAgain) {
  const RunSummary summary = run({fake_training("t", {{"do", "die once"}, {"marker", marker("m")}}),
                                  fake_cell("a", {}, wire::CellKind::kAttack, "t")});

  EXPECT_TRUE(summary.is_complete());
}

TEST_F(RunTest, BeginsNoFurtherCellAfterAFailureWhenAsked) {
  options.failures.max_failures = 1;

  const RunSummary summary = run({fake_cell("a", doing("throw")), fake_cell("b"), fake_cell("c")});

  EXPECT_EQ(recorder.events, (Events{"start a", "plugin_error a"}));
  EXPECT_EQ(summary.not_run, 2U);
}

TEST_F(RunTest, LetsRunningCellsFinishWhenItDrains) {
  StopRequest stop;
  options.stop = &stop;
  recorder.on_event = [&](const std::string&) { stop.raise_to(StopLevel::kDrain); };

  const RunSummary summary = run({fake_cell("a"), fake_cell("b")});

  EXPECT_EQ(recorder.events, (Events{"start a", "done a"}));
  EXPECT_TRUE(summary.drained);
  EXPECT_EQ(summary.not_run, 1U);
}

TEST_F(RunTest, AbandonsRunningCellsWhenItIsStopped) {
  StopRequest stop;
  options.stop = &stop;
  recorder.on_event = [&](const std::string&) { stop.raise_to(StopLevel::kNow); };

  const RunSummary summary = run({fake_cell("a", doing("hang deaf")), fake_cell("b")});

  EXPECT_EQ(recorder.events, (Events{"start a", "interrupted a"}));
  EXPECT_EQ(summary.interrupted, 1U);
  EXPECT_EQ(summary.not_run, 1U);
}

TEST_F(RunTest, DoesNotTryAgainWhileItDrains) {
  StopRequest stop;
  options.stop = &stop;
  recorder.on_event = [&](const std::string&) { stop.raise_to(StopLevel::kDrain); };

  run({fake_cell("a", doing("segfault"))});

  EXPECT_EQ(recorder.events, (Events{"start a", "crash a"}));
}

TEST_F(RunTest, LeavesNoWorkerBehind) {
  run({fake_cell("a")});

  EXPECT_EQ(::kill(recorder.pids.at("a").at(0), 0), -1);
}

// ---- results that belonged to other weights ----

// A training whose checkpoint was lost, and two stored attacks on it.
class RetrainingTest : public RunTest {
 protected:
  RetrainingTest() {
    done["a"] = std::nullopt;
    done["b"] = std::nullopt;
    recorder.discards["t"] = {"a", "b"};
  }
  std::vector<wire::Cell> plan_ = {fake_training("t"),
                                   fake_cell("a", {}, wire::CellKind::kAttack, "t"),
                                   fake_cell("b", {}, wire::CellKind::kAttack, "t")};
};

TEST_F(RetrainingTest, RunsEveryDependentCellAgain) {
  const RunSummary summary = run(plan_);

  EXPECT_EQ(recorder.events,
            (Events{"start t", "done t", "start a", "done a", "start b", "done b"}));
  EXPECT_EQ(recorder.results.at("a").seeds.at("checkpoint"), "t.safetensors");
  EXPECT_EQ(summary.hit, 0U);
  EXPECT_EQ(summary.ran, 3U);
  EXPECT_TRUE(summary.is_complete());
}

TEST_F(RetrainingTest, TellsTheUser) {
  const RunSummary summary = run(plan_);

  EXPECT_THAT(summary.notes,
              ElementsAre("train model/data/loss/rk4 seed 0 gave other weights than before; "
                          "results of the former ones were discarded: 2 of this run, which run "
                          "again"));
}

TEST_F(RetrainingTest, IsNotCompleteWhenADependentCellFailsThen) {
  plan_[1].spec = doing("throw");

  const RunSummary summary = run(plan_);

  EXPECT_EQ(summary.failed, 1U);
  EXPECT_FALSE(summary.is_complete());
}

TEST_F(RetrainingTest, IsNotCompleteWhenItStopsBefore) {
  StopRequest stop;
  options.stop = &stop;
  recorder.on_event = [&](const std::string&) { stop.raise_to(StopLevel::kDrain); };

  const RunSummary summary = run(plan_);

  EXPECT_EQ(summary.not_run, 2U);
  EXPECT_EQ(summary.hit, 0U);
}

TEST_F(RetrainingTest, NamesResultsThatNobodyAsksForHere) {
  recorder.discards["t"] = {"a", "elsewhere"};

  const RunSummary summary = run(plan_);

  EXPECT_EQ(summary.discarded_elsewhere, 1U);
  EXPECT_EQ(summary.hit, 1U);
  EXPECT_THAT(summary.notes, ElementsAre(HasSubstr("1 that this run does not ask for")));
}

TEST_F(RetrainingTest, WaitsForTheOtherTrainingOfATransfer) {
  recorder.discards["t"] = {"a"};
  plan_[1].needs_source = "s";
  plan_.push_back(fake_training("s"));

  run(plan_);

  EXPECT_EQ(recorder.events,
            (Events{"start t", "done t", "start s", "done s", "start a", "done a"}));
}

TEST_F(RetrainingTest, SkipsATransferWhoseOtherTrainingFailedBefore) {
  recorder.discards["t"] = {"a"};
  plan_ = {fake_training("s", doing("throw")),
           fake_training("t"),
           fake_cell("a", {}, wire::CellKind::kAttack, "t")};
  plan_[2].needs_source = "s";

  const RunSummary summary = run(plan_);

  EXPECT_EQ(recorder.skips.at("a"), "its source failed (plugin_error): the plugin threw: no");
  EXPECT_EQ(summary.skipped, 1U);
  EXPECT_EQ(summary.not_run, 0U);
}

TEST_F(RunTest, FailsACellWhoseValuesAreRefusedAndGoesOn) {
  recorder.refusals["a"] = "the metric x is given twice";

  const RunSummary summary = run({fake_cell("a"), fake_cell("b")});

  EXPECT_EQ(recorder.failures.at(0).failure.failure_class, wire::FailureClass::kPluginError);
  EXPECT_EQ(recorder.failures.at(0).failure.message, "the metric x is given twice");
  EXPECT_EQ(summary.failed, 1U);
  EXPECT_EQ(summary.ran, 1U);
}

// ---- what a cell leaves behind ----

TEST_F(RunTest, ReplacesAWorkerThatACellHasSpoilt) {
  const RunSummary summary = run({fake_cell("a", doing("spoil")), fake_cell("b")});

  EXPECT_EQ(summary.ran, 2U);
  EXPECT_NE(recorder.pids.at("a"), recorder.pids.at("b"));
  EXPECT_THAT(summary.notes,
              ElementsAre("attack a on model/data/loss/rk4 seed 0: it changed the rounding "
                          "mode; its worker was replaced"));
}

TEST_F(RunTest, ReplacesAWorkerThatAFailedCellHasSpoilt) {
  run({fake_cell("a", doing("throw and spoil")), fake_cell("b")});

  EXPECT_EQ(recorder.failures.at(0).failure.message, "no");
  EXPECT_NE(recorder.pids.at("a"), recorder.pids.at("b"));
}

// ---- what ends a run ----

TEST_F(RunTest, EndsLoudlyWhenTheRecorderFails) {
  options.workers = 2;
  recorder.on_event = [&](const std::string& event) {
    if (event == "done a") throw StoreError("the disk is full");
  };

  EXPECT_THROW(run({fake_cell("a"), fake_cell("b", doing("hang deaf"))}), StoreError);
  for (const auto& [key, pids] : recorder.pids) EXPECT_EQ(::kill(pids.at(0), 0), -1) << key;
}

TEST_F(RunTest, SaysThatAWorkerCannotBeStarted) {
  options.worker_command = [](int) { return WorkerCommand{{"/no/such/worker"}, {}}; };

  try {
    run({fake_cell("a")});
    FAIL() << "nothing was thrown";
  } catch (const InternalError& error) {
    EXPECT_STREQ(error.what(),
                 "worker 0 does not start, tried 2 times: cannot start /no/such/worker: "
                 "No such file or directory");
  }
}

TEST_F(RunTest, SaysWhyAWorkerEndedBeforeItWasReady) {
  start_workers_with("exit:1");

  try {
    run({fake_cell("a")});
    FAIL() << "nothing was thrown";
  } catch (const InternalError& error) {
    EXPECT_STREQ(
        error.what(),
        "worker 0 does not start, tried 2 times: it exited with code 1 before it was ready; "
        "its last lines:\nthe library is missing");
  }
}

TEST_F(RunTest, StartsAWorkerAgainThatSomebodyKillsBeforeItIsReady) {
  start_workers_with("killed:" + marker("starts"));

  EXPECT_EQ(run({fake_cell("a")}).ran, 1U);
}

TEST_F(RunTest, CallsItAPluginErrorWhenTheWorkerDoes) {
  start_workers_with("exit:4");

  EXPECT_THROW(run({fake_cell("a")}), PluginError);
}

TEST_F(RunTest, GivesUpAWorkerThatGreetsAndLeaves) {
  start_workers_with("greet_and_exit");
  options.failures.retries[wire::FailureClass::kCrash] = 0;

  // Whether it is seen leaving before it gets its first cell, or after, is a race; both must end.
  try {
    EXPECT_EQ(run({fake_cell("a")}).failed, 1U);
  } catch (const InternalError&) {
  }
}

TEST_F(RunTest, GivesUpAWorkerThatNeverGreets) {
  start_workers_with("hang");
  options.hello_timeout_s = 0.05;

  EXPECT_THROW(run({fake_cell("a")}), InternalError);
}

TEST_F(RunTest, GivesUpAWorkerThatGreetsWithGarbage) {
  start_workers_with("garbage");

  EXPECT_THROW(run({fake_cell("a")}), InternalError);
}

TEST_F(RunTest, RefusesAPlanWithTwoCellsOfOneKey) {
  EXPECT_THROW(run({fake_cell("a"), fake_cell("a")}), InternalError);
}

TEST_F(RunTest, RefusesACellThatNeedsNoTrainingOfThePlan) {
  const auto attack = wire::CellKind::kAttack;

  EXPECT_THROW(run({fake_training("t"), fake_cell("a", {}, attack, "elsewhere")}), InternalError);
  EXPECT_THROW(run({fake_cell("a"), fake_cell("b", {}, attack, "a")}), InternalError);
}

TEST_F(RunTest, RefusesADoneTrainingWithoutACheckpoint) {
  done["t"] = std::nullopt;

  EXPECT_THROW(run({fake_training("t"), fake_cell("a", {}, wire::CellKind::kAttack, "t")}),
               InternalError);
}

// ---- what a result must be ----

wire::CellResult good_attack() {
  wire::CellResult result;
  result.outcomes = {{0, 1, 1, 2, 0.1, 3}};
  return result;
}

TEST(Complaint, IsSilentAboutAGoodAttack) {
  EXPECT_EQ(complaint(fake_cell("a"), good_attack()), std::nullopt);
}

TEST(Complaint, IsAboutAnAttackWithoutOutcomes) {
  EXPECT_EQ(complaint(fake_cell("a"), {}), "an attack yielded no outcomes");
}

TEST(Complaint, IsAboutATrainingWithoutACheckpoint) {
  EXPECT_EQ(complaint(fake_training("t"), {}), "a training yielded no checkpoint");
}

TEST(Complaint, IsAboutACheckpointWithoutAHash) {
  wire::CellResult result;
  result.checkpoint = wire::CheckpointFile{"abc", 10, "path"};

  EXPECT_EQ(complaint(fake_training("t"), result),
            "a training yielded a checkpoint without a hash, a size or a path");
}

TEST(Complaint, IsAboutAProbeWithoutMetrics) {
  EXPECT_EQ(complaint(fake_cell("p", {}, wire::CellKind::kProbe), {}),
            "a probe yielded no metrics");
}

TEST(Complaint, IsAboutAPredictionThatIsNoClass) {
  auto result = good_attack();
  result.outcomes[0].prediction = -1;

  EXPECT_THAT(complaint(fake_cell("a"), result).value_or(""), HasSubstr("no class as prediction"));
}

TEST(Complaint, IsAboutAnInfiniteDistance) {
  auto result = good_attack();
  result.outcomes[0].distance = HUGE_VAL;

  EXPECT_THAT(complaint(fake_cell("a"), result).value_or(""), HasSubstr("has the distance inf"));
}

TEST(Complaint, IsAboutANegativeDistance) {
  auto result = good_attack();
  result.outcomes[0].distance = -0.5;

  EXPECT_TRUE(complaint(fake_cell("a"), result).has_value());
}

TEST(Complaint, IsAboutASampleGivenTwice) {
  auto result = good_attack();
  result.outcomes.push_back(result.outcomes[0]);

  EXPECT_EQ(complaint(fake_cell("a"), result), "the outcome of sample 0 is given twice");
}

TEST(Complaint, IsAboutAnAccuracyAboveOne) {
  auto result = good_attack();
  result.metrics.push_back({"robust_accuracy", 1.5, 10});

  EXPECT_THAT(complaint(fake_cell("a"), result).value_or(""), HasSubstr("robust_accuracy is 1.5"));
}

TEST(Complaint, IsAboutAnAccuracyThatIsNotANumber) {
  auto result = good_attack();
  result.metrics.push_back({"accuracy", std::nan(""), 10});

  EXPECT_TRUE(complaint(fake_cell("a"), result).has_value());
}

TEST(Complaint, LeavesOtherMetricsFree) {
  auto result = good_attack();
  result.metrics.push_back({"gradient_norm", std::nan(""), 10});

  EXPECT_EQ(complaint(fake_cell("a"), result), std::nullopt);
}

}  // namespace
}  // namespace unmask::run::runner_test
