// Failures and what follows from them, with real plugins; what is refused for safety's sake; care of
// a database from the command line.

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "integration/sandbox.hpp"

namespace unmask::test::reliability_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The attack "bad" with three seeds, and that alone.
Outcome run_bad(const Sandbox& box,
                const std::string& definition,
                const std::vector<std::string>& more = {}) {
  std::string manifest = with_attack(definition);
  const std::string seed = "\"seed\": [0], \"gradient\": [\"@eval\", \"rk4\"]";
  manifest.replace(
      manifest.find(seed), seed.size(), "\"seed\": [0, 1, 2], \"gradient\": [\"@eval\"]");
  std::vector<std::string> arguments = {"run",
                                        box.write("bad.json", manifest).string(),
                                        "--db",
                                        box.database().string(),
                                        "--plugin-dir",
                                        UNMASK_HARMFUL_PLUGINS,
                                        "--progress",
                                        "plain",
                                        "--workers",
                                        "1",
                                        "--only",
                                        "attack=bad,model=plain,solver=bosh3"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return box.unmask(arguments);
}

TEST(Reliability, AnAttackThatCrashedTwiceIsNotStartedInItsOtherCells) {
  const Sandbox box;

  const Outcome outcome = run_bad(box, R"({ "plugin": "segfault" })");

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(box.ask("SELECT count(*), count(DISTINCT a.cell_id) FROM attempt a "
                    "JOIN cells c ON c.cell_id = a.cell_id WHERE c.method = 'bad'"),
            "2,1\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM run_cell WHERE how = 'skipped' "
                    "AND reason LIKE '%\"bad\" on \"plain\" is quarantined%'"),
            "2\n");
  EXPECT_THAT(box.ask("SELECT message FROM failures"), HasSubstr("is quarantined"));
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("skip   2 cells: "),
                    HasSubstr("plugins: attack segfault, "),
                    HasSubstr("alone: unmask exec ")));
}

TEST(Reliability, ADefinitionsLimitOfTimeHoldsAndIsRetriedWhenAsked) {
  const Sandbox box;

  const Outcome outcome =
      run_bad(box,
              R"({ "plugin": "misbehave", "params": { "how": "hang" }, "timeout": "1s" })",
              {"--retry", "timeout=1", "--max-failures", "1"});

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(box.ask("SELECT DISTINCT failure_class, message, attempt FROM failures"),
            "timeout,no result after 1 s,2\n");
  EXPECT_THAT(outcome.err, HasSubstr("a cell failed: no further cell begins"));
}

TEST(Reliability, ACellInThisProcessGivesWhatItGivesInAChild) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  ASSERT_EQ(box.run(manifest, {"--only", "attack=clean,model=plain"}).code, 0);
  std::string key = box.ask("SELECT c.key FROM accuracy a JOIN cell c ON c.id = a.cell_id LIMIT 1");
  key.pop_back();
  const std::vector<std::string> arguments = {
      "exec", manifest.string(), "--cell", key, "--db", box.database().string()};
  std::vector<std::string> here = arguments;
  here.emplace_back("--in-process");

  const Outcome in_child = box.unmask(arguments);
  const Outcome in_process = box.unmask(here);

  ASSERT_EQ(in_child.code, 0) << in_child.err;
  ASSERT_EQ(in_process.code, 0) << in_process.err;
  const auto expected = nlohmann::json::parse(in_child.out);
  const auto found = nlohmann::json::parse(in_process.out);
  EXPECT_EQ(found.at("outcomes"), expected.at("outcomes"));
  EXPECT_EQ(found.at("metrics"), expected.at("metrics"));
}

TEST(Reliability, WrongNumbersAreUsageErrors) {
  const Sandbox box;
  const std::string manifest = box.write("small.json", small_manifest()).string();

  for (const std::vector<std::string>& options : {std::vector<std::string>{"--retry", "often"},
                                                  {"--max-failures", "0"},
                                                  {"--recycle", "-1"}}) {
    std::vector<std::string> arguments = {"run", manifest};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Outcome outcome = box.unmask(arguments);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(options[0]));
  }
}

TEST(Reliability, AFolderThatEverybodyMayWriteLendsNoPlugins) {
  const Sandbox box;
  const fs::path folder = box.path("open");
  fs::create_directories(folder);
  fs::copy(fs::path(UNMASK_HARMFUL_PLUGINS) / "attack_misbehave.so", folder);
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  const auto manifest = box.write("bad.json", with_attack(R"({ "plugin": "misbehave" })"));
  const std::string library = (folder / "attack_misbehave.so").string();

  const Outcome checked = box.unmask({"check", manifest.string(), "--plugin-dir", folder.string()});
  const Outcome looked = box.unmask({"plugins", "check", library});

  EXPECT_EQ(checked.code, 3);
  EXPECT_THAT(checked.err,
              AllOf(HasSubstr("unknown attack plugin \"misbehave\""), HasSubstr("chmod o-w /")));
  EXPECT_EQ(looked.code, 4);
  EXPECT_THAT(looked.err, HasSubstr("chmod o-w /"));
}

TEST(Care, OfADatabaseFromTheCommandLine) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  const std::string database = box.database().string();
  const std::string sealed = box.path("sealed.sqlite").string();
  ASSERT_EQ(box.run(manifest, {"--only", "attack=clean,model=plain"}).code, 0);
  const fs::path stray = box.path("checkpoints") / "ab" / "ab.safetensors";
  base::write_file_atomically(stray, "x");

  const Outcome info = box.unmask({"db", "info", "--db", database, "--check", "--format", "csv"});
  const Outcome seal = box.unmask({"db", "seal", sealed, "--db", database});
  const Outcome query = box.unmask({"query", "accuracy", "--db", sealed});
  const Outcome run = box.unmask({"run", manifest.string(), "--db", sealed});
  const Outcome listed = box.unmask({"db", "gc", "--db", database});
  const bool was_there = fs::exists(stray);
  const Outcome removed = box.unmask({"db", "gc", "--db", database, "--yes"});

  EXPECT_EQ(info.code, 0) << info.err;
  EXPECT_THAT(info.out, AllOf(HasSubstr("integrity check,ok"), HasSubstr("foreign keys,ok")));
  EXPECT_EQ(seal.code, 0) << seal.err;
  EXPECT_EQ(query.code, 0) << query.err;
  EXPECT_EQ(run.code, 5);
  EXPECT_THAT(run.err, HasSubstr("was sealed at"));
  EXPECT_THAT(listed.out, HasSubstr(stray.filename().string()));
  EXPECT_TRUE(was_there);
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_FALSE(fs::exists(stray));
  // What the database refers to is still there: nothing has to run again.
  EXPECT_THAT(box.run(manifest, {"--only", "attack=clean,model=plain"}).err,
              HasSubstr("0 cells ran"));
}

}  // namespace
}  // namespace unmask::test::reliability_test
