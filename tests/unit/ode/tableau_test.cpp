// Tableaus: what makes one inconsistent, and what the driver learns from a consistent one.

#include <limits>
#include <string>
#include <vector>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/solver.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test::tableau_test {
namespace {

using testing::HasSubstr;

Tableau heun() {
  return {.order = 2,
          .controller_order = 2,
          .a = {{1.0}},
          .b = {0.5, 0.5},
          .c = {1.0},
          .error = {-0.5, 0.5},
          .mid = {0.5, 0.0}};
}

std::string violation(const Tableau& t) {
  return tableau_violation(t).value_or("none");
}

TEST(Tableau, AcceptsHeun) {
  EXPECT_EQ(violation(heun()), "none");
}

TEST(Tableau, NamesAWrongSize) {
  Tableau t = heun();
  t.c.push_back(1);
  EXPECT_THAT(violation(t), HasSubstr("a and c need 1 rows"));
  t = heun();
  t.a[0].push_back(0);
  EXPECT_THAT(violation(t), HasSubstr("row 1 of a has 2 entries"));
  t = heun();
  t.error.pop_back();
  EXPECT_THAT(violation(t), HasSubstr("error needs one weight per stage"));
  t = heun();
  t.mid.pop_back();
  EXPECT_THAT(violation(t), HasSubstr("mid needs one weight per stage"));
  t = heun();
  t.b.clear();
  EXPECT_THAT(violation(t), HasSubstr("b is empty"));
}

TEST(Tableau, NamesARowThatMissesItsNode) {
  Tableau t = heun();
  t.a[0][0] = 0.9;
  EXPECT_THAT(violation(t), HasSubstr("row 1 of a sums to 0.9"));
}

TEST(Tableau, NamesTheOrderConditionThatFails) {
  Tableau t = heun();
  t.b = {0.25, 0.5};
  EXPECT_THAT(violation(t), HasSubstr("sum b = 1"));
  t = heun();
  t.b = {0.25, 0.75};
  EXPECT_THAT(violation(t), HasSubstr("sum b c = 1/2"));
  t = heun();
  t.order = 3;
  EXPECT_THAT(violation(t), HasSubstr("condition of order 3"));
}

// Every entry of a and b matters: a change of one of them, together with its node where it is an
// entry of a (so that the row still fits), is found by a condition of order 5 or below.
void expect_every_change_is_found(const Tableau& right) {
  ASSERT_EQ(violation(right), "none");
  for (std::size_t i = 0; i < right.b.size(); ++i) {
    Tableau wrong = right;
    wrong.b[i] += 1e-6;
    EXPECT_THAT(violation(wrong), HasSubstr("condition of order")) << "b " << i;
  }
  for (std::size_t i = 0; i < right.a.size(); ++i) {
    for (std::size_t j = 0; j < right.a[i].size(); ++j) {
      if (right.b[i + 1] == 0) continue;  // the stage does not enter the solution directly
      Tableau wrong = right;
      wrong.a[i][j] += 1e-6;
      EXPECT_THAT(violation(wrong), HasSubstr("row " + std::to_string(i + 1) + " of a sums"));
      wrong.c[i] += 1e-6;
      EXPECT_THAT(violation(wrong), HasSubstr("condition of order")) << "a " << i << " " << j;
    }
  }
}

Tableau rk4_classic() {
  return {.order = 4,
          .a = {{0.5}, {0, 0.5}, {0, 0, 1}},
          .b = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6},
          .c = {0.5, 0.5, 1}};
}

// Nystroem's method of order 5 ([HNW93] II.5).
Tableau nystroem() {
  return {.order = 5,
          .a = {{1.0 / 3},
                {4.0 / 25, 6.0 / 25},
                {1.0 / 4, -3.0, 15.0 / 4},
                {2.0 / 27, 10.0 / 9, -50.0 / 81, 8.0 / 81},
                {2.0 / 25, 12.0 / 25, 2.0 / 15, 8.0 / 75, 0.0}},
          .b = {23.0 / 192, 0, 125.0 / 192, 0, -27.0 / 64, 125.0 / 192},
          .c = {1.0 / 3, 2.0 / 5, 1, 2.0 / 3, 4.0 / 5}};
}

TEST(Tableau, FindsAWrongCoefficientOfOrder4) {
  expect_every_change_is_found(rk4_classic());
}

TEST(Tableau, FindsAWrongCoefficientOfOrder5) {
  expect_every_change_is_found(nystroem());
}

TEST(Tableau, ChecksConditionsOfOrder5) {
  // Nodes 0, 1/2, 1/2, 1: sum b c^4 = (1/3 + 1/3) / 16 + 1/6 = 5/24.
  Tableau t = rk4_classic();
  t.order = 5;
  EXPECT_THAT(violation(t), HasSubstr("condition of order 5 violated: sum b c^4 = 1/5"));
  EXPECT_THAT(violation(t), HasSubstr("0.208333333333333"));
}

