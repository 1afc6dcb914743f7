// The commands that only look.

#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "table/table.hpp"

namespace unmask::test::commands_test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Check, SaysHowManyCellsAManifestMeans) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"check", box.write("small.json", small_manifest()).string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("no errors; 2 trainings"));
}

TEST(Check, GivesErrorsAsJsonForEditors) {
  const Sandbox box;

  const Outcome outcome =
      box.unmask({"check", box.write("x.json", R"({"version": 2})").string(), "--format", "json"});

  EXPECT_EQ(outcome.code, 3);
  EXPECT_FALSE(nlohmann::json::parse(outcome.out).at("errors").empty());
}

// Declared parameters cannot say that a Butcher tableau is not of its order.
TEST(Check, NamesWhatAPluginRefusesWhenItIsConstructed) {
  const Sandbox box;
  std::string manifest = small_manifest();
  const std::string rk4 = R"("rk4":   { "plugin": "rk4" })";
  const std::string table =
      R"("rk4": { "plugin": "rk_tableau", "params": { "order": 2, "a": [0.5], "b": [0.5, 0.5] } })";
  manifest.replace(manifest.find(rk4), rk4.size(), table);
  const std::string file = box.write("table.json", manifest).string();

  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"check", file},
        std::vector<std::string>{"run", file, "--db", box.database().string()}}) {
    const Outcome outcome = box.unmask(command);

    EXPECT_EQ(outcome.code, 3) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("solver \"rk4\": "));
    EXPECT_THAT(outcome.err, HasSubstr("order 2"));
    EXPECT_FALSE(std::filesystem::exists(box.database()));
  }
}

TEST(Plan, CountsStoredAndMissingCells) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  const auto plan = [&] {
    const Outcome outcome = box.unmask(
        {"plan", manifest.string(), "--db", box.database().string(), "--format", "json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  };

  const auto before = plan();
  ASSERT_EQ(box.run(manifest, {"--only", "kind=train"}).code, 0);
  const auto after = plan();

  EXPECT_EQ(before.at("stored"), 0);
  EXPECT_EQ(before.at("cells").size(), before.at("total"));
  EXPECT_EQ(after.at("stored"), 2);
  EXPECT_EQ(after.at("total"), before.at("total"));
}

TEST(Plan, ListsCellsAndSaysHowTheyWouldRun) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plan",
                                      box.write("small.json", small_manifest()).string(),
                                      "--list",
                                      "--workers",
                                      "3",
                                      "--device",
                                      "cpu",
                                      "--db",
                                      box.database().string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("3 workers x 1 thread on cpu"));
  EXPECT_THAT(outcome.out, HasSubstr("train ode/strokes/natural/bosh3 seed 0"));
}

TEST(Explain, SaysWhoComputedACellOrWhatOfItsKeyIsOther) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  ASSERT_EQ(box.run(manifest, {"--only", "attack=noise,model=plain,solver=rk4"}).code, 0);
  const auto explain = [&](const std::string& filter) {
    return box.unmask(
        {"explain", manifest.string(), filter, "--all", "--db", box.database().string()});
  };

  EXPECT_THAT(explain("kind=train,model=plain").out, HasSubstr("1 cell is stored: by run 1 on "));
  EXPECT_THAT(explain("attack=noise,model=plain,solver=bosh3,gradient=@eval").out,
              HasSubstr("the nearest stored cell differs in solver (plugin): rk4 -> bosh3"));

  std::string text = small_manifest();
  const std::string repeats = "\"repeats\": 3", epochs = "\"epochs\": 2";
  text.replace(text.find(repeats), repeats.size(), "\"repeats\": 4");
  box.write("small.json", text);
  EXPECT_THAT(explain("attack=noise,model=plain,solver=rk4,gradient=@eval").out,
              HasSubstr("what is stored under its name differs in attack.repeats: 3 -> 4"));
  text.replace(text.find(epochs), epochs.size(), "\"epochs\": 3");
  box.write("small.json", text);
  EXPECT_THAT(explain("attack=noise,model=plain,solver=rk4,gradient=@eval").out,
              HasSubstr("attack.repeats: 3 -> 4, training's objective.epochs: 2 -> 3"));
}

