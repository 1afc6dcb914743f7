#include "run/progress.hpp"

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run_fixture.hpp"
#include "unmask/errors.hpp"

namespace unmask::run::progress_test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class ProgressTest : public testing::Test {
 protected:
  std::unique_ptr<Progress> make(ProgressMode mode) {
    return make_progress(mode,
                         {.people = &people,
                          .programs = &programs,
                          .is_terminal = [this] { return is_terminal; },
                          .width = [this] { return width; },
                          .now = [this] { return now; }});
  }

  static RunOutline outline(std::size_t trainings, std::size_t attacks, int workers = 1) {
    RunOutline result;
    result.to_run = {trainings, attacks, 0};
    result.workers = workers;
    return result;
  }

  static wire::CellFailure crash() {
    wire::CellFailure failure;
    failure.failure_class = wire::FailureClass::kCrash;
    failure.message = "it fell";
    failure.log_tail = "1\n2\n3\n4\n5\n6";
    return failure;
  }

  static wire::CellResult that_took(double seconds) {
    wire::CellResult result;
    result.wall_s = seconds;
    return result;
  }

  // What stands on a terminal of unlimited height after all that was written to it: lines, with the
  // cursor movements that the terminal progress uses.
  std::vector<std::string> screen() const {
    const std::string text = people.str();
    std::vector<std::string> lines(1);
    std::size_t row = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') {
        if (++row == lines.size()) lines.emplace_back();
      } else if (text[i] == '\x1b') {
        const std::size_t end = text.find_first_of("AJ", i);
        if (text[end] == 'A') row -= std::stoul(text.substr(i + 2));
        if (text[end] == 'J') {
          lines.resize(row + 1);
          lines[row].clear();
        }
        i = end;
      } else if (text[i] != '\r') {
        lines[row] += text[i];
      }
    }
    return lines;
  }

  std::ostringstream people, programs;
  bool is_terminal = false;
  int width = 100;
  double now = 100;
  const wire::Cell training = fake_training("t");
  const wire::Cell attack = fake_cell("pgd");
};

TEST(ProgressMode, IsReadFromItsName) {
  EXPECT_EQ(parse_progress_mode("json"), ProgressMode::kJson);
}

TEST(ProgressMode, RefusesAnotherName) {
  EXPECT_THROW(parse_progress_mode("fancy"), UsageError);
}

TEST(DurationText, FitsItsUnitToTheDuration) {
  EXPECT_EQ(duration_text(0.44), "0.4s");
  EXPECT_EQ(duration_text(9.96), "10s");
  EXPECT_EQ(duration_text(185), "3m05s");
  EXPECT_EQ(duration_text(59.6), "1m00s");
  EXPECT_EQ(duration_text(7620), "2h07m");
}

TEST_F(ProgressTest, IsPlainAwayFromATerminal) {
  make(ProgressMode::kAuto)->run_started(outline(1, 2));

  EXPECT_EQ(people.str(), "[0.0s] 3 cells to run, 0 already stored, 1 worker\n");
}

TEST_F(ProgressTest, IsLiveOnATerminal) {
  is_terminal = true;

  make(ProgressMode::kAuto)->run_started(outline(1, 2));

  EXPECT_THAT(people.str(), HasSubstr("0/3 cells"));
}

TEST_F(ProgressTest, PlainSaysWhenACellStartsAndIsDone) {
  const auto progress = make(ProgressMode::kPlain);
  progress->run_started(outline(1, 0));
  people.str("");

  progress->cell_started(0, training, 1);
  now += 12;
  progress->cell_done(0, training, {});

  EXPECT_EQ(people.str(),
            "[0.0s] start  worker 1  train model/data/loss/rk4 seed 0\n"
            "[12s] done   worker 1  train model/data/loss/rk4 seed 0  in 12s (1/1)\n");
}

TEST_F(ProgressTest, PlainShowsAFailureWithTheEndOfItsLog) {
  const auto progress = make(ProgressMode::kPlain);
  progress->run_started(outline(1, 0));
  people.str("");

  progress->cell_failed(0, training, crash(), true);

  EXPECT_EQ(
      people.str(),
      "[0.0s] FAILED worker 1  train model/data/loss/rk4 seed 0: crash: it fell (will be tried "
      "again)\n    | 2\n    | 3\n    | 4\n    | 5\n    | 6\n");
}

TEST_F(ProgressTest, PlainEndsWithTheCounts) {
  const auto progress = make(ProgressMode::kPlain);
  progress->run_started(outline(1, 0));
  people.str("");

  progress->run_finished({.hit = 4, .ran = 2, .failed = 1, .wall_s = 30});

  EXPECT_EQ(people.str(), "[0.0s] 2 done, 4 already stored, 1 failed, in 30s\n");
}

