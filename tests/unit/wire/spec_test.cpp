#include "wire/spec.hpp"

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unmask/errors.hpp"
#include "wire/key.hpp"

namespace unmask::wire::spec_test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

json part(const std::string& plugin) {
  return plugin_part(plugin, "f-" + plugin, {{"steps", 3}});
}

// An attack by an ensemble, through the mean of two solvers, made on another network.
json rich_spec() {
  return {{"kind", "attack"},
          {"checkpoint", "key-a"},
          {"dataset", part("strokes")},
          {"model", part("net")},
          {"solver", part("dopri5")},
          {"gradient", gradient_part({part("rk4"), part("euler")})},
          {"attack", ensemble_part({{"first", part("pgd")}, {"second", part("fab")}})},
          {"source", {{"checkpoint", "key-b"}, {"model", part("other")}, {"solver", part("rk4")}}}};
}

std::vector<std::string> parts(const json& spec) {
  std::vector<std::string> result;
  for_each_part(spec, [&](const std::string& name, const std::string& kind, const json& one) {
    result.push_back(name + " " + kind + " " + one.at("plugin").get<std::string>());
  });
  return result;
}

TEST(Spec, VisitsEveryPluginOnce) {
  EXPECT_THAT(parts(rich_spec()),
              ElementsAre("dataset dataset strokes",
                          "model model net",
                          "solver solver dopri5",
                          "gradient.0 solver rk4",
                          "gradient.1 solver euler",
                          "attack.0 attack pgd",
                          "attack.1 attack fab",
                          "source.model model other",
                          "source.solver solver rk4"));
}

TEST(Spec, VisitsASimpleOneWithoutNumbers) {
  const json spec = {{"kind", "probe"},
                     {"dataset", part("strokes")},
                     {"gradient", gradient_part({part("rk4")})},
                     {"probe", part("norms")}};

  EXPECT_THAT(parts(spec),
              ElementsAre("dataset dataset strokes", "gradient solver rk4", "probe probe norms"));
}

TEST(Spec, VisitsTheSolversThatAProbeNames) {
  json probe = part("norms");
  add_named_gradient(probe, {"frozen", part("rk4")});

  EXPECT_THAT(parts({{"kind", "probe"}, {"probe", probe}}),
              ElementsAre("probe probe norms", "gradients.frozen solver rk4"));
  EXPECT_TRUE(named_gradients_of(part("norms")).empty());
}

TEST(Spec, HasNoGradientPartWhereTheAnsweringSolverIsMeant) {
  EXPECT_TRUE(gradient_part({}).is_null());
  EXPECT_TRUE(solvers_of(nullptr).empty());
}

TEST(Spec, GivesGradientsBackAsTheyWereGiven) {
  const std::vector<json> one = {part("rk4")};
  const std::vector<json> two = {part("rk4"), part("euler")};

  EXPECT_EQ(solvers_of(gradient_part(one)), one);
  EXPECT_EQ(solvers_of(gradient_part(two)), two);
}

TEST(Spec, GivesMembersBackUnderTheirNames) {
  const std::vector<NamedPart> members = members_of(rich_spec().at("attack"));

  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[1].name, "second");
  EXPECT_EQ(members[1].part, part("fab"));
  EXPECT_FALSE(is_ensemble(part("pgd")));
}

TEST(Spec, NamesTheTrainingsThatItNeeds) {
  json spec = rich_spec();

  EXPECT_EQ(checkpoint_of(spec), "key-a");
  EXPECT_EQ(source_of(spec), "key-b");
  spec["source"]["checkpoint"] = "key-a";
  EXPECT_EQ(source_of(spec), std::nullopt);  // the same weights under another solver
  EXPECT_EQ(checkpoint_of({{"kind", "train"}}), std::nullopt);
}

TEST(Spec, TakesPathsIn) {
  const json locals = {{"dataset", {{"folder", "/data"}}}, {"attack.1", {{"table", "/tables"}}}};

  const json dataset = with_locals(rich_spec().at("dataset"), locals, "dataset");
  const json attack = with_locals(rich_spec().at("attack"), locals, "attack");

  EXPECT_EQ(dataset.at("params"), json({{"steps", 3}, {"folder", "/data"}}));
  EXPECT_EQ(members_of(attack)[1].part.at("params").at("table"), "/tables");
  EXPECT_EQ(members_of(attack)[0].part, part("pgd"));
}

TEST(Spec, RefusesAFileThatHasChanged) {
  const std::string file = ::testing::TempDir() + "/spec_test_weights";
  std::ofstream(file) << "before";
  json model = part("net");
  model["params"]["weights"] = identity_of_file(file);
  const json locals = {{"model", {{"weights", file}}}};
  EXPECT_EQ(with_locals(model, locals, "model").at("params").at("weights"), file);

  std::ofstream(file) << "after";

  try {
    with_locals(model, locals, "model");
    FAIL() << "a file that has changed was taken";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("parameter \"weights\" of the model \"net\", has changed"));
  }
}

// Keys are hashes of this text.
TEST(SharedSpec, HasTheTextOfTheObject) {
  json object = rich_spec();
  object["quote \" and \n"] = "\u00fc \\ \t";
  object["epsilon"] = 0.1 + 0.2;
  object["seed"] = 7;
  const Spec spec(object);

  EXPECT_EQ(spec.dump(), object.dump());
  EXPECT_EQ(spec.whole(), object);
  EXPECT_EQ(key_of(spec), key_of(object));
  EXPECT_EQ(Spec().dump(), "{}");
  EXPECT_THROW(Spec(json::array()), json::type_error);
}

TEST(SharedSpec, PutsMembersInOrder) {
  const Spec spec({share("solver", 1), share("attack", 2), share("model", 3)});

  EXPECT_EQ(spec.dump(), R"({"attack":2,"model":3,"solver":1})");
}

TEST(SharedSpec, AChangeIsOfOneCopyAlone) {
  const Spec before = rich_spec();
  Spec after = before;
  after.set("kind", "probe");
  after.set("seed", 3);

  EXPECT_EQ(before, rich_spec());
  EXPECT_EQ(after.at("kind"), "probe");
  EXPECT_EQ(after.value("seed", 0), 3);
  EXPECT_EQ(before.value("seed", 0), 0);
  EXPECT_EQ(after.member("model"), before.member("model"));  // not a copy
  EXPECT_THROW(static_cast<void>(before.at("seed")), json::out_of_range);
}

TEST(SharedSpec, IsVisitedLikeTheObject) {
  std::vector<std::string> names, expected;
  for_each_part(Spec(rich_spec()),
                [&](const std::string& name, const std::string& kind, const json&) {
                  names.push_back(name + " " + kind);
                });
  for_each_part(rich_spec(), [&](const std::string& name, const std::string& kind, const json&) {
    expected.push_back(name + " " + kind);
  });

  EXPECT_EQ(names, expected);
}

}  // namespace
}  // namespace unmask::wire::spec_test