TEST(Plugins, ShowTellsEveryParameterOfTheSolverAndItsDriver) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "show", "dopri5"});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* name : {"preset",
                           "rtol",
                           "control",
                           "controller",
                           "step_gradient",
                           "gradient",
                           "end",
                           "first_step"}) {
    EXPECT_THAT(outcome.out, HasSubstr(name));
  }
}

TEST(Plugins, AnUnknownIdGetsASuggestionAndExitCodeFour) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"plugins", "show", "bosh4"});

  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"bosh3\"?"));
}

TEST(Plugins, CheckAcceptsOneLibraryAndRefusesAnother) {
  const Sandbox box;
  const std::string good = std::string(UNMASK_BINARY_DIR) + "/lib/unmask/plugins/solver_rk4.so";

  EXPECT_EQ(box.unmask({"plugins", "check", good}).code, 0);
  EXPECT_EQ(box.unmask({"plugins", "check", box.write("a.so", "text").string()}).code, 4);
}

TEST(Query, AnswersNamedQueriesInEveryFormat) {
  const Sandbox box;
  ASSERT_EQ(
      box.run(box.write("small.json", small_manifest()), {"--only", "attack=clean,model=plain"})
          .code,
      0);

  for (const char* format : {"table", "csv", "json", "markdown", "latex"}) {
    const Outcome outcome =
        box.unmask({"query", "accuracy", "--db", box.database().string(), "--format", format});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("plain")) << format;
  }
}

// In the format table only; a program that reads another one finds every column at its place.
TEST(Query, SaysOnceWhatIsTheSameInAllRows) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest()), {"--only", "kind=train"}).code, 0);
  // Cells that --only left out of the run are in its plan.
  const std::vector<std::string> command{
      "query", "cells", "--only", "kind=train", "--db", box.database().string()};
  std::vector<std::string> csv = command;
  csv.insert(csv.end(), {"--format", "csv"});

  EXPECT_THAT(box.unmask(command).out, StartsWith("study = small, kind = train, "));
  EXPECT_THAT(box.unmask(csv).out, StartsWith("study,kind,dataset,"));
}

TEST(Query, NamesWhatTheWorstCaseStillMisses) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest()),
                    {"--only", "attack=pgd,model=plain,solver=rk4,gradient=@eval"})
                .code,
            0);

  const Outcome outcome = box.unmask({"query",
                                      "robustness",
                                      "--only",
                                      "attack=all*,model=plain,solver=* rk4",
                                      "--db",
                                      box.database().string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("all so far (1 of 2)"));
  EXPECT_THAT(outcome.out, HasSubstr("missing: noise"));
  EXPECT_EQ(box.ask("SELECT n_missing FROM worst_case WHERE model = 'plain' AND solver = 'rk4'"),
            "1\n");
}

// Everything that can differ does, and names are as long as people make them.
TEST(Query, RobustnessFitsAHundredColumns) {
  const Sandbox box;
  const auto manifest = box.write("wide.json", R"j({
    "version": 1, "name": "wide",
    "define": {
      "dataset": { "strokes-of-two-classes": { "plugin": "strokes", "params": { "train_count": 20, "test_count": 20 } },
                   "strokes-of-many-classes": { "plugin": "strokes", "params": { "train_count": 40, "test_count": 20 } } },
      "model": { "linear-classifier": { "plugin": "linear" }, "multi-layer-perceptron": { "plugin": "mlp" } },
      "objective": { "natural-training": { "plugin": "cross_entropy", "params": { "epochs": 1, "batch_size": 10 } },
                     "natural-training-twice": { "plugin": "cross_entropy", "params": { "epochs": 2, "batch_size": 10 } } },
      "solver": { "euler": { "plugin": "euler" }, "heun2": { "plugin": "heun2" } },
      "attack": { "projected-gradient": { "plugin": "pgd" }, "deepfool": { "plugin": "deepfool" } }
    },
    "train": { "matrix": { "dataset": "*", "model": "*", "objective": "*", "solver": "*", "seed": [0, 1] } },
    "evaluate": { "samples": 10,
      "matrix": { "attack": "*", "epsilon": [0.015625, 0.25], "solver": ["@train", "heun2"], "gradient": ["@eval", "euler"],
                  "seed": [0, 1] } }
  })j");
  ASSERT_EQ(
      box.run(manifest,
              {"--only",
               "dataset=*two*,model=linear*,objective=*training,train_solver=euler,train_seed=0"})
          .code,
      0);

  const Outcome outcome = box.unmask({"query", "robustness", "--db", box.database().string()});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(table::display_width(line), 100U) << line;
  }
  EXPECT_THAT(outcome.out,
              HasSubstr("\ndataset = strokes-of-many-classes, model = linear-classifier"));
  EXPECT_THAT(outcome.out, HasSubstr("projected-gradient"));
}

