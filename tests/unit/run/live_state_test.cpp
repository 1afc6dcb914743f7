// What a run leaves for those who watch.

#include "run/live_state.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "run_fixture.hpp"

namespace unmask::run::live_state_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(NumbersOfANote, AreReadByName) {
  EXPECT_THAT(numbers_of("loss 0.312, accuracy 90.5 %"),
              ElementsAre(Pair("loss", 0.312), Pair("accuracy", 0.905)));
  EXPECT_THAT(numbers_of("robust loss 1e-3"), ElementsAre(Pair("robust loss", 0.001)));
}

TEST(NumbersOfANote, LeaveOutEverythingElse) {
  for (const char* note : {"", "epoch", "0.5", "loss of 3 things", "loss 0.3x", ",,", "%", " %"}) {
    EXPECT_THAT(numbers_of(note), IsEmpty()) << note;
  }
  EXPECT_THAT(numbers_of("warming up, loss 2"), ElementsAre(Pair("loss", 2)));
}

class LiveStateTest : public ::testing::Test {
 protected:
  LiveStateTest() {
    ProgressOutput output;
    output.people = &people_;
    inner_ = make_progress(ProgressMode::kPlain, output);
    live_ = make_live_progress(*inner_, file_);
  }

  // The file as it is at the end of an event that is always written.
  LiveState now() {
    live_->run_started({});
    return read_live_state(file_).value();
  }

  base::TempFolder folder_;
  std::filesystem::path file_ = live_file(folder_.path() / "run-1");
  std::ostringstream people_;
  std::unique_ptr<Progress> inner_, live_;
  const wire::Cell training_ = fake_training("t");
};

TEST_F(LiveStateTest, SaysHowFarEachWorkerIs) {
  live_->worker_started(1, 4711, "cpu");
  live_->cell_started(1, training_, 2);
  live_->cell_progress(1, training_, 3, 12, "loss 0.5, accuracy 50 %");

  const LiveState state = now();

  ASSERT_EQ(state.workers.size(), 1U);
  const LiveWorker& worker = state.workers[0];
  EXPECT_EQ(worker.worker, 2);
  EXPECT_EQ(worker.pid, 4711);
  EXPECT_EQ(worker.key, "t");
  EXPECT_EQ(worker.attempt, 2);
  EXPECT_EQ(worker.done, 3);
  EXPECT_EQ(worker.total, 12);
  EXPECT_EQ(worker.note, "loss 0.5, accuracy 50 %");
  ASSERT_EQ(state.curves.size(), 2U);
  EXPECT_EQ(state.curves[0].name, "loss");
  EXPECT_THAT(state.curves[0].points, ElementsAre(Pair(0.25, 0.5)));
  EXPECT_THAT(state.curves[1].points, ElementsAre(Pair(0.25, 0.5)));
}

TEST_F(LiveStateTest, PassesEveryEventOn) {
  live_->run_started({});
  live_->cell_started(0, training_, 1);
  live_->notice("a word");

  EXPECT_THAT(people_.str(), HasSubstr("start"));
  EXPECT_THAT(people_.str(), HasSubstr("a word"));
  EXPECT_THAT(now().notices, ElementsAre("a word"));

  // As one event, not one by one: reporters have a word for all.
  live_->cells_skipped({&training_, &training_}, "because");
  EXPECT_THAT(people_.str(), HasSubstr("skip   2 cells: because"));
}

TEST_F(LiveStateTest, ForgetsACellThatHasEnded) {
  live_->cell_started(0, training_, 1);
  live_->cell_progress(0, training_, 1, 2, "loss 1");
  live_->cell_done(0, training_, {});

  const LiveState state = now();

  EXPECT_EQ(state.workers.at(0).key, "");
  EXPECT_THAT(state.curves, IsEmpty());
}

TEST_F(LiveStateTest, SaysHowLongTheRestTakes) {
  RunOutline outline;
  outline.workers = 1;
  outline.to_run = {3, 0, 0};
  live_->run_started(outline);
  EXPECT_EQ(read_live_state(file_).value().time_left, "");

  wire::CellResult result;
  result.wall_s = 10;
  live_->cell_started(0, training_, 1);
  live_->cell_done(0, training_, result);
  live_->run_finished({});  // always written

  EXPECT_EQ(read_live_state(file_).value().time_left, "about 20s");
}

TEST_F(LiveStateTest, KeepsTheShapeOfALongCurve) {
  live_->cell_started(0, training_, 1);
  for (int i = 1; i <= 5000; ++i) {
    live_->cell_progress(0, training_, i, 5000, "loss " + std::to_string(i));
  }

  const LiveState state = now();

  ASSERT_EQ(state.curves.size(), 1U);
  const auto& points = state.curves[0].points;
  EXPECT_LE(points.size(), 400U);
  EXPECT_GE(points.size(), 200U);
  EXPECT_THAT(points.back(), Pair(1.0, 5000.0));
  for (std::size_t i = 1; i < points.size(); ++i) EXPECT_LT(points[i - 1].first, points[i].first);
}

TEST_F(LiveStateTest, KeepsTheLastNotices) {
  for (int i = 0; i < 50; ++i) live_->notice("n" + std::to_string(i));

  const LiveState state = now();

  EXPECT_EQ(state.notices.size(), 20U);
  EXPECT_EQ(state.notices.back(), "n49");
}

TEST_F(LiveStateTest, SaysThatTheRunHasEnded) {
  live_->worker_started(0, 1, "cpu");
  live_->run_finished({});

  const LiveState state = read_live_state(file_).value();

  EXPECT_TRUE(state.has_ended);
  EXPECT_THAT(state.workers, IsEmpty());
}

TEST_F(LiveStateTest, OfAnotherKindIsNone) {
  EXPECT_FALSE(read_live_state(folder_.path() / "missing"));
  for (const char* text :
       {"", "{", "[]", "{}", "null", R"({"version": 2})", R"({"version": 1, "workers": 3})"}) {
    std::ofstream(folder_.path() / "x") << text;
    EXPECT_FALSE(read_live_state(folder_.path() / "x")) << text;
  }
}

TEST_F(LiveStateTest, ThatCannotBeWrittenIsToldOnce) {
  std::ofstream(folder_.path() / "file") << "no folder";
  const auto live = make_live_progress(*inner_, folder_.path() / "file" / "live.json");

  live->run_started({});
  live->run_started({});

  const std::string told = people_.str();
  EXPECT_THAT(told, HasSubstr("cannot be written"));
  EXPECT_EQ(told.find("cannot be written"), told.rfind("cannot be written"));
}

}  // namespace
}  // namespace unmask::run::live_state_test
