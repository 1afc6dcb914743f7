// What follows from a failure: other tries, quarantine, the end of a run, fresh workers; and what is
// told of it.

#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/progress_text.hpp"
#include "run_fixture.hpp"

namespace unmask::run::failures_test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Events = std::vector<std::string>;
using wire::FailureClass;

class FailuresTest : public RunTest {
 protected:
  // An attack that crashes, or does what `what` says, on a model at a radius.
  static wire::Cell attack(const std::string& key,
                           const std::string& method,
                           const std::string& what,
                           const std::string& model = "model") {
    wire::Cell cell = fake_cell(key, {{"do", what}});
    cell.labels.method = method;
    cell.labels.model = model;
    return cell;
  }
  std::size_t starts_of(const std::string& key) const {
    return recorder.pids.contains(key) ? recorder.pids.at(key).size() : 0;
  }
};

// ---- tries ----

TEST_F(FailuresTest, EveryClassIsTriedAgainAsOftenAsAsked) {
  options.failures.retries[FailureClass::kPluginError] = 1;

  const RunSummary summary = run({fake_cell("a", {{"do", "fail once"}, {"marker", marker("m")}})});

  EXPECT_EQ(recorder.events, (Events{"start a", "plugin_error a", "start a", "done a"}));
  EXPECT_TRUE(summary.is_complete());
}

TEST_F(FailuresTest, ATimeoutIsTriedAgainWhenAsked) {
  options.failures.retries[FailureClass::kTimeout] = 2;
  options.timeout_s = 0.1;

  failure_of({{"do", "hang"}});

  EXPECT_EQ(recorder.failures.size(), 3U);
}

TEST_F(FailuresTest, ACellMayHaveALimitOfItsOwn) {
  // Under the run's own limit the cell would hang for the whole minute.
  options.timeout_s = 60;
  wire::Cell cell = fake_cell("a", {{"do", "hang"}});
  cell.timeout_s = 0.1;

  run({cell});

  ASSERT_EQ(recorder.failures.size(), 1U);
  EXPECT_EQ(recorder.failures[0].failure.failure_class, FailureClass::kTimeout);
  EXPECT_EQ(recorder.failures[0].failure.message, "no result after 0.1 s");
}

// ---- the end of a run ----

TEST_F(FailuresTest, EndTheRunWhenThereAreTooMany) {
  options.failures.max_failures = 2;

  const RunSummary summary = run({fake_cell("a", {{"do", "throw"}}),
                                  fake_cell("b"),
                                  fake_cell("c", {{"do", "throw"}}),
                                  fake_cell("d")});

  EXPECT_EQ(
      recorder.events,
      (Events{"start a", "plugin_error a", "start b", "done b", "start c", "plugin_error c"}));
  EXPECT_EQ(summary.not_run, 1U);
}

TEST_F(FailuresTest, ThatAreTriedAgainDoNotCountTowardsTheEnd) {
  options.failures.max_failures = 1;

  const RunSummary summary =
      run({fake_cell("a", {{"do", "die once"}, {"marker", marker("m")}}), fake_cell("b")});

  EXPECT_TRUE(summary.is_complete());
}

// ---- quarantine ----

TEST_F(FailuresTest, AnAttackThatCrashedTwiceIsNotBegunInItsOtherCells) {
  const RunSummary summary = run({attack("a1", "evil", "segfault"),
                                  attack("a2", "evil", "segfault"),
                                  attack("a3", "evil", "succeed"),
                                  attack("b", "good", "succeed")});

  EXPECT_EQ(starts_of("a1"), 2U);
  EXPECT_EQ(starts_of("a2") + starts_of("a3"), 0U);
  EXPECT_EQ(starts_of("b"), 1U);
  EXPECT_EQ(summary.failed, 1U);
  EXPECT_EQ(summary.skipped, 2U);
  const std::string sentence =
      "attack \"evil\" on \"model\" is quarantined: it crashed 2 times on one cell and has "
      "finished "
      "none; its other cells are not started in this run";
  EXPECT_EQ(recorder.skips.at("a2"), sentence);
  EXPECT_THAT(summary.notes, ElementsAre(sentence));  // said once
  // The record of the failure names it, too.
  EXPECT_THAT(recorder.failures.back().failure.message, HasSubstr(sentence));
  EXPECT_THAT(recorder.failures.front().failure.message, Not(HasSubstr("quarantined")));
}

