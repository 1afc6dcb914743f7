#include "catalog/params_json.hpp"

#include <string>

#include <gtest/gtest.h>

#include "unmask/errors.hpp"

namespace unmask::catalog::params_json_test {
namespace {

using nlohmann::json;

std::string message_of(const std::vector<ParamSpec>& specs, const json& values) {
  try {
    params_from_json(specs, values);
  } catch (const ParamError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(ParamsFromJson, FillsDefaults) {
  const Params params = params_from_json({integer("steps", "d").by_default(7)}, json::object());

  EXPECT_EQ(params.get_integer("steps"), 7);
}

TEST(ParamsFromJson, TakesNullForNoParameters) {
  EXPECT_EQ(params_from_json({integer("steps", "d").by_default(7)}, nullptr).get_integer("steps"),
            7);
}

TEST(ParamsFromJson, ReadsAnIntegerAsARealWhereARealIsDeclared) {
  EXPECT_EQ(params_from_json({real("size", "d")}, {{"size", 2}}).get_real("size"), 2.0);
}

TEST(ParamsFromJson, RefusesARealWhereAnIntegerIsDeclared) {
  EXPECT_EQ(message_of({integer("steps", "d")}, {{"steps", 2.0}}),
            "parameter \"steps\" = 2.0: must be integer");
}

TEST(ParamsFromJson, RefusesAnIntegerThatDoesNotFit) {
  EXPECT_EQ(message_of({integer("steps", "d")}, {{"steps", 18446744073709551615ULL}}),
            "parameter \"steps\" = 18446744073709551615: must be integer");
}

TEST(ParamsFromJson, ReadsEveryType) {
  const Params params = params_from_json(
      {boolean("b", "d"),
       text("t", "d"),
       choice("c", {"x", "y"}, "d"),
       path("p", "d"),
       integer_list("i", "d"),
       real_list("r", "d")},
      {{"b", true}, {"t", "word"}, {"c", "y"}, {"p", "/data"}, {"i", {1, 2}}, {"r", {1, 0.5}}});

  EXPECT_TRUE(params.get_boolean("b"));
  EXPECT_EQ(params.get_text("t"), "word");
  EXPECT_EQ(params.get_text("c"), "y");
  EXPECT_EQ(params.get_text("p"), "/data");
  EXPECT_EQ(params.get_integers("i"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(params.get_reals("r"), (std::vector<double>{1.0, 0.5}));
}

TEST(ParamsFromJson, RefusesAValueOutsideItsRange) {
  EXPECT_EQ(message_of({integer("steps", "d").at_least(1)}, {{"steps", 0}}),
            "parameter \"steps\" = 0: must be at least 1");
}

TEST(ParamsFromJson, RefusesAListWithAnEntryOfAnotherType) {
  EXPECT_EQ(message_of({integer_list("i", "d")}, {{"i", {1, "two"}}}),
            "parameter \"i\" = [1,\"two\"]: must be list of integers");
}

TEST(ParamsFromJson, RefusesUnknownNames) {
  EXPECT_EQ(message_of({}, {{"sise", 1}}), "unknown parameter \"sise\"");
}

TEST(ParamsFromJson, LeavesIgnoredNamesAlone) {
  EXPECT_NO_THROW(params_from_json({}, {{"step_size", 1}}, {"step_size"}));
}

TEST(ParamsFromJson, RefusesWhatIsNoObject) {
  EXPECT_EQ(message_of({}, json::array()),
            "parameters must be an object of names and values, not array");
}

TEST(ParamsFromJson, NamesARequiredParameterThatIsMissing) {
  EXPECT_EQ(message_of({integer("steps", "d")}, json::object()), "parameter \"steps\" is required");
}

}  // namespace
}  // namespace unmask::catalog::params_json_test
