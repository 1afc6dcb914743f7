// What happens before the first cell: plugins found, constructed and remembered; children that die
// without taking the study along.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "unmask/sha256.hpp"

namespace unmask::test::start_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string unborn(const std::string& how) {
  return with_attack(R"({ "plugin": "unborn", "params": { "how": ")" + how + "\" } }");
}

Outcome check(const Sandbox& box, const std::string& manifest) {
  return box.unmask(
      {"check", box.write("bad.json", manifest).string(), "--plugin-dir", UNMASK_HARMFUL_PLUGINS});
}

TEST(Constructor, ThatRefusesItsParametersIsReportedWithItsPlace) {
  const Sandbox box;

  const Outcome outcome = check(box, unborn("refuse"));

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("bad.json:16:7: error[M029]: attack \"bad\": attack unborn: "
                              "parameter \"how\" = \"refuse\": does not suit me"),
                    HasSubstr("\"bad\": { \"plugin\": \"unborn\"")));
}

TEST(Constructor, OfSeveralDefinitionsAreAllReported) {
  const Sandbox box;
  std::string manifest = unborn("refuse");
  const std::string place = "\"noise\": {";
  manifest.replace(manifest.find(place),
                   place.size(),
                   R"("worse": { "plugin": "unborn", "params": { "how": "throw" } },)"
                   "\n      " +
                       place);

  const Outcome outcome = check(box, manifest);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("does not suit me"),
                    HasSubstr("attack \"worse\": attack unborn: its "
                              "constructor failed: no such luck")));
}

// Which norm an attack works in need not stand in the manifest; radii are those of its rows.
TEST(Constructor, OfAnAttackInLinfRefusesARadiusBeyondTheRangeOfPixels) {
  const Sandbox box;
  std::string manifest = with_attack(R"({ "plugin": "cw_linf" })");
  manifest.insert(manifest.find("\"noise\": {"), R"("small": { "plugin": "cw_l2" }, )");
  const std::string all = "\"attack\": [\"*\"]";
  manifest.replace(manifest.find(all), all.size(), R"("attack": ["bad", "small"])");
  const std::string radius = "\"epsilon\": [";
  manifest.insert(manifest.find(radius) + radius.size(), "8, ");

  const Outcome outcome = check(box, manifest);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("error[M029]: attack \"bad\": epsilon 8 is larger than the range of "
                              "pixels, [0, 1], in the norm linf"),
                    HasSubstr("write \"8/255\""),
                    HasSubstr("1 error")));
}

TEST(Constructor, ThatReadsAnUndeclaredParameterIsAFaultOfThePlugin) {
  const Sandbox box;

  const Outcome outcome = check(box, unborn("undeclared"));

  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err,
              HasSubstr("attack unborn: it reads the parameter \"surprise\", which its info() does "
                        "not declare"));
}

class DeadlyConstructor : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(DeadlyConstructor, FailsItsOwnCellsAndNoOthers) {
  const Sandbox box;
  const auto& [how, said] = GetParam();

  const Outcome outcome = box.run(box.write("bad.json", unborn(how)),
                                  {"--plugin-dir",
                                   UNMASK_HARMFUL_PLUGINS,
                                   "--only",
                                   "attack=bad,model=plain",
                                   "--only",
                                   "attack=pgd,model=plain"});

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(said));
  EXPECT_EQ(box.ask("SELECT DISTINCT failure_class FROM failures"), "crash\n");
  EXPECT_EQ(box.ask("SELECT DISTINCT method, state FROM cells WHERE method IN ('bad', 'pgd') AND "
                    "state IN ('done', 'failed') ORDER BY method"),
            "bad,failed\npgd,done\n");
}

INSTANTIATE_TEST_SUITE_P(
    Ways,
    DeadlyConstructor,
    ::testing::Values(
        std::pair("crash",
                  "warning: attack \"bad\": its plugin unborn crashes (killed by signal 11 "
                  "(Segmentation fault)) when it is constructed; its cells will fail"),
        std::pair("exit", "its plugin unborn ends the process (exited with code 0)")),
    [](const auto& test) { return std::string(test.param.first); });

