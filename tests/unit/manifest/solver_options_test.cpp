// Every driver option, used wrongly, gives one message that names it: a value of another type, a
// value outside of the range, an option of the other kind of method, and combinations.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "catalog/host_options.hpp"
#include "fake_catalog.hpp"
#include "manifest/reader.hpp"

namespace unmask::manifest::solver_options_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Messages about a study with one solver of these parameters.
std::vector<Diagnostic> errors_of(const std::string& plugin, const json& params) {
  const json study = {{"version", 1},
                      {"name", "study"},
                      {"define",
                       {{"dataset", {{"digits", {{"plugin", "digits"}}}}},
                        {"model", {{"ode", {{"plugin", "odenet"}}}}},
                        {"objective", {{"std", {{"plugin", "erm"}}}}},
                        {"solver", {{"tested", {{"plugin", plugin}, {"params", params}}}}}}},
                      {"train",
                       {{"matrix",
                         {{"dataset", {"digits"}},
                          {"model", {"ode"}},
                          {"objective", {"std"}},
                          {"solver", {"tested"}},
                          {"seed", {0}}}}}}};
  const base::TempFolder folder("unmask-options-");
  const std::filesystem::path file = folder.path() / "study.json";
  std::ofstream(file) << study.dump();
  return read_study(file, testing::fake_catalog()).errors;
}

std::vector<ParamSpec> table(bool is_adaptive) {
  return catalog::host_options(
      "solver", is_adaptive ? std::set<std::string>{"adaptive"} : std::set<std::string>{});
}

void expect_one_error(const std::string& plugin, const json& params, const std::string& name) {
  const std::vector<Diagnostic> errors = errors_of(plugin, params);
  ASSERT_EQ(errors.size(), 1U) << plugin << " " << params.dump();
  EXPECT_THAT(errors.front().message, HasSubstr(name)) << plugin << " " << params.dump();
}

json of_another_type(const ParamSpec& spec) {
  return spec.type == ParamType::kChoice ? json(7) : json("sideways");
}

// A value of the right type that the declaration does not allow; null where every value is allowed.
json out_of_range(const ParamSpec& spec) {
  if (spec.type == ParamType::kChoice) return "sideways";
  if (spec.type == ParamType::kRealList) return json::array();
  if (spec.lower) return spec.lower->value - 1;
  return nullptr;
}

TEST(SolverOptions, OfAnotherTypeAreNamed) {
  for (const bool is_adaptive : {false, true}) {
    for (const ParamSpec& spec : table(is_adaptive)) {
      expect_one_error(
          is_adaptive ? "dopri5" : "rk4", {{spec.name, of_another_type(spec)}}, spec.name);
    }
  }
}

TEST(SolverOptions, OutOfRangeAreNamed) {
  for (const bool is_adaptive : {false, true}) {
    for (const ParamSpec& spec : table(is_adaptive)) {
      const json value = out_of_range(spec);
      if (value.is_null()) continue;
      expect_one_error(is_adaptive ? "dopri5" : "rk4", {{spec.name, value}}, spec.name);
    }
  }
}

TEST(SolverOptions, OfAdaptiveMethodsAreRefusedByFixedOnes) {
  const std::vector<ParamSpec> fixed = table(false);
  for (const ParamSpec& spec : table(true)) {
    const bool is_shared = std::any_of(fixed.begin(), fixed.end(), [&](const ParamSpec& other) {
      return other.name == spec.name;
    });
    if (is_shared) continue;
    const std::vector<Diagnostic> errors = errors_of("rk4", {{spec.name, 1}});
    ASSERT_EQ(errors.size(), 1U) << spec.name;
    EXPECT_THAT(errors.front().help, HasSubstr("takes fixed steps")) << spec.name;
  }
}

TEST(SolverOptions, StepSizeIsRefusedByAdaptiveMethods) {
  expect_one_error("dopri5", {{"step_size", 0.1}}, "step_size");
}

struct Conflict {
  json params;
  const char* message;
};

