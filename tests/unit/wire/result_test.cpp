#include "wire/result.hpp"

#include <cmath>

#include <gtest/gtest.h>

namespace unmask::wire::result_test {
namespace {

CellResult full_result() {
  CellResult r;
  r.metrics = {
      {"a", 0.25, 4}, {"b", std::nan(""), std::nullopt, "a solve failed"}, {"c", -HUGE_VAL, 1}};
  r.outcomes = {{0, 1, 1, 2, 0.03, 17, 34}, {1, 0, 0, -1, 0, 5, 5, false}};
  r.sample_metrics = {{3, "norm", HUGE_VAL}};
  r.series = {{"loss", {1.5, 0.5}}};
  SolveStats s;
  s.phase = "evaluate";
  s.solve = "conv1";
  s.nfe_total = 14;
  s.worst_status = "ok";
  s.step_min = 0.25;
  r.solve_stats = {s};
  r.counters = {1, 2, 3};
  r.checkpoint = CheckpointFile{"ab", 12, "ab/ab.safetensors"};
  r.norm = "l2";
  r.remarks = {"attack x changed the rounding mode"};
  r.device = "cpu";
  r.wall_s = 1.5;
  r.peak_bytes = 99;
  r.device_peak_bytes = 77;
  r.seeds = {{"init", "42"}};
  return r;
}

TEST(CellResult, SurvivesTheWayThroughAFrame) {
  const nlohmann::json sent = full_result();

  const auto received = nlohmann::json::parse(sent.dump()).get<CellResult>();

  EXPECT_EQ(nlohmann::json(received).dump(), sent.dump());
  EXPECT_TRUE(std::isnan(received.metrics[1].value));
  EXPECT_EQ(received.metrics[2].value, -HUGE_VAL);
  EXPECT_EQ(received.metrics[1].reason, "a solve failed");
  EXPECT_TRUE(received.metrics[0].reason.empty());
  EXPECT_EQ(received.outcomes[0].queries, 17);
  EXPECT_EQ(received.outcomes[0].passes, 34);
  EXPECT_TRUE(received.outcomes[0].is_decided);
  EXPECT_FALSE(received.outcomes[1].is_decided);
  EXPECT_EQ(received.outcomes[1].prediction, -1);
  EXPECT_EQ(received.norm, "l2");
  EXPECT_EQ(received.remarks, full_result().remarks);
  EXPECT_EQ(received.sample_metrics[0].value, HUGE_VAL);
}

TEST(CellResult, WithoutACheckpointHasNone) {
  CellResult r = full_result();
  r.checkpoint.reset();

  EXPECT_FALSE(nlohmann::json(r).get<CellResult>().checkpoint.has_value());
}

TEST(CellResult, RefusesAMissingPart) {
  nlohmann::json broken = full_result();
  broken.erase("counters");

  EXPECT_THROW(broken.get<CellResult>(), nlohmann::json::exception);
}

}  // namespace
}  // namespace unmask::wire::result_test
