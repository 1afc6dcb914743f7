// What an author of plugins meets: mistakes are named by `plugins check`, claims that do not hold by
// `plugins test`, and `plugins new` writes what the test of the installation builds.

#include <filesystem>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "integration/sandbox.hpp"
#include "support/schema_complaint.hpp"

namespace unmask::test::authors_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string mistaken(const std::string& name) {
  return std::string(UNMASK_MISTAKEN_PLUGINS) + "/" + name + ".so";
}

struct Mistake {
  const char* library;
  const char* words;
};

void PrintTo(const Mistake& mistake, std::ostream* out) {
  *out << mistake.library;
}

class MistakenPlugin : public testing::TestWithParam<Mistake> {};

TEST_P(MistakenPlugin, IsNamedByCheck) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "check", mistaken(GetParam().library)});

  EXPECT_EQ(outcome.code, 4) << outcome.out;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr(GetParam().library), HasSubstr(GetParam().words)));
}

INSTANTIATE_TEST_SUITE_P(
    All,
    MistakenPlugin,
    testing::Values(Mistake{"solver_bad_order", "can be made"},
                    Mistake{"solver_ctor_throws", "disk is full"},
                    Mistake{"solver_undeclared", "\"steps\""},
                    Mistake{"solver_unread", "never reads \"steps\""},
                    Mistake{"solver_typo_cap", "did you mean \"adaptive\""},
                    Mistake{"solver_claims_adaptive", "gives no error estimate"},
                    Mistake{"attack_wrong_kind",
                            "built as attack, and its class is of the kind solver"}),
    [](const auto& made) { return std::string(made.param.library); });

TEST(PluginsCheck, SaysOnceThatAPluginCannotBeMade) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "check", mistaken("solver_ctor_throws")});

  EXPECT_EQ(outcome.err.find("disk is full"), outcome.err.rfind("disk is full")) << outcome.err;
}

TEST(PluginsCheck, NotesAnIdThatIsThereAlready) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "check", mistaken("solver_euler")});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("solver euler is also offered by"));
}

TEST(PluginsCheck, SaysWhichParametersItNeeds) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "check", mistaken("attack_careless")});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("not constructed"), HasSubstr("\"how\"")));
}

TEST(PluginsTest, PrintsClaimsInWords) {
  const Sandbox box;

  const Outcome outcome = box.unmask(
      {"plugins", "test", mistaken("attack_careless"), "--params", R"({ "how": "right" })"});

  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("holds  stays inside the ball and the box"),
                    HasSubstr("claims hold."),
                    Not(HasSubstr("FAILS"))));
}

TEST(PluginsTest, FailsWhereAClaimDoes) {
  const Sandbox box;
  const std::string library = mistaken("attack_careless");
  const std::string examples =
      box.write("examples.json", R"({ "right": { "how": "right" }, "far": { "how": "far" } })");

  const Outcome outcome = box.unmask({"plugins", "test", library, "--examples", examples});

  EXPECT_EQ(outcome.code, 4) << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("with the parameters \"far\""),
                    HasSubstr("FAILS  stays inside the ball and the box"),
                    HasSubstr("do not hold")));
}

TEST(PluginsTest, NamesTheClaimThatTookTheProcessDown) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins",
                                      "test",
                                      mistaken("attack_careless"),
                                      "--format",
                                      "json",
                                      "--params",
                                      R"({ "how": "crash" })"});

  EXPECT_EQ(outcome.code, 4) << outcome.err;
  const auto report = nlohmann::json::parse(outcome.out);
  const auto last = report.at("examples").at(0).at("claims").back();
  EXPECT_EQ(last.at("claim"), "stays inside the ball and the box");
  EXPECT_THAT(last.at("problems").at(0).get<std::string>(), HasSubstr("signal 6"));
}

TEST(PluginsTest, ReportsAWrongExampleLikeAManifest) {
  const Sandbox box;
  const std::string examples = box.write("examples.json", "{ \"a\": { \"hwo\": \"right\" } }");

  const Outcome outcome =
      box.unmask({"plugins", "test", mistaken("attack_careless"), "--examples", examples});

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("examples.json:1:10"), HasSubstr("did you mean \"how\"")));
}

TEST(PluginsTest, SaysWhatItNeedsWithoutExamples) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "test", mistaken("attack_careless")});

  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("\"how\""), HasSubstr("--params")));
}

class NewPlugin : public testing::TestWithParam<const char*> {};

TEST_P(NewPlugin, WritesAFolderWithoutTraceOfTheTemplate) {
  const Sandbox box;
  const fs::path folder = box.path("mine");

  const Outcome outcome =
      box.unmask({"plugins", "new", GetParam(), "sign_steps", "--dir", folder.string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("cmake --workflow --preset default"));
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
    const std::string text = base::read_file(entry.path());
    for (const char* word : {"new_plugin", "NewPlugin", "new_kind", "PREFIX_OF_UNMASK"}) {
      EXPECT_THAT(text, Not(HasSubstr(word))) << entry.path();
    }
  }
  EXPECT_EQ(names,
            (std::set<std::string>{".gitignore",
                                   "CMakeLists.txt",
                                   "CMakePresets.json",
                                   "examples.json",
                                   "sign_steps.cpp",
                                   "sign_steps.md",
                                   "study.json"}));
}

INSTANTIATE_TEST_SUITE_P(
    EveryKind,
    NewPlugin,
    testing::Values("solver", "model", "attack", "dataset", "objective", "probe"),
    [](const auto& made) { return std::string(made.param); });

TEST(PluginsNew, OverwritesNothing) {
  const Sandbox box;
  box.write("notes.txt", "mine");

  const Outcome outcome =
      box.unmask({"plugins", "new", "attack", "sign_steps", "--dir", box.path("").string()});

  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("is not an empty folder"));
}

TEST(PluginsNew, RefusesWrongKindsAndIds) {
  const Sandbox box;
  const std::string folder = box.path("x").string();

  EXPECT_THAT(box.unmask({"plugins", "new", "atack", "mine", "--dir", folder}).err,
              HasSubstr("did you mean \"attack\""));
  EXPECT_THAT(box.unmask({"plugins", "new", "attack", "My-Attack", "--dir", folder}).err,
              HasSubstr("lower_snake_case"));
  EXPECT_FALSE(fs::exists(folder));
}

TEST(Schema, FitsEveryShippedStudy) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"schema"});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto text = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(text.at("$schema"), "http://json-schema.org/draft-07/schema#");
  EXPECT_TRUE(text.at("definitions").contains("attack_pgd_params"));
  const JsonSchema schema(text);
  int studies = 0;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(UNMASK_SOURCE_DIR) / "experiments")) {
    if (entry.path().extension() != ".json") continue;
    ++studies;
    const auto document = read_json(entry.path());
    ASSERT_TRUE(document) << entry.path();
    EXPECT_EQ(schema.complaint(*document), "") << entry.path();
  }
  EXPECT_GE(studies, 5);
}

}  // namespace
}  // namespace unmask::test::authors_test