TEST_F(ProgressTest, PlainSaysHowLongWorkersTogetherTook) {
  const auto progress = make(ProgressMode::kPlain);
  progress->run_started(outline(0, 1, 2));

  progress->cell_started(0, attack, 1);
  now += 25;
  progress->cell_joined(1, attack);
  now += 5;
  progress->cell_done(1, attack, that_took(50));

  EXPECT_THAT(people.str(), HasSubstr("  in 30s (1/1)"));
}

TEST_F(ProgressTest, PlainLeavesStandardOutputAlone) {
  const auto progress = make(ProgressMode::kPlain);

  progress->run_started(outline(1, 0));
  progress->run_finished({});

  EXPECT_EQ(programs.str(), "");
}

TEST_F(ProgressTest, TerminalShowsALinePerWorkerAndTheTotals) {
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(1, 2, 2));

  now += 5;
  progress->cell_started(1, training, 1);
  now += 5;
  progress->cell_progress(1, training, 3, 10, "epoch");

  EXPECT_EQ(screen(),
            (std::vector<std::string>{"1 -",
                                      "2 5.0s 3/10 epoch  train model/data/loss/rk4 seed 0",
                                      "0/3 cells, 10s gone",
                                      ""}));
}

TEST_F(ProgressTest, TerminalEstimatesTheTimeLeftFromTheKindsOfCells) {
  // A training took 10 s, an attack 2 s; 3 attacks for 2 workers are left: 3 * 2 / 2 = 3 s.
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(1, 4, 2));

  progress->cell_started(0, training, 1);
  now += 10;
  progress->cell_done(0, training, that_took(10));
  progress->cell_started(0, attack, 1);
  now += 2;
  progress->cell_done(0, attack, that_took(2));

  EXPECT_THAT(screen().at(2), HasSubstr("2/5 cells, 12s gone, about 3.0s left"));
}

TEST_F(ProgressTest, TerminalAdmitsThatAKindOfCellIsUnknown) {
  // One of two trainings took 10 s; how long attacks take is not known.
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(2, 4, 1));

  progress->cell_started(0, training, 1);
  now += 10;
  progress->cell_done(0, training, that_took(10));

  EXPECT_THAT(screen().at(1), HasSubstr("over 10s left"));
}

TEST_F(ProgressTest, ACellInPartsTookWhatItsPartsTook) {
  // Two workers shared 60 s of an attack; the last part, of 5 s, came from the one that ends it.
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(0, 3, 2));

  now += 25;
  progress->cell_joined(1, attack);
  now += 5;
  progress->cell_done(1, attack, that_took(60));

  EXPECT_THAT(screen().at(2), HasSubstr("1/3 cells, 30s gone, about 1m00s left"));
}

TEST_F(ProgressTest, TerminalKeepsFailuresAboveTheLiveLines) {
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(1, 0));

  progress->cell_failed(0, training, crash(), false);
  now += 5;
  progress->tick();

  EXPECT_EQ(screen().front(), "FAILED train model/data/loss/rk4 seed 0: crash: it fell");
  EXPECT_THAT(screen().at(7), HasSubstr("1/1 cells, 1 failed"));
}

TEST_F(ProgressTest, TerminalRedrawsAtMostFiveTimesASecond) {
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(1, 0));
  progress->cell_started(0, training, 1);
  people.str("");

  for (int i = 0; i < 100; ++i) {
    now += 0.01;
    progress->cell_progress(0, training, i, 100, "");
  }

  // 1 s / 0.2 s, with the rounding of a hundred sums of 0.01.
  const std::string text = people.str();
  std::size_t redraws = 0;
  for (std::size_t at = text.find("\x1b[J"); at != std::string::npos;
       at = text.find("\x1b[J", at + 1)) {
    ++redraws;
  }
  EXPECT_LE(redraws, 5U);
  EXPECT_GE(redraws, 4U);
}

TEST_F(ProgressTest, TerminalStaysWithinItsWidth) {
  width = 20;
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(1, 0));

  now += 1;
  progress->cell_started(0, training, 1);

  EXPECT_EQ(screen().at(0), "1 0.0s  train mode~");  // 19: the last column stays free
}

TEST_F(ProgressTest, TerminalLeavesOnlyTheSummaryBehind) {
  const auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(1, 0, 4));

  progress->run_finished({.ran = 1, .wall_s = 3});

  EXPECT_EQ(screen(), (std::vector<std::string>{"1 done, in 3.0s", ""}));
}