TEST(SolverOptions, ThatWouldBeIgnoredOrContradictAreNamed) {
  const json constant = {{"controller", "constant"}, {"first_step", 0.1}};
  std::vector<Conflict> conflicts = {
      {{{"controller", "constant"}}, "needs \"first_step\""},
      {{{"min_step", 0.2}, {"max_step", 0.1}}, "min_step = 0.2 is larger"},
      {{{"first_step", 0.2}, {"max_step", 0.1}}, "first_step = 0.2 lies outside"},
      {{{"first_step", 0.1}, {"min_step", 0.2}}, "first_step = 0.1 lies outside"},
      {{{"exponents", {0.7, -0.4}}}, "\"exponents\" has 2 entries"},
      {{{"controller", "pi"}, {"exponents", {0.7}}}, "looks at 2 error ratios"},
      {{{"controller", "pid"}, {"exponents", {-0.1, 0.1, 0.1}}}, "lengthens a step"},
      {{{"controller", "replay"}, {"exponents", {1.0}}}, "\"exponents\" has no effect"},
      {{{"controller", "replay"}, {"step_gradient", "full"}}, "\"step_gradient\" has no effect"},
      {{{"controller", "replay"}, {"gradient", "adjoint"}}, "does not go with"},
      {{{"controller", "replay"}, {"gradient", "replay"}}, "does not go with"},
      {{{"gradient", "adjoint"}, {"step_gradient", "none"}}, "\"step_gradient\" has no effect"},
      {{{"gradient", "replay"}, {"step_gradient", "none"}}, "\"step_gradient\" has no effect"},
      {{{"gradient", "checkpoint"}, {"seminorm", true}}, "\"seminorm\" has no effect"},
      {{{"adjoint_rtol", 0.1}}, "\"adjoint_rtol\" has no effect"},
      {{{"adjoint_atol", 0.1}}, "\"adjoint_atol\" has no effect"},
      {{{"gradient", "interpolated"}, {"control", "sample"}}, "one forward solution"},
      {{{"gradient", "interpolated"}, {"preset", "clean"}}, "one forward solution"},
  };
  for (const char* option :
       {"rtol", "atol", "min_step", "max_step", "safety", "max_growth", "min_growth"}) {
    json params = constant;
    params[option] = std::string(option) == "max_growth" ? 2.0 : 0.5;
    conflicts.push_back({params, "has no effect: controller \"constant\""});
  }
  for (const Conflict& conflict : conflicts) {
    expect_one_error("dopri5", conflict.params, conflict.message);
  }
}

TEST(SolverOptions, OfFixedMethodsThatWouldBeIgnoredAreNamed) {
  expect_one_error("rk4", {{"seminorm", true}}, "\"seminorm\" has no effect");
  expect_one_error("rk4", {{"gradient", "adjoint"}, {"seminorm", true}}, "no error norm");
  expect_one_error("rk4", {{"gradient", "replay"}}, "gradient");
}

TEST(SolverOptions, ThatFitEachOtherAreAccepted) {
  for (const json& params :
       {json{{"preset", "clean"}, {"gradient", "checkpoint"}},
        json{{"preset", "torchdiffeq-0.0.1"}, {"rtol", 0.1}, {"atol", 0.1}},
        json{{"controller", "pid"}, {"exponents", {0.5, -0.2, 0.1}}, {"controller_order", 4}},
        json{{"controller", "replay"}, {"control", "sample"}},
        json{{"gradient", "adjoint"}, {"seminorm", true}, {"adjoint_rtol", 1e-5}},
        json{{"gradient", "interpolated"}, {"end", "clamp"}, {"step_ends", {0.25, 0.5}}},
        json{{"control", "sample"}, {"step_gradient", "full"}, {"time_limit", 10}}}) {
    EXPECT_TRUE(errors_of("dopri5", params).empty()) << params.dump();
  }
  EXPECT_TRUE(errors_of("rk4", {{"step_size", 0.1}, {"gradient", "interpolated"}}).empty());
}

}  // namespace
}  // namespace unmask::manifest::solver_options_test
