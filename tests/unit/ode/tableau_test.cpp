// Tableaus: what makes one inconsistent, and what the driver learns from a consistent one.

#include <limits>
#include <string>
#include <vector>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/ode_fields.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/solver.hpp"

namespace {

using namespace unmask;
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

TEST(RungeKutta, RecognisesFirstSameAsLast) {
  EXPECT_TRUE(test::make_plugin<Method>("solver", "bosh3")->traits().is_fsal);
  EXPECT_TRUE(test::make_plugin<Method>("solver", "dopri5")->traits().is_fsal);
  EXPECT_FALSE(test::make_plugin<Method>("solver", "rk4")->traits().is_fsal);
  EXPECT_FALSE(RungeKutta(heun()).traits().is_fsal);
}

TEST(RungeKutta, CountsEvaluationsPerAttempt) {
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