TEST(Constructor, ThatCrashesIsAnErrorOfCheck) {
  const Sandbox box;

  const Outcome outcome = check(box, unborn("crash"));

  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, HasSubstr("its plugin unborn crashes"));
}

std::string with_dataset(const std::string& how) {
  std::string text = small_manifest();
  const std::string place = "\"strokes\": { \"plugin\"";
  text.replace(text.find(place),
               place.size(),
               R"("bad": { "plugin": "lethal", "params": { "how": ")" + how + "\" } }, " + place);
  return text;
}

class DeadlyDataset : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(DeadlyDataset, FailsItsOwnCellsAndNoOthers) {
  const Sandbox box;
  const auto& [how, said] = GetParam();

  const Outcome outcome =
      box.run(box.write("bad.json", with_dataset(how)),
              {"--plugin-dir", UNMASK_HARMFUL_PLUGINS, "--only", "attack=clean,model=plain"});

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr(said));
  EXPECT_EQ(box.ask("SELECT DISTINCT dataset, kind, failure_class FROM failures"),
            "bad,train,crash\n");
  EXPECT_EQ(box.ask("SELECT DISTINCT dataset, kind, state FROM cells "
                    "WHERE model = 'plain' AND (kind = 'train' OR method = 'clean') "
                    "ORDER BY dataset, kind DESC"),
            "bad,train,failed\nbad,attack,missing\nstrokes,train,done\nstrokes,attack,done\n");
}

INSTANTIATE_TEST_SUITE_P(
    Ways,
    DeadlyDataset,
    ::testing::Values(
        std::pair("crash",
                  "warning: data set \"bad\": its plugin lethal crashes (killed by signal 11 "
                  "(Segmentation fault)) when it is asked what it holds; its cells will fail"),
        std::pair("exit", "its plugin lethal ends the process (exited with code 0)"),
        std::pair("crash_while_loading", "its plugin lethal crashes (killed by signal 11")),
    [](const auto& test) { return std::string(test.param.first); });

// Nobody knows which data these are, so there is nothing to store a result under.
TEST(DeadlyDatasets, ThatAnswerLaterAreAFaultOfTheirPlugin) {
  const Sandbox box;

  const Outcome outcome =
      box.run(box.write("bad.json", with_dataset("crash_while_planning")),
              {"--plugin-dir", UNMASK_HARMFUL_PLUGINS, "--only", "attack=clean,model=plain"});

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(box.ask("SELECT DISTINCT dataset, failure_class FROM failures"), "bad,plugin_error\n");
  EXPECT_THAT(box.ask("SELECT DISTINCT message FROM failures"),
              AllOf(HasSubstr("the plugin lethal took down the process that asked"),
                    HasSubstr("must give the same answer each time"),
                    Not(HasSubstr("run again"))));
}

TEST(DeadlyDatasets, ThatEveryCellNeedsEndTheRunAtOnce) {
  const Sandbox box;
  std::string manifest = with_dataset("crash");
  const std::string all = "\"dataset\": [\"*\"]";
  manifest.replace(manifest.find(all), all.size(), "\"dataset\": [\"bad\"]");
  const std::string unused =
      R"("strokes": { "plugin": "strokes", "params": { "train_count": 100, "test_count": 40 } })";
  manifest.replace(manifest.find(", " + unused), unused.size() + 2, "");

  const Outcome outcome =
      box.run(box.write("bad.json", manifest), {"--plugin-dir", UNMASK_HARMFUL_PLUGINS});

  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("data set \"bad\": its plugin lethal crashes"),
                    HasSubstr("every cell needs it, so nothing was run")));
  EXPECT_FALSE(fs::exists(box.database()));
}