TEST_F(FailuresTest, AnAttackThatHasFinishedACellOfThatModelIsNotQuarantined) {
  run({attack("a1", "evil", "succeed"),
       attack("a2", "evil", "segfault"),
       attack("a3", "evil", "succeed")});

  EXPECT_TRUE(recorder.results.contains("a3"));
}

TEST_F(FailuresTest, AResultOfAnEarlierRunSpeaksForAnAttack) {
  done["a1"] = std::nullopt;

  run({attack("a1", "evil", "succeed"),
       attack("a2", "evil", "segfault"),
       attack("a3", "evil", "succeed")});

  EXPECT_TRUE(recorder.results.contains("a3"));
}

TEST_F(FailuresTest, AnotherModelMayBeInnocentOfTheCrash) {
  run({attack("a1", "pgd", "segfault"), attack("a2", "pgd", "succeed", "other")});

  EXPECT_TRUE(recorder.results.contains("a2"));
}

TEST_F(FailuresTest, ASolverThatNothingHasFinishedUnderIsAsSuspectAsTheAttack) {
  wire::Cell guilty = attack("a1", "pgd", "segfault");
  guilty.labels.solver = "broken";
  wire::Cell same = attack("a2", "pgd", "succeed");
  same.labels.solver = "broken";

  run({guilty, same, attack("a3", "pgd", "succeed")});

  EXPECT_EQ(starts_of("a2"), 0U);
  EXPECT_TRUE(recorder.results.contains("a3"));
}

TEST_F(FailuresTest, ATrainingThatCrashedTwiceTakesItsOtherSeedsAndTheirAttacksAlong) {
  wire::Cell other = fake_training("t1");
  other.labels.train_seed = 1;

  const RunSummary summary = run({fake_training("t0", {{"do", "segfault"}}),
                                  other,
                                  fake_cell("a", {}, wire::CellKind::kAttack, "t1")});

  EXPECT_EQ(starts_of("t1"), 0U);
  EXPECT_THAT(recorder.skips.at("a"), HasSubstr("its training failed (not started): "));
  EXPECT_EQ(summary.skipped, 2U);
}

TEST_F(FailuresTest, NothingIsQuarantinedWhereNothingIsLeft) {
  run({attack("a1", "evil", "throw"), attack("a2", "evil", "segfault")});

  EXPECT_THAT(recorder.failures.back().failure.message, Not(HasSubstr("quarantined")));
}

TEST_F(FailuresTest, OneCrashIsNoQuarantine) {
  options.failures.retries[FailureClass::kCrash] = 0;

  run({attack("a1", "evil", "segfault"), attack("a2", "evil", "succeed")});

  EXPECT_TRUE(recorder.results.contains("a2"));
}

TEST_F(FailuresTest, OtherFailuresAreNoQuarantine) {
  options.failures.retries[FailureClass::kPluginError] = 1;

  run({attack("a1", "evil", "throw"), attack("a2", "evil", "succeed")});

  EXPECT_TRUE(recorder.results.contains("a2"));
}

// ---- workers ----

TEST_F(FailuresTest, AWorkerIsReplacedAfterItsNumberOfCells) {
  options.recycle_after = 2;

  run({fake_cell("a"), fake_cell("b"), fake_cell("c"), fake_cell("d"), fake_cell("e")});

  const auto& p = recorder.starts;
  ASSERT_EQ(p.size(), 5U);
  EXPECT_EQ(p[0], p[1]);
  EXPECT_NE(p[1], p[2]);
  EXPECT_EQ(p[2], p[3]);
  EXPECT_NE(p[3], p[4]);
}

TEST_F(FailuresTest, AWorkerServesForEverWhenAsked) {
  options.recycle_after = 0;
  std::vector<wire::Cell> plan;
  plan.reserve(20);
  for (int i = 0; i < 20; ++i) plan.push_back(fake_cell(std::to_string(i)));

  run(plan);

  EXPECT_EQ(std::set<int>(recorder.starts.begin(), recorder.starts.end()).size(), 1U);
}

