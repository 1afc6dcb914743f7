// Cells that are executed in parts, by workers without LibTorch.

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/divided_cells.hpp"
#include "run_fixture.hpp"
#include "support/fake_part.hpp"

namespace unmask::run::parts_test {
namespace {

using nlohmann::json;
using test::fake_part;
using testing::ElementsAre;
using testing::HasSubstr;
using Events = std::vector<std::string>;

constexpr std::int64_t kTotal = 23;
constexpr std::int64_t kUnit = 4;

class PartsTest : public RunTest {
 protected:
  PartsTest() { options.part_s = 0.04; }  // one unit of a fake part's samples: see fake_part()

  json in_parts() const {
    return {{"do", "parts"}, {"samples", kTotal}, {"unit", kUnit}, {"log", marker("log")}};
  }

  // What workers were told, in order of their telling: "0+4".
  std::vector<std::string> orders() const {
    std::ifstream log(marker("log"));
    std::vector<std::string> lines;
    for (std::string line; std::getline(log, line);) lines.push_back(line);
    return lines;
  }

  // Bit by bit what a worker gives that does all of it at once.
  void expect_undisturbed(const wire::CellResult& result) const {
    const wire::CellPart whole = fake_part(0, kTotal, kTotal, kUnit);
    json expected = wire::put_together(std::span(&whole, 1));
    json got = result;
    for (json* j : {&expected, &got}) j->erase("wall_s");
    EXPECT_EQ(got, expected);
  }
};

TEST_F(PartsTest, ACellInPartsGivesWhatAWholeOneGives) {
  const RunSummary summary = run({fake_cell("a", in_parts())});

  EXPECT_TRUE(summary.is_complete());
  EXPECT_EQ(recorder.events, (Events{"start a", "done a"}));
  EXPECT_THAT(orders(), ElementsAre("0+4", "4+4", "8+4", "12+4", "16+4", "20+3"));
  expect_undisturbed(recorder.results.at("a"));
}

TEST_F(PartsTest, WithoutALengthOfPartsACellRunsWhole) {
  options.part_s = 0;

  run({fake_cell("a", in_parts())});

  EXPECT_THAT(orders(), ElementsAre("0+23"));
}

TEST_F(PartsTest, WhatACrashedWorkerHasDoneIsNotDoneAgain) {
  json spec = in_parts();
  spec.update({{"die_at", 9}, {"marker", marker("died")}});

  const RunSummary summary = run({fake_cell("a", spec)});

  EXPECT_TRUE(summary.is_complete());
  EXPECT_EQ(recorder.events, (Events{"start a", "crash a", "start a", "done a"}));
  EXPECT_THAT(orders(), ElementsAre("0+4", "4+4", "8+4", "8+4", "12+4", "16+4", "20+3"));
  expect_undisturbed(recorder.results.at("a"));
}

TEST_F(PartsTest, WorkersWithoutACellOfTheirOwnShareOne) {
  options.workers = 2;
  json spec = in_parts();
  spec["meet"] = folder.path().string();

  const RunSummary summary = run({fake_cell("a", spec)});

  EXPECT_TRUE(summary.is_complete());
  EXPECT_EQ(recorder.events, (Events{"start a", "done a"})) << "it is one attempt";
  std::vector<std::string> all = orders();
  std::sort(all.begin(), all.end());
  EXPECT_THAT(all, ElementsAre("0+4", "12+4", "16+4", "20+3", "4+4", "8+4"));
  expect_undisturbed(recorder.results.at("a"));
}

// What an earlier run has stored.
class Resumed : public MemoryRecorder {
 public:
  std::map<std::string, wire::StoredParts> stored_parts() override {
    wire::StoredParts parts{kTotal, kUnit, {}, 0.08};
    for (const std::int64_t first : {std::int64_t{0}, std::int64_t{12}}) {
      parts.spans.push_back({first, kUnit});
      part_done(fake_cell("a"), fake_part(first, kUnit, kTotal, kUnit));
    }
    return {{"a", parts}};
  }
};

TEST_F(PartsTest, StoredPartsAreNotExecutedAgain) {
  Resumed resumed;
  const auto progress = make_progress(ProgressMode::kNone);

  run_cells({fake_cell("a", in_parts())}, done, options, resumed, *progress);

  EXPECT_THAT(orders(), ElementsAre("4+4", "8+4", "16+4", "20+3"));
  expect_undisturbed(resumed.results.at("a"));
}

TEST_F(PartsTest, ImagesThatAreKeptComeFromAWholeCell) {
  Resumed resumed;
  const auto progress = make_progress(ProgressMode::kNone);
  wire::Cell cell = fake_cell("a", in_parts());
  cell.keeps_adversarials = true;
  options.part_s = 0;

  run_cells({cell}, done, options, resumed, *progress);

  EXPECT_THAT(orders(), ElementsAre("0+23"));
}

class StopAfterAPart : public MemoryRecorder {
 public:
  explicit StopAfterAPart(std::function<void()> stop) : stop_(std::move(stop)) {}
  void part_done(const wire::Cell& cell, const wire::CellPart& part) override {
    MemoryRecorder::part_done(cell, part);
    if (++n_ == 2) stop_();
  }

