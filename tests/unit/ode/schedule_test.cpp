// Recorded steps: what a replay reproduces, what the file keeps, and what is refused.

#include "ode/schedule.hpp"

#include <fstream>
#include <memory>
#include <string>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "ode/driver.hpp"
#include "ode/session.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::schedule_test {
namespace {

using namespace unmask::ode;
using testing::HasSubstr;

DriverOptions adaptive(Control control, EndRule end) {
  DriverOptions o;
  o.is_adaptive = true;
  o.rtol = 1e-3;
  o.atol = 1e-3;
  o.control = control;
  o.end = end;
  return o;
}

DriverOptions replaying(DriverOptions options, const Schedule& schedule) {
  options.controller = ControllerKind::kReplay;
  options.schedule = std::make_shared<const Schedule>(schedule);
  return options;
}

State rows() {
  return {torch::tensor({{0.5, -0.2, 1.0}, {-1.0, 0.7, 0.1}, {3.0, -4.0, 2.0}}, torch::kDouble)};
}

TEST(Replay, ReproducesTheSolveBitByBitWithoutReading) {
  for (const char* id : {"adaptive_heun", "bosh3", "dopri5", "dopri8"}) {
    for (const Control control : {Control::kBatch, Control::kSample}) {
      for (const EndRule end : {EndRule::kInterpolate, EndRule::kClamp}) {
        auto field = test::small_mlp();
        const auto m = test::make_plugin<Method>("solver", id);
        const DriverOptions options = adaptive(control, end);
        const SolveResult recorded = solve(*m, options, field, rows(), {0, 1});

        const SolveResult again =
            solve(*m, replaying(options, recorded.schedule), field, rows(), {0, 1});

        EXPECT_TRUE(torch::equal(again.state[0], recorded.state[0])) << id;
        EXPECT_EQ(again.statistics.host_reads, 0) << id;
        EXPECT_EQ(again.statistics.rejected, 0) << id;
        EXPECT_EQ(again.statistics.accepted, recorded.statistics.accepted) << id;
      }
    }
  }
}

TEST(Replay, KeepsSamplesApartUnderBatchControlToo) {
  auto field = test::small_mlp();
  const auto m = test::make_plugin<Method>("solver", "dopri5");
  const DriverOptions options = adaptive(Control::kBatch, EndRule::kInterpolate);
  const SolveResult recorded = solve(*m, options, field, rows(), {0, 1});
  const DriverOptions replay = replaying(options, recorded.schedule);

  State changed = {rows()[0].clone()};
  changed[0][2].mul_(5);
  const SolveResult other = solve(*m, replay, field, changed, {0, 1});

  EXPECT_TRUE(
      torch::allclose(other.state[0].narrow(0, 0, 2), recorded.state[0].narrow(0, 0, 2), 0, 1e-15));
}

TEST(Replay, RefusesAScheduleOfAnotherSolve) {
  auto field = test::small_mlp();
  const auto m = test::make_plugin<Method>("solver", "dopri5");
  const DriverOptions options = adaptive(Control::kSample, EndRule::kClamp);
  const Schedule schedule = solve(*m, options, field, rows(), {0, 1}).schedule;
  const auto refusal = [&](const DriverOptions& o, const State& y0, double t1) -> std::string {
    try {
      solve(*m, replaying(o, schedule), field, y0, {0, t1});
    } catch (const NumericError& error) {
      return error.what();
    }
    return "accepted";
  };

  EXPECT_THAT(refusal(options, rows(), 2), HasSubstr("to 1, this solve from 0 to 2"));
  EXPECT_THAT(refusal(options, {rows()[0].narrow(0, 0, 2)}, 1), HasSubstr("3 samples"));
  EXPECT_THAT(refusal(adaptive(Control::kBatch, EndRule::kClamp), rows(), 1),
              HasSubstr("another control"));
  EXPECT_EQ(refusal(options, rows(), 1), "accepted");
}

TEST(Schedules, OfSomeRowsAreThoseOfTheirSamples) {
  auto field = test::small_mlp();
  const auto m = test::make_plugin<Method>("solver", "dopri5");
  const DriverOptions options = adaptive(Control::kSample, EndRule::kClamp);
  const SolveResult recorded = solve(*m, options, field, rows(), {0, 1});
  const Tensor index = torch::tensor({2, 0}, torch::kLong);

  const SolveResult part = solve(*m,
                                 replaying(options, recorded.schedule.rows({2, 0})),
                                 field,
                                 {rows()[0].index_select(0, index)},
                                 {0, 1});

  // A matrix product of two rows may round otherwise than one of three.
  EXPECT_TRUE(torch::allclose(part.state[0], recorded.state[0].index_select(0, index), 0, 1e-14));
}

TEST(Schedules, SurviveAFileBitByBit) {
  auto field = test::small_mlp();
  const auto m = test::make_plugin<Method>("solver", "dopri5");
  ScheduleBook book;
  for (const Control control : {Control::kBatch, Control::kSample}) {
    const DriverOptions options = adaptive(control, EndRule::kInterpolate);
    book[control == Control::kBatch ? "conv1" : "layer2.0"] =
        solve(*m, options, field, rows(), {0, 1}).schedule;
  }
  const base::TempFolder folder("unmask-schedules-");
  const auto file = folder.path() / "clean.json";

  save_schedules(book, file);
  const ScheduleBook read = load_schedules(file);

  ASSERT_EQ(read.size(), book.size());
  for (const auto& [name, schedule] : book) {
    const Schedule& other = read.at(name);
    EXPECT_EQ(other.control, schedule.control);
    EXPECT_EQ(other.end, schedule.end);
    EXPECT_EQ(other.t0, schedule.t0);
    EXPECT_EQ(other.t1, schedule.t1);
    ASSERT_EQ(other.lanes.size(), schedule.lanes.size());
    for (std::size_t i = 0; i < schedule.lanes.size(); ++i) {
      EXPECT_EQ(other.lanes[i].begin, schedule.lanes[i].begin);
      EXPECT_EQ(other.lanes[i].size, schedule.lanes[i].size);
      EXPECT_EQ(other.lanes[i].end, schedule.lanes[i].end);
    }
  }
}

TEST(Schedules, ThatAreBrokenAreRefusedWithTheirPlace) {
  const base::TempFolder folder("unmask-schedules-");
  const auto refusal = [&](const std::string& text) -> std::string {
    const auto file = folder.path() / "broken.json";
    std::ofstream(file) << text;
    try {
      load_schedules(file);
    } catch (const DataError& error) {
      return error.what();
    }
    return "accepted";
  };
  const auto with_lane = [](const std::string& lane) {
    return R"({"format": "unmask-schedules/1", "solves": {"conv1": {"control": "batch",
              "end": "clamp", "t0": 0, "t1": 1, "lanes": [)" +
           lane + "]}}}";
  };

  EXPECT_THAT(refusal("{"), HasSubstr("broken.json"));
  EXPECT_THAT(refusal(R"({"format": "other", "solves": {}})"), HasSubstr("\"other\""));
  EXPECT_THAT(refusal(std::string(1'000'000, '[')), HasSubstr("nested deeper than 200"));
  EXPECT_THAT(refusal(with_lane("")), HasSubstr("solve \"conv1\""));
  EXPECT_THAT(refusal(with_lane(R"({"begin": [0], "size": [1], "end": []})")),
              HasSubstr("equally many"));
  EXPECT_THAT(refusal(with_lane(R"({"begin": [0], "size": [0.5], "end": [0.5]})")),
              HasSubstr("from t0 to t1"));
  EXPECT_THAT(refusal(with_lane(R"({"begin": [0, 0.6], "size": [0.5, 0.4], "end": [0.5, 1]})")),
              HasSubstr("does not begin where"));
  EXPECT_EQ(refusal(with_lane(R"({"begin": [0, 0.5], "size": [0.5, 0.5], "end": [0.5, 1]})")),
            "accepted");
  EXPECT_THROW(load_schedules(folder.path() / "nothing.json"), DataError);
}

TEST(Session, RecordsAndFollowsSchedules) {
  DriverOptions options = adaptive(Control::kBatch, EndRule::kClamp);
  options.controller = ControllerKind::kReplay;
  Session session(test::make_plugin<Method>("solver", "dopri5"), options);
  auto field = test::small_mlp();

  session.record_schedules();
  const State clean = session.integrate("conv1", test::borrowed(field), rows(), 0, 1);
  const ScheduleBook book = session.schedules();
  session.set_schedules(book);
  const State again = session.integrate("conv1", test::borrowed(field), rows(), 0, 1);

  EXPECT_EQ(book.size(), 1U);
  EXPECT_TRUE(torch::equal(clean[0], again[0]));
  EXPECT_THROW(session.integrate("conv2", test::borrowed(field), rows(), 0, 1), NumericError);
}

}  // namespace
}  // namespace unmask::test::schedule_test
