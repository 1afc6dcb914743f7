// Names, folders and descriptors as they come: nothing of them makes a bug.

#include <algorithm>
#include <filesystem>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/kernel_choice.hpp"
#include "integration/sandbox.hpp"
#include "text/shell_words.hpp"

namespace unmask::test::surroundings_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

// A line for bash, in the folder of the sandbox. `unmask` is the program.
Outcome bash(const Sandbox& box, const std::string& line) {
  const std::string program = std::string(UNMASK_BINARY_DIR) + "/bin";
  const base::ChildOutput child =
      base::run_child({"bash",
                       "-c",
                       "PATH=" + words::shell_word(program) + ":$PATH; cd " +
                           words::shell_word(box.path("").string()) + "; " + line},
                      250);
  return {child.status.exit_code.value_or(-1), child.out, child.err};
}

// One training and its clean accuracy.
constexpr const char* kLittle = "--only attack=clean,model=plain,solver=rk4 --progress none";

// Whatever the command: a word without letters is a variable of a shell that was not set.
TEST(Surroundings, AnEmptyWordIsAUsageError) {
  const Sandbox box;
  const std::string manifest = box.write("small.json", small_manifest()).string();
  const std::vector<std::pair<std::vector<std::string>, std::string>> commands = {
      {{"run", manifest, "--db", ""}, "--db \"\" is empty"},
      {{"plan", manifest, "--db", ""}, "--db \"\" is empty"},
      {{"status", "--db", ""}, "--db \"\" is empty"},
      {{"run", manifest, "--only", ""}, "--only \"\" is empty"},
      {{"report", "--out", ""}, "--out \"\" is empty"},
      {{"samples", "abcd", "--png", ""}, "--png \"\" is empty"},
      {{"plugins", "list", "--plugin-dir", ""}, "--plugin-dir \"\" is empty"},
      {{"check", ""}, "an argument is empty"},
      {{"merge", "", "other.sqlite"}, "an argument is empty"},
      {{"merge", "out.sqlite", "other.sqlite", ""}, "an argument is empty"},
      {{"db", "backup", ""}, "an argument is empty"}};

  for (const auto& [words, said] : commands) {
    const Outcome outcome = box.unmask(words);

    EXPECT_EQ(outcome.code, 2) << words[0];
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(said), HasSubstr("usage: unmask"))) << words[0];
  }
}

TEST(Surroundings, AWorkingFolderThatIsGoneIsAUsageError) {
  const Sandbox box;

  const Outcome outcome = bash(box, "mkdir gone; cd gone; rmdir ../gone; unmask status");

  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("the working folder cannot be used"));
}

TEST(Surroundings, ClosedDescriptorsNeverBecomeOurFiles) {
  const Sandbox closed;
  closed.write("small.json", small_manifest());
  const Sandbox open;
  open.write("small.json", small_manifest());
  const std::string run = std::string("unmask run small.json --db db.sqlite ") + kLittle;

  const Outcome blind = bash(closed, run + " 0<&- 1>&- 2>&-");
  ASSERT_EQ(bash(open, run).code, 0);
  const Outcome mute = bash(closed, "unmask query status --db db.sqlite 1>&-");

  EXPECT_EQ(blind.code, 0) << blind.err;
  EXPECT_EQ(closed.results(), open.results());
  EXPECT_EQ(closed.ask("PRAGMA integrity_check"), "ok\n");
  EXPECT_EQ(mute.code, 5);
  EXPECT_THAT(mute.err, HasSubstr("cannot write to standard output"));
}

// The manual allows 10,000 values. All of them reach the child that constructs them, and no command
// line is in the way.
TEST(Surroundings, ASweepMayHaveTenThousandValues) {
  const Sandbox box;
  const auto check = [&](int count) {
    std::string values;
    for (int i = 1; i <= count; ++i) values += (i > 1 ? "," : "") + std::to_string(i);
    const std::string text = R"({
      "version": 1, "name": "sweep",
      "define": {
        "dataset": { "d": { "plugin": "strokes", "params": { "train_count": 20, "test_count": 20 } } },
        "model": { "m": { "plugin": "linear" } },
        "objective": { "o": { "plugin": "cross_entropy", "params": { "epochs": 1, "batch_size": 10 } } },
        "solver": { "s": { "plugin": "euler" } },
        "attack": { "pgd": { "plugin": "pgd", "sweep": { "steps": [)" +
                             values + R"(] } } }
      },
      "train": { "matrix": { "dataset": "d", "model": "m", "objective": "o", "solver": "s" } },
      "evaluate": { "samples": 20, "matrix": { "attack": "pgd.*", "epsilon": 0.05 } }
    })";
    return box.unmask({"check", box.write("sweep.json", text).string()});
  };

  const Outcome most = check(10000);
  const Outcome more = check(10001);

  EXPECT_EQ(most.code, 0) << most.err.substr(0, 1000);
  EXPECT_EQ(more.code, 3);
}

class OddName : public ::testing::TestWithParam<const char*> {};

// A folder of this name holds manifest, images, database and everything beside it.
TEST_P(OddName, IsANameLikeAnyOther) {
  const Sandbox box;
  const std::string name = GetParam();
  const fs::path folder = box.path(name);
  fs::create_directory(folder);
  fs::rename(box.write("small.json", small_manifest()), folder / "m.json");
  const std::string manifest = (folder / "m.json").string();
  const std::string database = (folder / "r.sqlite").string();
  const auto run = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"run", manifest, "--db", database, "--progress", "none"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return box.unmask(arguments);
  };

  const Outcome check = box.unmask({"check", manifest});
  const Outcome first = run({"--only", "attack=clean,model=plain,solver=rk4"});
  const Outcome again = run({"--only", "attack=clean,model=plain,solver=rk4"});
  const Outcome json = box.unmask({"query", "runs", "--db", database, "--format", "json"});
  const Outcome plan = box.unmask({"plan", manifest, "--db", database, "--format", "json"});
  const Outcome status = box.unmask({"status", manifest, "--db", database});

  EXPECT_EQ(check.code, 0) << check.err;
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("0 cells ran, 2 were stored"));
  EXPECT_TRUE(fs::exists(folder / "checkpoints"));
  EXPECT_EQ(json.code, 0) << json.err;
  EXPECT_NO_THROW(std::ignore = nlohmann::json::parse(json.out));
  EXPECT_EQ(plan.code, 0) << plan.err;
  ASSERT_NO_THROW(std::ignore = nlohmann::json::parse(plan.out)) << plan.out;
  EXPECT_EQ(nlohmann::json::parse(plan.out).at("stored"), 2);
  EXPECT_EQ(status.code, 1) << status.err;
}