TEST_F(FailuresTest, AWorkerThatGrowsIsReplaced) {
  // Each cell keeps 64 MiB. The first is what a worker may need; one more is above the limit.
  options.memory_growth_bytes = std::int64_t{32} << 20;
  const json grow = {{"do", "grow"}, {"bytes", 64 << 20}};

  run({fake_cell("a", grow), fake_cell("b", grow), fake_cell("c", grow), fake_cell("d", grow)});

  const auto& p = recorder.starts;
  ASSERT_EQ(p.size(), 4U);
  EXPECT_EQ(p[0], p[1]);
  EXPECT_NE(p[1], p[2]);
  EXPECT_EQ(p[2], p[3]);
}

TEST_F(FailuresTest, AWorkerThatTheKernelKilledForMemoryWasShortOfMemory) {
  // The count is asked for when a cell begins and when its worker was killed: it rises in between.
  std::int64_t asked = 0;
  options.memory_kills = [&asked] { return asked++; };

  const auto failure = failure_of({{"do", "die always"}});

  EXPECT_EQ(failure.failure_class, FailureClass::kOutOfMemory);
  EXPECT_EQ(recorder.failures.size(), 2U);  // once more, alone
}

TEST_F(FailuresTest, AWorkerThatSomebodyKilledCrashed) {
  options.memory_kills = [] { return std::int64_t{7}; };

  EXPECT_EQ(failure_of({{"do", "die always"}}).failure_class, FailureClass::kCrash);
}

TEST(MemoryText, HasTheUnitThatFits) {
  EXPECT_EQ(memory_text(7), "7 bytes");
  EXPECT_EQ(memory_text(12 << 10), "12 KiB");
  EXPECT_EQ(memory_text(300 << 20), "300 MiB");
  EXPECT_EQ(memory_text(std::int64_t{1536} << 20), "1.5 GiB");
}

// ---- what is told ----

TEST_F(FailuresTest, SayWhichPluginsTookPartAndHowToSeeItAgain) {
  const json part = {{"fingerprint", "f"}, {"params", json::object()}};
  json spec = {{"do", "throw"}};
  for (const auto& [kind, id] : {std::pair{"attack", "pgd"},
                                 std::pair{"model", "mlp"},
                                 std::pair{"solver", "rk4"},
                                 std::pair{"dataset", "strokes"}}) {
    spec[kind] = part;
    spec[kind]["plugin"] = id;
  }
  options.command_of = [](const wire::Cell& cell) { return "unmask exec m --cell " + cell.key; };

  const auto failure = failure_of(spec);

  EXPECT_EQ(failure.plugins, "attack pgd, dataset strokes, model mlp, solver rk4");
  EXPECT_EQ(failure.command, "unmask exec m --cell a");
  const auto lines = failure_lines(fake_cell("a", spec), failure, false);
  EXPECT_EQ(lines,
            (std::vector<std::string>{
                "attack a on model/data/loss/rk4 seed 0: plugin_error: the plugin threw: no",
                "    plugins: attack pgd, dataset strokes, model mlp, solver rk4",
                "    | doing throw",
                "    log: " + (folder.path() / "logs" / "worker-0.log").string(),
                "    alone: unmask exec m --cell a"}));
}

TEST_F(FailuresTest, OfManyCellsForOneReasonAreOneLine) {
  std::ostringstream text;
  ProgressOutput output;
  output.people = &text;
  output.now = [] { return 0.0; };
  const auto progress = make_progress(ProgressMode::kPlain, output);

  run_cells({attack("a1", "evil", "segfault"),
             attack("a2", "evil", "succeed"),
             attack("a3", "evil", "succeed")},
            {},
            options,
            recorder,
            *progress);

  EXPECT_THAT(text.str(), HasSubstr("skip   2 cells: attack \"evil\" on \"model\" is quarantined"));
  EXPECT_THAT(text.str(), HasSubstr("0 done, 1 failed, 2 skipped"));
}

}  // namespace
}  // namespace unmask::run::failures_test
