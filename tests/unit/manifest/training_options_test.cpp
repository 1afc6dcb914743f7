// Every training option, used wrongly, gives one message that names it: a value of another type, a
// value outside of the range, and combinations.

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

namespace unmask::manifest::training_options_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Messages about a study with one objective of these parameters.
std::vector<Diagnostic> errors_of(const json& params) {
  const json study = {{"version", 1},
                      {"name", "study"},
                      {"define",
                       {{"dataset", {{"digits", {{"plugin", "digits"}}}}},
                        {"model", {{"ode", {{"plugin", "odenet"}}}}},
                        {"objective", {{"tested", {{"plugin", "erm"}, {"params", params}}}}},
                        {"solver", {{"rk4", {{"plugin", "rk4"}}}}}}},
                      {"train",
                       {{"matrix",
                         {{"dataset", {"digits"}},
                          {"model", {"ode"}},
                          {"objective", {"tested"}},
                          {"solver", {"rk4"}},
                          {"seed", {0}}}}}}};
  const base::TempFolder folder("unmask-options-");
  const std::filesystem::path file = folder.path() / "study.json";
  std::ofstream(file) << study.dump();
  return read_study(file, testing::fake_catalog()).errors;
}

void expect_one_error(const json& params, const std::string& words) {
  const std::vector<Diagnostic> errors = errors_of(params);
  ASSERT_EQ(errors.size(), 1U) << params.dump();
  EXPECT_THAT(errors.front().message, HasSubstr(words)) << params.dump();
}

std::vector<ParamSpec> numbers_and_words() {
  std::vector<ParamSpec> table = catalog::host_options("objective", {});
  std::erase_if(table, [](const ParamSpec& spec) { return spec.type == ParamType::kFile; });
  return table;
}

json of_another_type(const ParamSpec& spec) {
  return spec.type == ParamType::kChoice ? json(7) : json("sideways");
}

// A value of the right type that the declaration does not allow; null where every value is allowed.
json out_of_range(const ParamSpec& spec) {
  if (spec.type == ParamType::kChoice) return "sideways";
  if (!spec.lower) return nullptr;
  const json below = spec.type == ParamType::kInteger || spec.type == ParamType::kIntegerList
                         ? json(static_cast<std::int64_t>(spec.lower->value) - 1)
                         : json(spec.lower->value - 1);
  const bool is_list = spec.type == ParamType::kIntegerList || spec.type == ParamType::kRealList;
  return is_list ? json::array({below}) : below;
}

TEST(TrainingOptions, OfAnotherTypeAreNamed) {
  for (const ParamSpec& spec : numbers_and_words()) {
    expect_one_error({{spec.name, of_another_type(spec)}}, spec.name);
  }
}

TEST(TrainingOptions, OutOfRangeAreNamed) {
  for (const ParamSpec& spec : numbers_and_words()) {
    const json value = out_of_range(spec);
    if (!value.is_null()) expect_one_error({{spec.name, value}}, spec.name);
  }
}

struct Conflict {
  json params;
  const char* message;
};

TEST(TrainingOptions, ThatWouldBeIgnoredOrContradictAreNamed) {
  const std::vector<Conflict> conflicts = {
      {{{"betas", {0.9, 0.99}}}, "\"betas\" has no effect: the optimizer is \"sgd\""},
      {{{"adam_epsilon", 1e-6}}, "\"adam_epsilon\" has no effect"},
      {{{"optimizer", "adam"}, {"momentum", 0.9}}, "\"momentum\" has no effect"},
      {{{"optimizer", "adamw"}, {"nesterov", true}}, "\"nesterov\" has no effect"},
      {{{"nesterov", true}, {"momentum", 0}}, "\"nesterov\" needs a \"momentum\" above 0"},
      {{{"milestones", {1}}}, "\"milestones\" has no effect: the schedule is \"constant\""},
      {{{"schedule", "cosine"}, {"factors", {0.5}}}, "\"factors\" has no effect"},
      {{{"schedule", "step"}}, "needs \"milestones\""},
      {{{"schedule", "step"}, {"milestones", {2, 2}}}, "milestones must increase"},
      {{{"schedule", "step"}, {"milestones", {2, 4, 6}}, {"factors", {0.1, 0.2}}},
       "factors has 2 entries and milestones has 3"},
      {{{"schedule", "step"}, {"milestones", {2, 10}}, {"epochs", 10}},
       "milestone 10 lies beyond the 10 epochs"},
      {{{"cycle_rise", 0.2}}, "\"cycle_rise\" has no effect"},
      {{{"schedule", "step"}, {"milestones", {2}}, {"cycle_start_divisor", 10}},
       "\"cycle_start_divisor\" has no effect"},
      {{{"schedule", "cosine"}, {"cycle_final_divisor", 10}},
       "\"cycle_final_divisor\" has no effect"},
      {{{"schedule", "one_cycle"}, {"warmup_epochs", 1}}, "\"warmup_epochs\" has no effect"},
      {{{"warmup_epochs", 3}, {"epochs", 2}}, "warmup_epochs = 3 is longer than the 2 epochs"},
      {{{"averaging_start", 1}}, "\"averaging_start\" has no effect"},
      {{{"averaging_decay", 0.5}}, "\"averaging_decay\" has no effect"},
      {{{"averaging", "swa"}, {"averaging_decay", 0.5}}, "\"averaging_decay\" has no effect"},
      {{{"averaging", "ema"}, {"averaging_start", 1}, {"epochs", 1}},
       "averaging_start = 1 lies beyond the only epoch"},
      {{{"keep", "best"}}, "keep \"best\" needs \"validation\""},
      {{{"patience", 3}}, "\"patience\" needs \"validation\""},
      {{{"validation", 100}, {"patience", 10}, {"epochs", 10}},
       "patience = 10 never ends a training of the 10 epochs"},
  };
  for (const Conflict& conflict : conflicts) expect_one_error(conflict.params, conflict.message);
}

TEST(TrainingOptions, ThatFitEachOtherAreAccepted) {
  const std::vector<json> recipes = {
      {{"nesterov", true}, {"weight_decay", 5e-4}, {"clip_norm", 1}},
      {{"optimizer", "adamw"}, {"betas", {0.9, 0.99}}, {"adam_epsilon", 1e-6}},
      {{"schedule", "one_cycle"}, {"cycle_rise", 0.2}, {"cycle_start_divisor", 10}},
      {{"schedule", "step"}, {"milestones", {2, 9}}, {"factors", {0.1, 0.2}}},
      {{"schedule", "cosine"}, {"warmup_epochs", 10}, {"epochs", 10}},
      {{"averaging", "ema"}, {"averaging_decay", 0.99}, {"averaging_start", 9}},
      {{"validation", 100}, {"keep", "best"}, {"patience", 9}},
      {{"epochs", 0}, {"schedule", "step"}, {"milestones", {2}}},
      {{"precision", "mixed"}},
  };
  for (const json& recipe : recipes) {
    const std::vector<Diagnostic> errors = errors_of(recipe);
    EXPECT_TRUE(errors.empty()) << recipe.dump() << ": " << errors.front().message;
  }
}

}  // namespace
}  // namespace unmask::manifest::training_options_test