TEST(Query, FiltersByAnyColumnAndSuggestsOne) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest()), {"--only", "kind=train"}).code, 0);

  const Outcome wrong =
      box.unmask({"query", "cells", "--only", "modle=plain", "--db", box.database().string()});
  const Outcome no_pattern =
      box.unmask({"query", "cells", "--only", "plain", "--db", box.database().string()});
  const Outcome no_run =
      box.unmask({"query", "cells", "--run", "99", "--db", box.database().string()});

  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("the answer has no column \"modle\""));
  EXPECT_THAT(wrong.err, HasSubstr("\"model\""));
  EXPECT_EQ(no_pattern.code, 2);
  EXPECT_THAT(no_pattern.err, HasSubstr("is not column=pattern"));
  EXPECT_EQ(no_run.code, 2);
  EXPECT_THAT(no_run.err, HasSubstr("there is no run 99"));
}

TEST(Query, RefusesToChangeAnything) {
  const Sandbox box;
  ASSERT_EQ(
      box.run(box.write("small.json", small_manifest()), {"--only", "kind=train,model=plain"}).code,
      0);

  const Outcome outcome =
      box.unmask({"query", "DELETE FROM cell", "--db", box.database().string()});

  EXPECT_EQ(outcome.code, 5);
  EXPECT_NE(box.ask("SELECT count(*) FROM cell"), "0\n");
}

TEST(Query, AnswersWithTheSqliteShellAlone) {
  if (std::system("command -v sqlite3 >/dev/null") != 0) GTEST_SKIP() << "sqlite3 is not installed";
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest())).code, 0);

  for (const char* view :
       {"accuracy", "worst_case", "worst_case_sample", "evaluations_per_solve", "cost"}) {
    const auto answer = base::run_child({"sqlite3",
                                         "-readonly",
                                         box.database().string(),
                                         std::string("SELECT count(*) > 0 FROM ") + view},
                                        30);
    EXPECT_EQ(answer.out, "1\n") << view << ": " << answer.err;
  }
}

TEST(Status, SaysWhatIsLeft) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  ASSERT_EQ(box.run(manifest, {"--only", "kind=train"}).code, 0);

  const Outcome outcome =
      box.unmask({"status", manifest.string(), "--db", box.database().string()});

  EXPECT_EQ(outcome.code, 1) << "not everything is done";
  EXPECT_THAT(outcome.out, HasSubstr("train"));
}

TEST(Doctor, ShowsWhatTheInstallationComputesWith) {
  const Sandbox box;

  const Outcome outcome = box.unmask({"doctor"});

  // Where oneDNN computes wrong it is left out, and that is a warning.
  const bool has_warning = outcome.out.find("oneDNN off") != std::string::npos;
  EXPECT_EQ(outcome.code, has_warning ? 4 : 0) << outcome.out << outcome.err;
  for (const char* name : {"LibTorch", "BLAS", "CUDA devices", "SQLite", "plugin folder"}) {
    EXPECT_THAT(outcome.out, HasSubstr(name));
  }
}

TEST(Help, EveryCommandExplainsItself) {
  const Sandbox box;

  // The overview names them, two spaces before each.
  std::istringstream overview(box.unmask({"--help"}).out);
  std::size_t commands = 0;
  for (std::string line; std::getline(overview, line);) {
    if (!line.starts_with("  ") || line.size() < 3 || line[2] == ' ') continue;
    const std::string command = line.substr(2, line.find(' ', 2) - 2);
    ++commands;
    const Outcome outcome = box.unmask({command, "--help"});
    EXPECT_EQ(outcome.code, 0) << command;
    EXPECT_THAT(outcome.out, HasSubstr("usage: unmask " + command));
  }
  EXPECT_GT(commands, 20u);
}

}  // namespace
}  // namespace unmask::test::commands_test