// Printed commands are pasted: what failed, and how to go on.
TEST_P(OddName, ComesBackQuoted) {
  const Sandbox box;
  const fs::path folder = box.path(GetParam());
  fs::create_directory(folder);
  std::string text = small_manifest();
  const std::string place = "\"noise\": {";
  text.replace(text.find(place),
               place.size(),
               R"("bad": { "plugin": "misbehave", "params": { "how": "throw" } }, )" + place);
  fs::rename(box.write("bad.json", text), folder / "m.json");
  const std::string database = (folder / "r.sqlite").string();
  const Outcome run = box.unmask({"run",
                                  (folder / "m.json").string(),
                                  "--db",
                                  database,
                                  "--plugin-dir",
                                  UNMASK_HARMFUL_PLUGINS,
                                  "--only",
                                  "attack=bad,model=plain,solver=rk4",
                                  "--progress",
                                  "none"});
  ASSERT_EQ(run.code, 1) << run.err;
  const std::string head = "what failed and why: ";
  const auto at = run.err.find(head);
  ASSERT_NE(at, std::string::npos) << run.err;
  const std::string command =
      run.err.substr(at + head.size(), run.err.find('\n', at) - at - head.size());

  const Outcome pasted = bash(box, command);

  EXPECT_EQ(pasted.code, 0) << command << "\n" << pasted.err;
  EXPECT_THAT(pasted.out, HasSubstr("this attack gives up"));
}

INSTANTIATE_TEST_SUITE_P(Names,
                         OddName,
                         ::testing::Values("with space",
                                           "it's \"quoted\"",
                                           "a#b%20c?d&e;$(f)",
                                           "caf\xe9",
                                           "h\xc3\xa9lo"));

// A variable of the user's that asks for other code than the processor's best.
Outcome run_with(Sandbox& box, const std::string& kernels) {
  auto variables = box.environment();
  variables.emplace_back("ATEN_CPU_CAPABILITY=default");
  box.set_environment(variables);
  const auto manifest = box.write("small.json", small_manifest());
  return box.run(manifest, {"--only", "attack=clean,model=plain,solver=rk4", "--kernels", kernels});
}

TEST(Kernels, PortableOnesAreAvx2WhateverTheSurroundingsSay) {
  Sandbox box;
  const Outcome run = run_with(box, "portable");
  if (cli::portable_obstacle(cli::this_processor())) {
    EXPECT_EQ(run.code, 2);
    EXPECT_THAT(run.err, HasSubstr("use --kernels native"));
    return;
  }
  ASSERT_EQ(run.code, 0) << run.err;

  const std::string used = box.ask("SELECT json_extract(json, '$.kernels') FROM environment");
  EXPECT_EQ(box.ask("SELECT json_extract(json, '$.kernels_choice') FROM environment"),
            "portable\n");
  EXPECT_THAT(used, HasSubstr("ATen AVX2"));
  // A LibTorch with another BLAS says nothing of OpenBLAS, one with oneDNN built in nothing of that.
  if (used.find("OpenBLAS") != std::string::npos) {
    EXPECT_THAT(used, HasSubstr("OpenBLAS Haswell"));
  }
  if (used.find("oneDNN") != std::string::npos) {
    EXPECT_THAT(used, AnyOf(HasSubstr("oneDNN avx2"), HasSubstr("oneDNN off")));
  }
}

TEST(Kernels, NativeOnesAreWhatIsThereAndDoctorSaysTheSame) {
  Sandbox box;
  const Outcome run = run_with(box, "native");
  ASSERT_EQ(run.code, 0) << run.err;
  const Outcome doctor = box.unmask({"doctor", "--kernels", "native"});

  std::string used = box.ask("SELECT json_extract(json, '$.kernels') FROM environment");
  EXPECT_EQ(box.ask("SELECT json_extract(json, '$.kernels_choice') FROM environment"), "native\n");
  EXPECT_EQ(used.find("ATen AVX"), std::string::npos) << used;
  used.erase(std::remove_if(used.begin(), used.end(), [](char c) { return c == '"' || c == '\n'; }),
             used.end());
  EXPECT_THAT(doctor.out, HasSubstr("native: " + used));
}

}  // namespace
}  // namespace unmask::test::surroundings_test