TEST(Tableau, NamesWrongWeightsOfErrorAndMiddle) {
  Tableau t = heun();
  t.error = {0.5, 0.5};
  EXPECT_THAT(violation(t), HasSubstr("error weights sum to 1"));
  t = heun();
  t.error = {0, 0};
  EXPECT_THAT(violation(t), HasSubstr("all error weights are 0"));
  t = heun();
  t.mid = {0.5, 0.5};
  EXPECT_THAT(violation(t), HasSubstr("mid weights sum to 1"));
}

TEST(Tableau, WantsControllerOrderAndErrorTogether) {
  Tableau t = heun();
  t.controller_order = 0;
  EXPECT_THAT(violation(t), HasSubstr("go together"));
  t = heun();
  t.error.clear();
  EXPECT_THAT(violation(t), HasSubstr("go together"));
}

TEST(RungeKutta, RefusesAnInconsistentTableau) {
  Tableau t = heun();
  t.b = {1, 1};
  EXPECT_THROW(RungeKutta{t}, PluginError);
}

TEST(RungeKutta, AcceptsTheTableauOfEveryPlugin) {
  for (const char* id : {"euler",
                         "midpoint",
                         "heun2",
                         "heun3",
                         "rk4",
                         "rk4_classic",
                         "adaptive_heun",
                         "fehlberg2",
                         "bosh3",
                         "dopri5",
                         "tsit5",
                         "dopri8"}) {
    EXPECT_NO_THROW(test::make_plugin<Method>("solver", id)) << id;
  }
}

TEST(RungeKutta, RecognisesFirstSameAsLast) {
  EXPECT_TRUE(test::make_plugin<Method>("solver", "tsit5")->traits().is_fsal);
  EXPECT_TRUE(test::make_plugin<Method>("solver", "dopri8")->traits().is_fsal);
  EXPECT_FALSE(test::make_plugin<Method>("solver", "adaptive_heun")->traits().is_fsal);
  EXPECT_FALSE(test::make_plugin<Method>("solver", "fehlberg2")->traits().is_fsal);
  EXPECT_TRUE(test::make_plugin<Method>("solver", "bosh3")->traits().is_fsal);
  EXPECT_TRUE(test::make_plugin<Method>("solver", "dopri5")->traits().is_fsal);
  EXPECT_FALSE(test::make_plugin<Method>("solver", "rk4")->traits().is_fsal);
  EXPECT_FALSE(RungeKutta(heun()).traits().is_fsal);
}

TEST(RungeKutta, CountsEvaluationsPerAttempt) {
  EXPECT_EQ(test::make_plugin<Method>("solver", "adaptive_heun")->traits().stages, 2);
  EXPECT_EQ(test::make_plugin<Method>("solver", "fehlberg2")->traits().stages, 3);
  EXPECT_EQ(test::make_plugin<Method>("solver", "tsit5")->traits().stages, 6);
  EXPECT_EQ(test::make_plugin<Method>("solver", "dopri8")->traits().stages, 13);
  EXPECT_EQ(test::make_plugin<Method>("solver", "bosh3")->traits().stages, 3);
  EXPECT_EQ(test::make_plugin<Method>("solver", "dopri5")->traits().stages, 6);
  EXPECT_EQ(test::make_plugin<Method>("solver", "rk4")->traits().stages, 4);
}

std::vector<double> times_of_a_step(double t0, double h, bool shift_end, at::ScalarType dtype) {
  std::vector<double> times;
  test::FunctionField field(false, [&](const Scalar& t, const State& y) {
    times.push_back(t.value);
    return State{y[0]};
  });
  RungeKutta method(heun());
  const State y0 = {torch::ones({1, 1}, dtype)};
  method.step(field, {{t0, {}}, {h, {}}, {t0 + h, {}}, shift_end}, y0, y0);
  return times;
}

TEST(RungeKutta, ShowsTheEndOfAnAdaptiveStepFromInside) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(times_of_a_step(0, 1, true, at::kDouble).front(), std::nextafter(1.0, -infinity));
  EXPECT_EQ(times_of_a_step(2, -1, true, at::kDouble).front(), std::nextafter(1.0, infinity));
  EXPECT_EQ(times_of_a_step(0, 1, true, at::kFloat).front(),
            static_cast<double>(std::nextafter(1.0F, 0.0F)));
  EXPECT_EQ(times_of_a_step(0, 1, false, at::kDouble).front(), 1.0);
}

TEST(RungeKutta, MakesTimesDifferentiableOnlyForFieldsThatReadThem) {
  const Tensor h = torch::full({}, 0.5, torch::kDouble).requires_grad_(true);
  for (const bool autonomous : {true, false}) {
    bool has_tensor = false;
    test::FunctionField field(autonomous, [&](const Scalar& t, const State& y) {
      has_tensor = t.tensor.defined();
      return State{y[0]};
    });
    RungeKutta method(heun());
    const State y0 = {torch::ones({1, 1}, torch::kDouble)};

    method.step(field, {{0, {}}, {0.5, h}, {0.5, h * 1}, true}, y0, y0);

    EXPECT_EQ(has_tensor, !autonomous);
  }
}

}  // namespace
}  // namespace unmask::test::tableau_test