 private:
  std::function<void()> stop_;
  int n_ = 0;
};

TEST_F(PartsTest, ADrainedRunEndsAtTheNextPart) {
  StopRequest stop;
  options.stop = &stop;
  StopAfterAPart stopped([&] { stop.escalate(); });
  const auto progress = make_progress(ProgressMode::kNone);

  const RunSummary summary =
      run_cells({fake_cell("a", in_parts())}, done, options, stopped, *progress);

  EXPECT_EQ(summary.interrupted, 1U);
  EXPECT_EQ(stopped.events, (Events{"start a", "interrupted a"}));
  EXPECT_THAT(stopped.failures.at(0).failure.message, HasSubstr("is kept"));
  EXPECT_LE(orders().size(), 3U);
}

// ---- which part is next ----

class DividedTest : public testing::Test {
 protected:
  DividedTest() : plan{fake_cell("a"), fake_cell("b")}, cells(plan, {}, 10) {}

  // Worker 0 has done samples 0 .. 99 of 1,000 in some seconds.
  void begin(double seconds) {
    cells.take(0, 0, 1);
    wire::CellPart part;
    part.span = {0, 100};
    part.total = 1000;
    part.unit = 10;
    part.found.wall_s = seconds;
    cells.add(0, 0, part);
  }

  std::vector<wire::Cell> plan;
  DividedCells cells;
};

TEST_F(DividedTest, TheFirstPartIsATimeTheNextOnesAreSamples) {
  const wire::PartOrder first = cells.take(0, 0, 1);
  EXPECT_EQ(first.first, 0);
  EXPECT_EQ(first.count, std::nullopt);
  EXPECT_EQ(first.seconds, 10);

  begin(5);
  const wire::PartOrder next = cells.take(0, 0, 1);

  EXPECT_EQ(next.first, 100);
  EXPECT_EQ(next.count, 200) << "that long ten seconds are at 20 samples a second";
  EXPECT_EQ(next.seconds, std::nullopt);
}

TEST_F(DividedTest, TheEndIsSharedEvenly) {
  begin(0.1);

  EXPECT_EQ(cells.take(0, 0, 3).count, 300);
  EXPECT_EQ(cells.take(0, 1, 3).first, 400);
}

TEST_F(DividedTest, WhatAWorkerLosesIsOpenAgain) {
  begin(5);
  cells.take(0, 0, 1);
  EXPECT_EQ(cells.take(0, 1, 1).first, 300);
  EXPECT_EQ(cells.open_parts([](auto) { return true; }), 3U);

  cells.release(0);

  EXPECT_EQ(cells.take(0, 2, 1).first, 100);
}

TEST_F(DividedTest, OnlyWhatSomebodyWorksAtIsShared) {
  begin(5);
  const auto all = [](std::size_t) { return true; };
  EXPECT_EQ(cells.shareable(all), std::nullopt);

  cells.take(0, 0, 1);

  EXPECT_EQ(cells.shareable(all), 0U);
  EXPECT_EQ(cells.shareable([](auto) { return false; }), std::nullopt);
}

TEST_F(DividedTest, AnotherPartThanTheOrderedOneIsRefused) {
  begin(5);
  cells.take(0, 0, 1);
  wire::CellPart part;
  part.total = 1000;
  part.unit = 10;
  part.span = {100, 200};
  EXPECT_EQ(cells.complaint(0, 0, part), std::nullopt);

  part.span = {200, 200};

  EXPECT_NE(cells.complaint(0, 0, part), std::nullopt);
}

}  // namespace
}  // namespace unmask::run::parts_test
