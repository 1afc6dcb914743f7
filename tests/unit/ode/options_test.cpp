// Driver options from the declared tables: what is read, and which contradictions are refused.

#include "ode/options.hpp"

#include <map>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "catalog/host_options.hpp"
#include "unmask/errors.hpp"

namespace unmask::test::options_test {
namespace {

using namespace unmask::ode;
using testing::HasSubstr;

const MethodTraits kAdaptive{.order = 5,
                             .controller_order = 5,
                             .stages = 6,
                             .is_adaptive = true,
                             .is_fsal = true,
                             .has_midpoint = true};
const MethodTraits kFixed{.order = 4, .stages = 4};

using Given = std::map<std::string, ParamValue>;

Params table(bool is_adaptive, const Given& given) {
  const std::set<std::string> capabilities =
      is_adaptive ? std::set<std::string>{"adaptive"} : std::set<std::string>{};
  return {catalog::host_options("solver", capabilities), given};
}

DriverOptions adaptive(const Given& given) {
  return DriverOptions::from(table(true, given), kAdaptive);
}

std::string refusal(const Given& given, const MethodTraits& traits = kAdaptive) {
  try {
    DriverOptions::from(table(true, given), traits);
  } catch (const ParamError& error) {
    return error.what();
  }
  return "accepted";
}

std::string refusal_of_traits(const MethodTraits& traits) {
  try {
    DriverOptions::from(table(traits.is_adaptive, {}), traits);
  } catch (const PluginError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(DriverOptions, RefuseTraitsThatNoMethodHas) {
  EXPECT_EQ(refusal_of_traits(kFixed), "accepted");
  EXPECT_THAT(refusal_of_traits({.stages = 4}), HasSubstr("order = 0; it is at least 1"));
  EXPECT_THAT(refusal_of_traits({.order = 4, .stages = -1}), HasSubstr("stages = -1"));
  // As a size it would be without bound.
  EXPECT_THAT(refusal_of_traits({.order = 4, .stages = 4, .history = -1}),
              HasSubstr("history = -1; it is at least 0"));
  EXPECT_THAT(refusal_of_traits({.order = 4, .stages = 4, .is_adaptive = true}),
              HasSubstr("controller_order = 0; it is at least 1"));
  EXPECT_THAT(refusal_of_traits({.order = 4, .legacy_controller_order = -2}),
              HasSubstr("legacy_controller_order = -2"));
}

TEST(DriverOptions, HaveTheDefaultsOfTheTable) {
  const DriverOptions read = adaptive({});
  DriverOptions expected;
  EXPECT_TRUE(read.is_adaptive);
  EXPECT_EQ(read.rtol, expected.rtol);
  EXPECT_EQ(read.atol, expected.atol);
  EXPECT_EQ(read.controller, expected.controller);
  EXPECT_EQ(read.end, expected.end);
  EXPECT_EQ(read.step_gradient, expected.step_gradient);
  EXPECT_EQ(read.first_step, expected.first_step);
  EXPECT_EQ(read.min_step, expected.min_step);
  EXPECT_EQ(read.max_step, expected.max_step);
  EXPECT_EQ(read.max_attempts, expected.max_attempts);
  EXPECT_EQ(read.safety, expected.safety);
  EXPECT_EQ(read.max_growth, expected.max_growth);
  EXPECT_EQ(read.min_growth, expected.min_growth);
}

TEST(DriverOptions, AreReadByName) {
  const DriverOptions o = adaptive({{"rtol", 0.1},
                                    {"atol", 0.2},
                                    {"controller", std::string("constant")},
                                    {"end", std::string("clamp")},
                                    {"step_gradient", std::string("full")},
                                    {"first_step", 0.3},
                                    {"max_attempts", std::int64_t{5}},
                                    {"safety", 0.8},
                                    {"max_growth", 3.0},
                                    {"min_growth", 0.5}});
  EXPECT_EQ(o.rtol, 0.1);
  EXPECT_EQ(o.atol, 0.2);
  EXPECT_EQ(o.controller, ControllerKind::kConstant);
  EXPECT_EQ(o.end, EndRule::kClamp);
  EXPECT_EQ(o.step_gradient, StepGradient::kFull);
  EXPECT_EQ(o.first_step, 0.3);
  EXPECT_EQ(o.max_attempts, 5);
  EXPECT_EQ(o.safety, 0.8);
  EXPECT_EQ(o.max_growth, 3.0);
  EXPECT_EQ(o.min_growth, 0.5);
}

TEST(DriverOptions, ReadEveryDeclaredOption) {
  const Params adaptive_table = table(true, {});
  DriverOptions::from(adaptive_table, kAdaptive);
  EXPECT_TRUE(adaptive_table.unread().empty());

  const Params fixed_table = table(false, {});
  DriverOptions::from(fixed_table, kFixed);
  EXPECT_TRUE(fixed_table.unread().empty());
}

TEST(DriverOptions, ReadTheStepOfAFixedMethod) {
  EXPECT_EQ(DriverOptions::from(table(false, {{"step_size", 0.25}}), kFixed).step_size, 0.25);
  EXPECT_EQ(DriverOptions::from(table(false, {}), kFixed).step_size, std::nullopt);
}

TEST(DriverOptions, WantAFirstStepForConstantSteps) {
  EXPECT_THAT(refusal({{"controller", std::string("constant")}}), HasSubstr("needs first_step"));
}

TEST(DriverOptions, RefuseLimitsThatConstantStepsIgnore) {
  EXPECT_THAT(
      refusal({{"controller", std::string("constant")}, {"first_step", 0.1}, {"max_step", 1.0}}),
      HasSubstr("have no effect"));
}

TEST(DriverOptions, RefuseLimitsThatContradictEachOther) {
  EXPECT_THAT(refusal({{"min_step", 0.2}, {"max_step", 0.1}}), HasSubstr("\"min_step\" = 0.2"));
  EXPECT_THAT(refusal({{"first_step", 0.2}, {"max_step", 0.1}}), HasSubstr("\"first_step\" = 0.2"));
  EXPECT_THAT(refusal({{"first_step", 0.1}, {"min_step", 0.2}}), HasSubstr("\"first_step\" = 0.1"));
}

TEST(DriverOptions, RefuseATableThatDoesNotFitTheMethod) {
  EXPECT_THAT(refusal({}, kFixed), HasSubstr("no error estimate"));
  EXPECT_THROW(DriverOptions::from(table(false, {}), kAdaptive), ParamError);
}

}  // namespace
}  // namespace unmask::test::options_test