TEST(Discovery, APluginThatIsAlsoInstalledIsTakenOnce) {
  const Sandbox box;
  const fs::path shipped = fs::path(UNMASK_BINARY_DIR) / "lib/unmask/plugins/attack_pgd.so";
  fs::create_directory(box.path("mine"));
  fs::copy_file(shipped, box.path("mine") / "attack_pgd.so");

  const Outcome outcome =
      box.unmask({"plugins", "list", "--plugin-dir", box.path("mine").string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\n  pgd "), Not(HasSubstr("note:"))));
}

// A sweep of this many values made a request that no command line can hold.
TEST(Request, MayHoldThousandsOfDefinitions) {
  const Sandbox box;
  std::string values = "1";
  for (int i = 2; i <= 2000; ++i) values += ", " + std::to_string(i);
  std::string manifest =
      with_attack(R"({ "plugin": "pgd", "sweep": { "steps": [)" + values + "] } }");
  const std::string all = "\"attack\": [\"*\"]";
  manifest.replace(manifest.find(all), all.size(), "\"attack\": [\"bad.*\"]");

  const Outcome outcome = check(box, manifest);

  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

class Memory : public ::testing::Test {
 protected:
  Memory() {
    box_.set_environment({"UNMASK_CACHE_DIR=" + (box_.path("cache")).string()});
    file_ = box_.write("small.json", small_manifest());
  }

  std::vector<fs::path> entries(const std::string& kind) const {
    std::vector<fs::path> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(box_.path("cache"), none)) {
      if (entry.path().filename().string().starts_with(kind + "-")) found.push_back(entry.path());
    }
    return found;
  }

  // Change an entry as nobody but this test would: the hash fits.
  void forge(const std::string& kind, const std::string& from, const std::string& to) const {
    for (const fs::path& file : entries(kind)) {
      std::stringstream text;
      text << std::ifstream(file, std::ios::binary).rdbuf();
      std::string body = text.str().substr(text.str().find('\n') + 1);
      for (std::size_t at = body.find(from); at != std::string::npos;
           at = body.find(from, at + to.size())) {
        body.replace(at, from.size(), to);
      }
      std::ofstream(file, std::ios::binary | std::ios::trunc)
          << "unmask-cache-1 " << sha256_hex(body) << "\n"
          << body;
    }
  }

  Sandbox box_;
  fs::path file_;
};

TEST_F(Memory, OfLibrariesIsUsedAndMayBeDamaged) {
  const Outcome first = box_.unmask({"plugins", "list"});
  ASSERT_EQ(entries("plugins").size(), 1U);

  forge("plugins", "projected gradient steps inside the ball", "a forged summary");
  EXPECT_THAT(box_.unmask({"plugins", "list"}).out, HasSubstr("a forged summary"));

  std::ofstream(entries("plugins")[0], std::ios::app) << "damage";
  EXPECT_EQ(box_.unmask({"plugins", "list"}).out, first.out);
  EXPECT_EQ(box_.unmask({"plugins", "list"}).out, first.out);
}

TEST_F(Memory, OfAStudyGivesTheSamePlan) {
  const std::vector<std::string> plan = {
      "plan", file_.string(), "--db", box_.database().string(), "--list"};
  const Outcome first = box_.unmask(plan);
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(entries("construction").size(), 1U);
  EXPECT_EQ(entries("dataset").size(), 1U);
  EXPECT_EQ(entries("environment").size(), 1U);

  EXPECT_EQ(box_.unmask(plan).out, first.out);

  // The memory is what answers: another content gives other keys.
  forge("dataset", "\"content_hash\":\"", "\"content_hash\":\"f");
  EXPECT_NE(box_.unmask(plan).out, first.out);
}

TEST_F(Memory, IsNotNeeded) {
  std::ofstream(box_.path("cache")) << "a file where the folder should be";

  const Outcome outcome = box_.unmask({"check", file_.string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
}

}  // namespace
}  // namespace unmask::test::start_test