TEST_F(ProgressTest, TerminalCleansUpWhenTheRunEndsInAnError) {
  auto progress = make(ProgressMode::kTerminal);
  progress->run_started(outline(1, 0, 4));

  progress.reset();

  EXPECT_EQ(screen(), std::vector<std::string>{""});
}

TEST_F(ProgressTest, JsonIsOneObjectPerLine) {
  const auto progress = make(ProgressMode::kJson);

  progress->run_started(outline(1, 2));
  now += 2;
  progress->cell_failed(0, training, crash(), true);

  std::istringstream lines(programs.str());
  std::string first, second;
  std::getline(lines, first);
  std::getline(lines, second);
  EXPECT_EQ(json::parse(first).at("to_run"), (json{{"train", 1}, {"attack", 2}, {"probe", 0}}));
  EXPECT_EQ(json::parse(second).at("class"), "crash");
  EXPECT_EQ(json::parse(second).at("elapsed_s"), 2);
}

TEST_F(ProgressTest, JsonSurvivesBytesThatAreNotUtf8) {
  const auto progress = make(ProgressMode::kJson);

  progress->notice("bad \xff byte");

  EXPECT_EQ(json::parse(programs.str()).at("text"), "bad \xef\xbf\xbd byte");
}

TEST_F(ProgressTest, NoneIsSilent) {
  const auto progress = make(ProgressMode::kNone);

  progress->run_started(outline(1, 0));
  progress->cell_failed(0, training, crash(), false);
  progress->run_finished({});

  EXPECT_EQ(people.str() + programs.str(), "");
}

// ---- failures of several lines, stops, results that are gone ----

TEST_F(ProgressTest, ShowsAllLinesOfAFailureAndWhereItsLogIs) {
  const auto progress = make(ProgressMode::kPlain);
  progress->run_started(outline(0, 1));
  people.str("");
  wire::CellFailure failure;
  failure.failure_class = wire::FailureClass::kPluginError;
  failure.message = "the shapes do not fit:\n  [1, 3] is what it is\n  [1, 4] is needed";
  failure.log_file = "results/logs/run-3/worker-0.log";

  progress->cell_failed(0, attack, failure, false);

  EXPECT_THAT(people.str(),
              testing::EndsWith("plugin_error: the shapes do not fit:\n"
                                "      [1, 3] is what it is\n"
                                "      [1, 4] is needed\n"
                                "    log: results/logs/run-3/worker-0.log\n"));
}

TEST_F(ProgressTest, SkipsWithTheWholeReasonInOneLine) {
  const auto progress = make(ProgressMode::kPlain);

  progress->cell_skipped(attack, "its training failed (invalid): the loss is NaN:\n  in epoch 3");

  EXPECT_THAT(people.str(), HasSubstr("(invalid): the loss is NaN: in epoch 3\n"));
}

TEST_F(ProgressTest, CallsAStoppedCellStoppedNotFailed) {
  wire::CellFailure stopped;
  stopped.failure_class = wire::FailureClass::kInterrupted;
  stopped.message = "the run was stopped";
  for (const auto mode : {ProgressMode::kPlain, ProgressMode::kTerminal, ProgressMode::kJson}) {
    const auto progress = make(mode);
    progress->run_started(outline(0, 2));
    progress->cell_started(0, attack, 1);

    progress->cell_failed(0, attack, stopped, false);
  }

  EXPECT_THAT(people.str(), Not(HasSubstr("FAILED")));
  EXPECT_THAT(people.str(), Not(HasSubstr("1 failed")));
  EXPECT_THAT(people.str(), HasSubstr("stop   worker 1"));
  EXPECT_THAT(people.str(), HasSubstr("stopped attack pgd"));
  EXPECT_THAT(programs.str(), HasSubstr("\"cell_stopped\""));
  EXPECT_THAT(programs.str(), Not(HasSubstr("\"cell_failed\"")));
}

TEST_F(ProgressTest, CountsACellThatRunsAgain) {
  const auto progress = make(ProgressMode::kTerminal);
  RunOutline ahead = outline(1, 0);
  ahead.hit = 2;
  progress->run_started(ahead);

  progress->cell_again(attack);
  now += 1;
  progress->tick();

  EXPECT_THAT(screen(), testing::Contains(HasSubstr("0/2 cells, 1 already stored")));
}

TEST_F(ProgressTest, TellsOfWhatHappensBeforeTheRun) {
  const auto progress = make(ProgressMode::kPlain);

  progress->notice("reading small.json");

  EXPECT_EQ(people.str(), "[0.0s] reading small.json\n");
}

}  // namespace
}  // namespace unmask::run::progress_test
