// The recorded way of an attack, on linear classifiers where every step is known.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::trace_test {
namespace {

struct Traced {
  Tensor points;
  std::map<std::pair<std::string, std::int64_t>, Tensor> series;  // by name and row

  const Tensor& of(const std::string& name, std::int64_t row = 0) const {
    return series.at({name, row});
  }
};

Traced traced(const std::string& id,
              const Values& values,
              Target& target,
              const Tensor& x,
              const Tensor& y,
              double epsilon) {
  const auto instance = make_plugin<Attack>("attack", id, values);
  AttackContext context = context_for(x);
  Traced result{instance->perturb(target, x, y, {instance->norm(), epsilon, 0, 1}, context), {}};
  for (const RecordedSeries& curve : context.series) {
    EXPECT_TRUE(curve.row.has_value()) << curve.name;
    result.series[{curve.name, curve.row.value_or(-1)}] = curve.values;
  }
  return result;
}

Values pgd_steps(const char* keep) {
  return {{"steps", std::int64_t{11}},
          {"step_size", 0.003},
          {"random_start", false},
          {"loss", std::string("margin")},
          {"keep", std::string(keep)},
          {"trace", std::int64_t{5}}};
}

// Each step moves the margin by 0.003 ||u||_1; the eleventh is cut at 0.031.
TEST(Trace, RecordsEveryStepOfPgd) {
  const Binary problem(6.0);
  for (const char* keep : {"best", "last"}) {
    LinearTarget target = problem.target();

    const Traced way = traced("pgd", pgd_steps(keep), target, problem.x, problem.y, 0.031);

    // The last point of "last" is returned unseen.
    const std::int64_t seen = std::string(keep) == "best" ? 12 : 11;
    ASSERT_EQ(way.of("trace_margin").size(0), seen) << keep;
    ASSERT_EQ(way.of("trace_loss").size(0), seen) << keep;
    ASSERT_EQ(way.of("trace_distance").size(0), seen) << keep;
    for (std::int64_t k = 0; k < seen; ++k) {
      const double moved = std::min(0.003 * static_cast<double>(k), 0.031);
      // The projection leaves up to one part in 10^7 of the radius.
      const double margin = -(6.0 - moved * problem.l1);
      EXPECT_NEAR(way.of("trace_distance")[k].item<double>(), moved, 1e-8) << keep << k;
      EXPECT_NEAR(way.of("trace_margin")[k].item<double>(), margin, 1e-7) << keep << k;
      EXPECT_NEAR(way.of("trace_loss")[k].item<double>(), margin, 1e-7) << keep << k;
    }
  }
}

// A fooled sample leaves at its first success: the trace ends there.
TEST(Trace, EndsWhereASampleIsFooled) {
  const Binary problem(0.01);
  LinearTarget target = problem.target();

  const Traced way = traced("pgd", pgd_steps("best"), target, problem.x, problem.y, 0.031);

  // 0.01 / 0.003 / ||u||_1 < 1: the first step fools.
  ASSERT_GT(0.003 * problem.l1, 0.01);
  ASSERT_EQ(way.of("trace_margin").size(0), 2);
  EXPECT_LT(way.of("trace_margin")[0].item<double>(), 0);
  EXPECT_GT(way.of("trace_margin")[1].item<double>(), 0);
}

TEST(Trace, RecordsTheStartAndEveryStepOfApgd) {
  const Binary problem(6.0);
  LinearTarget target = problem.target();
  const Values values = {
      {"steps", std::int64_t{20}}, {"loss", std::string("ce")}, {"trace", std::int64_t{1}}};

  const Traced way = traced("apgd", values, target, problem.x, problem.y, 0.03);

  // The first step, of twice epsilon, reaches the corner [CH20a].
  ASSERT_EQ(way.of("trace_margin").size(0), 21);
  const double margin = -(6.0 - 0.03 * problem.l1);
  EXPECT_NEAR(way.of("trace_margin")[1].item<double>(), margin, 1e-7);
  EXPECT_NEAR(way.of("trace_loss")[1].item<double>(), std::log1p(std::exp(margin)), 1e-7);
  EXPECT_NEAR(way.of("trace_distance")[1].item<double>(), 0.03, 1e-8);
  EXPECT_EQ(target.forward_passes(), 21);
}

// Where samples influence each other nobody leaves, and only the first ones are traced.
TEST(Trace, ChangesNothingAndKeepsToTheFirstSamples) {
  const ManyClasses problem;
  for (const char* id : {"pgd", "apgd"}) {
    for (const double coupling : {0.0, 0.1}) {
      LinearTarget plain = problem.target();
      LinearTarget watched = problem.target();
      plain.coupled(coupling);
      watched.coupled(coupling);
      const Values values = {{"steps", std::int64_t{10}}};
      Values with_trace = values;
      with_trace["trace"] = std::int64_t{2};

      const Tensor points = attack(id, values, plain, problem.x, problem.y, 0.01);
      const Traced way = traced(id, with_trace, watched, problem.x, problem.y, 0.01);

      EXPECT_TRUE(at::equal(points, way.points)) << id;
      EXPECT_EQ(plain.forward_passes(), watched.forward_passes()) << id;
      EXPECT_EQ(plain.backwards(), watched.backwards()) << id;
      EXPECT_EQ(way.series.size(), 6u) << id;
      EXPECT_EQ(way.of("trace_loss", 1).size(0), 11) << id;
    }
  }
}

}  // namespace
}  // namespace unmask::test::trace_test
