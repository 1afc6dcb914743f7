// Correct manifests expand to exactly the cells that they describe.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_catalog.hpp"
#include "manifest/reader.hpp"
#include "unmask/sha256.hpp"

namespace unmask::manifest::good_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;

const fs::path kGood = fs::path(UNMASK_TEST_DATA) / "manifests" / "good";

// A folder of its own for every test.
class GoodManifest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string pattern =
        (fs::temp_directory_path() / (std::string("unmask-") + info->name() + "-XXXXXX")).string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  // A study with two checkpoints, "ode" under rk4 and under dopri5; `evaluate` and `extra` are
  // JSON.
  Study study(const std::string& evaluate, const std::string& extra = "") {
    return read(write("study.json", text(evaluate, extra)));
  }

  static std::string text(const std::string& evaluate, const std::string& extra = "") {
    return R"({ "version": 1,
      "define": {
        "dataset": { "digits": { "plugin": "digits" } },
        "model": { "ode": { "plugin": "odenet" } },
        "objective": { "std": { "plugin": "erm" } },
        "solver": { "rk4": { "plugin": "rk4" }, "dopri5": { "plugin": "dopri5" },
                    "tight": { "extends": "dopri5", "params": { "rtol": 1e-9 } } },
        "attack": { "pgd": { "plugin": "pgd", "params": { "step_size": "${epsilon}/4" } },
                    "square": { "plugin": "square" } },
        "probe": { "norm": { "plugin": "gradient_norm" },
                   "ball": { "plugin": "elasticity", "params": { "radius": "${epsilon}*2" } } } },
      "train": { "matrix": { "dataset": "digits", "model": "ode", "objective": "std",
                             "solver": ["rk4", "dopri5"] } },
      "evaluate": )" +
           evaluate + extra + " }";
  }

  static Study read(const fs::path& file) {
    ReadResult result = read_study(file, testing::fake_catalog());
    EXPECT_EQ(to_text(result.errors), "");
    if (!result.study) throw std::runtime_error("not a study");
    return std::move(*result.study);
  }

  fs::path folder_;
};

// "solver attack epsilon gradient seed" of a row, for comparing whole expansions.
std::string line(const Study& study, const EvaluateRow& row) {
  return study.train[row.checkpoint].solver->name + "|" + row.solver->name + " " +
         wire::to_string(row.kind) + " " + row.method->name + " " + row.epsilon_text + " " +
         (row.gradient ? row.gradient->name : "-") + " " + std::to_string(row.seed);
}

std::vector<std::string> lines(const Study& study) {
  std::vector<std::string> out;
  for (const EvaluateRow& row : study.evaluate) out.push_back(line(study, row));
  return out;
}

TEST_F(GoodManifest, WorkedExampleHasThirtyTrainings) {
  const Study study = read(kGood / "masking.json");

  // Grid: 1 data set x 2 models (ode, ode-wide) x 2 objectives x 2 solvers x 3 seeds = 24;
  // added: resnet x 2 objectives x 3 seeds = 6.
  EXPECT_EQ(study.train.size(), 30U);
}

TEST_F(GoodManifest, WorkedExampleHas216EvaluationsAnd84Excluded) {
  const Study study = read(kGood / "masking.json");

  // 30 checkpoints x 2 solvers x (2 attacks x 2 epsilons + 1 clean) = 300 rows. The first rule
  // takes 6 checkpoints x 1 solver x 5 = 30; the second 30 x 2 x 1 = 60, of which 6 x 1 are taken
  // already.
  EXPECT_EQ(study.evaluate.size(), 216U);
  EXPECT_EQ(study.excluded.size(), 84U);
  // 54 clean cells: 60 without resnet under dopri5-tight.
  EXPECT_EQ(std::count_if(study.evaluate.begin(),
                          study.evaluate.end(),
                          [](const EvaluateRow& row) { return row.method->name == "clean"; }),
            54);
}

TEST_F(GoodManifest, FirstDeclaredAxisIsSlowest) {
  const Study study = read(kGood / "masking.json");

  EXPECT_EQ(study.train[0].model->name, "ode");
  EXPECT_EQ(study.train[1].seed, 1);
  EXPECT_EQ(study.train[3].solver->name, "dopri5");
  EXPECT_EQ(study.train[6].objective->name, "trades");
  EXPECT_EQ(study.train[12].model->name, "ode-wide");
  EXPECT_EQ(study.train[24].model->name, "resnet");
}

TEST_F(GoodManifest, AxesListValuesInOrderOfAppearance) {
  const Study study = read(kGood / "masking.json");

  EXPECT_THAT(study.train_axes.at("model"), ElementsAre("ode", "ode-wide", "resnet"));
  EXPECT_THAT(study.train_axes.at("seed"), ElementsAre("0", "1", "2"));
  EXPECT_THAT(study.evaluate_axes.at("attack"), ElementsAre("clean", "pgd40", "square"));
  EXPECT_THAT(study.evaluate_axes.at("epsilon"), ElementsAre("2/255", "8/255"));
}

TEST_F(GoodManifest, ExcludedRowsSayWhy) {
  const Study study = read(kGood / "masking.json");

  std::set<std::string> whys;
  for (const ExcludedRow& row : study.excluded) whys.insert(row.why);
  EXPECT_THAT(whys, ElementsAre("no ODE block to re-solve", "saturates"));
}

TEST_F(GoodManifest, FileExtendsLaysThisFileOverItsBase) {
  const Study study = read(kGood / "masking.json");

  EXPECT_EQ(study.name, "digits-masking");
  EXPECT_EQ(study.eval_samples, 500);
  EXPECT_EQ(study.eval_batch_size, 50);
  EXPECT_EQ(study.run.workers, 2);
  EXPECT_EQ(study.run.timeout_s, 1800.0);
  EXPECT_EQ(study.run.retries, (wire::RetryLimits{{wire::FailureClass::kCrash, 2}}));
}

TEST_F(GoodManifest, TextIsVerbatim) {
  const Study study = read(kGood / "masking.json");

  EXPECT_EQ(study.text.substr(0, 7), "// The ");
  EXPECT_EQ(study.sha256, sha256_file(kGood / "masking.json"));
}

TEST_F(GoodManifest, DefinitionsAreCompleteAndCanonical) {
  const Study study = read(kGood / "masking.json");

  const json& params = study.train[3].solver->params;
  EXPECT_TRUE(params.at("rtol").is_number_float());
  EXPECT_EQ(params.at("max_attempts"), json(10000));
  EXPECT_TRUE(params.at("max_attempts").is_number_integer());
  EXPECT_FALSE(params.contains("first_step"));
  // 6 was written for a real: it is stored as 6.0, so that 6 and 6.0 make one key.
  EXPECT_EQ(study.train[6].objective->params.at("beta").dump(), "6.0");
}

TEST_F(GoodManifest, ExtendsOverridesOneKeyAndKeepsTheRest) {
  const Study s = study(R"({ "matrix": { "solver": "tight", "clean": true } })");

  EXPECT_EQ(s.evaluate[0].solver->plugin, "dopri5");
  EXPECT_EQ(s.evaluate[0].solver->params.at("rtol"), json(1e-9));
  EXPECT_EQ(s.evaluate[0].solver->params.at("atol"), json(1e-3));
}

TEST_F(GoodManifest, NullTakesAnInheritedParameterAway) {
  const fs::path file = write("study.json", R"({ "version": 1, "define": {
      "dataset": { "d": { "plugin": "digits" } }, "model": { "m": { "plugin": "odenet" } },
      "objective": { "o": { "plugin": "erm" } },
      "solver": { "base": { "plugin": "dopri5", "params": { "first_step": 0.1, "rtol": 0.5 } },
                  "free": { "extends": "base", "params": { "first_step": null, "rtol": null } } } },
    "train": { "matrix": { "dataset": "d", "model": "m", "objective": "o", "solver": "free" } } })");

  const Study s = read(file);

  EXPECT_FALSE(s.train[0].solver->params.contains("first_step"));
  EXPECT_EQ(s.train[0].solver->params.at("rtol"), json(1e-3));
}

TEST_F(GoodManifest, EpsilonIsReplacedPerRow) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "attack": "pgd",
                                         "epsilon": ["8/255", 0.5] } })");

  ASSERT_EQ(s.evaluate.size(), 2U);
  EXPECT_EQ(s.evaluate[0].epsilon, 8.0 / 255.0);
  EXPECT_EQ(s.evaluate[0].epsilon_text, "8/255");
  EXPECT_EQ(s.evaluate[0].method->params.at("step_size"), json(8.0 / 255.0 / 4.0));
  EXPECT_EQ(s.evaluate[1].epsilon_text, "0.5");
  EXPECT_EQ(s.evaluate[1].method->params.at("step_size"), json(0.125));
}

TEST_F(GoodManifest, TrainTokenFollowsTheCheckpoint) {
  const Study s = study(R"({ "matrix": { "solver": ["@train", "rk4"], "clean": true } })");

  // The rk4 network under @train and under rk4 is one cell.
  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack clean  - 0",
                          "dopri5|dopri5 attack clean  - 0",
                          "dopri5|rk4 attack clean  - 0"));
  EXPECT_EQ(s.evaluate_duplicates, 1U);
}

TEST_F(GoodManifest, GradientEqualToTheSolverIsNoGradientOfItsOwn) {
  const Study s =
      study(R"({ "matrix": { "checkpoint": "*/rk4/*", "solver": ["rk4"], "attack": "pgd",
                             "epsilon": 0.1, "gradient": ["@eval", "rk4", "dopri5"] } })");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack pgd 0.1 - 0", "rk4|rk4 attack pgd 0.1 dopri5 0"));
  EXPECT_EQ(s.evaluate_duplicates, 1U);
  EXPECT_THAT(s.evaluate_axes.at("gradient"), ElementsAre("@eval", "dopri5"));
}

TEST_F(GoodManifest, GradientFreeAttackCollapsesTheGradientAxis) {
  const Study s =
      study(R"({ "matrix": { "checkpoint": "*/rk4/*", "attack": "square", "epsilon": 0.1,
                             "gradient": ["@eval", "dopri5", "tight"] } })");

  EXPECT_THAT(lines(s), ElementsAre("rk4|rk4 attack square 0.1 - 0"));
  EXPECT_EQ(s.evaluate_duplicates, 2U);
}

// The two checkpoints are "ode" under rk4 (0) and under dopri5 (1).
std::vector<std::string> sources(const Study& study) {
  std::vector<std::string> out;
  for (const EvaluateRow& row : study.evaluate) {
    out.push_back(std::to_string(row.checkpoint) + " from " +
                  (row.source ? row.source->name + " = " + std::to_string(row.source->checkpoint) +
                                    " under " + row.source->solver->name
                              : "itself"));
  }
  return out;
}

TEST_F(GoodManifest, SourceIsACheckpointUnderTheSolverOfItsTraining) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "attack": "pgd", "epsilon": 0.1,
                                         "source": ["@self", "*/dopri5/*"] } })");

  EXPECT_THAT(sources(s),
              ElementsAre("0 from itself", "0 from ode/digits/std/dopri5/0 = 1 under dopri5"));
  EXPECT_THAT(s.evaluate_axes.at("source"), ElementsAre("@self", "ode/digits/std/dopri5/0"));
}

TEST_F(GoodManifest, SourceMayHaveAnotherSolver) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "attack": "pgd", "epsilon": 0.1,
                                         "source": ["@self:tight", "*/dopri5/*:t*"] } })");

  EXPECT_THAT(sources(s),
              ElementsAre("0 from @self:tight = 0 under tight",
                          "0 from ode/digits/std/dopri5/0:tight = 1 under tight"));
}

TEST_F(GoodManifest, SourceThatIsTheNetworkItselfIsNoSource) {
  const Study s = study(R"({ "matrix": { "attack": "pgd", "epsilon": 0.1,
                                         "source": ["ode", "@self:@train", "@self"] } })");

  EXPECT_THAT(sources(s),
              ElementsAre("0 from itself",
                          "0 from ode/digits/std/dopri5/0 = 1 under dopri5",
                          "1 from ode/digits/std/rk4/0 = 0 under rk4",
                          "1 from itself"));
}

// Under dopri5 the network that was trained under rk4 is attacked on itself under rk4.
TEST_F(GoodManifest, SourceUnderItsTrainingSolverDiffersFromTheEvaluation) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "solver": "dopri5",
                                         "attack": "pgd", "epsilon": 0.1, "source": "ode" } })");

  EXPECT_THAT(sources(s),
              ElementsAre("0 from @self:rk4 = 0 under rk4",
                          "0 from ode/digits/std/dopri5/0 = 1 under dopri5"));
}

TEST_F(GoodManifest, GradientSolverOfASourceIsComparedWithTheSourcesOwn) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "attack": "pgd", "epsilon": 0.1,
                                         "source": "*/dopri5/*",
                                         "gradient": ["dopri5", "rk4"] } })");

  EXPECT_THAT(lines(s), ElementsAre("rk4|rk4 attack pgd 0.1 - 0", "rk4|rk4 attack pgd 0.1 rk4 0"));
}

TEST_F(GoodManifest, SourceOfAnotherDataSetIsLeftOut) {
  write("base.json", text(R"({ "matrix": { "attack": "pgd", "epsilon": 0.1, "source": "ode" } })"));
  const Study s = read(write("study.json", R"({ "version": 1, "extends": ["base.json"],
      "define": { "dataset": { "more": { "plugin": "digits" } } },
      "train": { "matrix": { "dataset": ["digits", "more"], "solver": ["rk4"] } } })"));

  EXPECT_THAT(sources(s), ElementsAre("0 from itself", "1 from itself"));
  ASSERT_EQ(s.excluded.size(), 2U);
  EXPECT_EQ(s.excluded[0].why, "the source was trained on another data set");
}

TEST_F(GoodManifest, RulesKnowSources) {
  const Study s = study(R"({ "matrix": { "attack": "pgd", "epsilon": 0.1, "source": ["ode"] },
                             "exclude": [ { "source": "@self" },
                                          { "source": "*/rk4/*", "checkpoint": "*/dopri5/*" } ] })");

  EXPECT_THAT(sources(s), ElementsAre("0 from ode/digits/std/dopri5/0 = 1 under dopri5"));
}

TEST_F(GoodManifest, GradientMayBeAMeanOfSolvers) {
  const Study s = study(R"j({ "matrix": { "checkpoint": "*/rk4/*", "attack": "pgd", "epsilon": 0.1,
                              "gradient": ["mean(@eval, tight)", "mean( t*,dop* )"] } })j");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack pgd 0.1 mean(@eval,tight) 0",
                          "rk4|rk4 attack pgd 0.1 mean(tight,dopri5) 0"));
  ASSERT_EQ(s.evaluate[0].gradient->solvers.size(), 2U);
  EXPECT_EQ(s.evaluate[0].gradient->solvers[0]->name, "rk4");
  EXPECT_EQ(s.evaluate[0].gradient->solvers[1]->name, "tight");
}

TEST_F(GoodManifest, RulesKnowMeans) {
  const Study s = study(R"j({ "matrix": { "attack": "pgd", "epsilon": 0.1,
                                          "gradient": ["@eval", "mean(tight,rk4)"] },
                              "exclude": [ { "gradient": "mean(*" } ] })j");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack pgd 0.1 - 0", "dopri5|dopri5 attack pgd 0.1 - 0"));
}

TEST_F(GoodManifest, EveryClassOfFailureButInterruptionHasItsRetries) {
  const Study s = study(R"({ "matrix": { "attack": "pgd", "epsilon": 0.1 } })",
                        R"(, "run": { "retries": { "timeout": 2, "oom": 0 } })");

  EXPECT_EQ(s.run.retries,
            (wire::RetryLimits{{wire::FailureClass::kTimeout, 2},
                               {wire::FailureClass::kOutOfMemory, 0}}));
}

TEST_F(GoodManifest, ADefinitionHasItsOwnLimitAndHandsItOn) {
  write("base.json",
        R"({ "define": { "attack": { "slow": { "plugin": "pgd", "params": { "step_size": 0.1 },
                                               "timeout": "2h" },
                                     "child": { "extends": "slow", "params": { "steps": 3 } },
                                     "both": { "members": ["slow", "pgd"], "timeout": 90 } },
                         "objective": { "std": { "timeout": "1.5m" } } } })");
  const Study s = study(R"({ "matrix": { "attack": ["slow", "child", "both", "pgd"],
                                         "epsilon": 0.1, "checkpoint": "*/rk4/*" } })",
                        R"(, "extends": ["base.json"])");

  std::map<std::string, std::optional<double>> limits;
  for (const EvaluateRow& row : s.evaluate) limits[row.method->name] = row.method->timeout_s;
  EXPECT_EQ(limits,
            (std::map<std::string, std::optional<double>>{
                {"slow", 7200}, {"child", 7200}, {"both", 90}, {"pgd", std::nullopt}}));
  EXPECT_EQ(s.train[0].objective->timeout_s, 90);
}

TEST_F(GoodManifest, AdversarialImagesAreKeptOnRequest) {
  const std::string matrix = R"("matrix": { "attack": "pgd", "epsilon": 0.1 })";

  EXPECT_FALSE(study("{ " + matrix + " }").keeps_adversarials);
  EXPECT_TRUE(study("{ " + matrix + R"(, "save": "adversarials" })").keeps_adversarials);
}

TEST_F(GoodManifest, ProbesAreCrossedWithEpsilonOnlyWhenTheyUseIt) {
  const Study s =
      study(R"({ "matrix": { "checkpoint": "*/rk4/*", "epsilon": [0.1, 0.2], "seed": [0, 1],
                             "probes": ["norm", "ball"] } })");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 probe norm  - 0",
                          "rk4|rk4 probe norm  - 1",
                          "rk4|rk4 probe ball 0.1 - 0",
                          "rk4|rk4 probe ball 0.1 - 1",
                          "rk4|rk4 probe ball 0.2 - 0",
                          "rk4|rk4 probe ball 0.2 - 1"));
  EXPECT_EQ(s.evaluate[2].method->params.at("radius"), json(0.2));
}

TEST_F(GoodManifest, ZipGroupIsOneDimension) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "seed": [0, 1],
      "zip": { "attack": ["pgd", "square"], "epsilon": ["8/255", 0.5] } } })");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack pgd 8/255 - 0",
                          "rk4|rk4 attack square 0.5 - 0",
                          "rk4|rk4 attack pgd 8/255 - 1",
                          "rk4|rk4 attack square 0.5 - 1"));
}

TEST_F(GoodManifest, ZipEntryMayBeAGlob) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*",
      "zip": [{ "attack": ["*", "pgd"], "epsilon": [0.1, 0.2] }] } })");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack pgd 0.1 - 0",
                          "rk4|rk4 attack square 0.1 - 0",
                          "rk4|rk4 attack pgd 0.2 - 0"));
}

TEST_F(GoodManifest, NegationTakesNamesAway) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "solver": ["!rk4", "!t*"],
                             "clean": true } })");

  EXPECT_THAT(lines(s), ElementsAre("rk4|dopri5 attack clean  - 0"));
}

TEST_F(GoodManifest, AddedCellsMultiplyTheirLists) {
  const Study s =
      study(R"({ "add": [ { "checkpoint": "ode/digits/std/rk4/0", "solver": ["rk4", "tight"],
      "attack": "pgd", "epsilon": "1/8", "gradient": "@eval" },
      { "checkpoint": "*", "solver": "@train", "probe": "norm", "seed": 7 } ] })");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack pgd 1/8 - 0",
                          "rk4|tight attack pgd 1/8 - 0",
                          "rk4|rk4 probe norm  - 7",
                          "dopri5|dopri5 probe norm  - 7"));
}

TEST_F(GoodManifest, OnlyKeepsWhatAnyOfItsRulesSelects) {
  const Study s = study(R"({ "matrix": { "attack": ["pgd", "square"], "epsilon": [0.1, 0.2] },
      "only": [ { "attack": "pgd", "train_solver": "rk4" }, { "epsilon": 0.2, "attack": "squ*" } ] })");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|rk4 attack pgd 0.1 - 0",
                          "rk4|rk4 attack pgd 0.2 - 0",
                          "rk4|rk4 attack square 0.2 - 0",
                          "dopri5|dopri5 attack square 0.2 - 0"));
}

TEST_F(GoodManifest, RuleKnowsTokens) {
  const Study s = study(R"({ "matrix": { "solver": ["rk4", "dopri5"], "clean": true },
      "exclude": [ { "solver": "@train" } ] })");

  EXPECT_THAT(lines(s),
              ElementsAre("rk4|dopri5 attack clean  - 0", "dopri5|rk4 attack clean  - 0"));
}

TEST_F(GoodManifest, RuleReachesTrainAxes) {
  const Study s = study(R"({ "matrix": { "clean": true },
      "exclude": [ { "model": "ode", "dataset": "d*", "objective": ["std"], "train_seed": 0,
                     "train_solver": "rk4" } ] })");

  EXPECT_THAT(lines(s), ElementsAre("dopri5|dopri5 attack clean  - 0"));
}

TEST_F(GoodManifest, EqualEpsilonsCollapse) {
  const Study s = study(R"({ "matrix": { "checkpoint": "*/rk4/*", "attack": "pgd",
                             "epsilon": ["1/4", 0.25, "2 / 8"] } })");

  EXPECT_THAT(lines(s), ElementsAre("rk4|rk4 attack pgd 1/4 - 0"));
  EXPECT_EQ(s.evaluate_duplicates, 2U);
}

TEST_F(GoodManifest, CommentsAndPrivateKeysAreIgnoredEverywhere) {
  const Study s =
      study(R"({ "$comment": "why", /* block */ "matrix": { "x-note": [1, {}], "clean": true },
      "exclude": [] })",
            R"(, "x-lab": { "room": 7 })");

  EXPECT_EQ(s.evaluate.size(), 2U);
}

TEST_F(GoodManifest, CrlfAndByteOrderMarkAreAccepted) {
  std::string windows = "\xEF\xBB\xBF";
  for (const char c : text(R"({ "matrix": { "clean": true } })")) {
    if (c == '\n') windows += '\r';
    windows += c;
  }

  const Study s = read(write("windows.json", windows));

  EXPECT_EQ(s.evaluate.size(), 2U);
  EXPECT_EQ(s.name, "windows");
}

TEST_F(GoodManifest, RelativePathsReferToTheirFile) {
  write("parts/base.json", R"({ "paths": { "data": "../data" } })");
  const fs::path file =
      write("study.json", R"({ "version": 1, "extends": ["parts/base.json"], "define": {
      "dataset": { "a": { "plugin": "digits", "params": { "folder": "here" } },
                   "b": { "plugin": "digits", "params": { "folder": "${paths.data}/b" } } },
      "model": { "m": { "plugin": "odenet" } }, "objective": { "o": { "plugin": "erm" } },
      "solver": { "s": { "plugin": "rk4" } } },
    "train": { "matrix": { "dataset": ["a", "b"], "model": "m", "objective": "o", "solver": "s" } } })");

  const Study s = read(file);

  EXPECT_EQ(s.train[0].dataset->params.at("folder"), json((folder_ / "here").string()));
  EXPECT_EQ(s.train[1].dataset->params.at("folder"), json((folder_ / "data/b").string()));
}

TEST_F(GoodManifest, UnsetEnvironmentVariableStaysAsWritten) {
  ::unsetenv("UNMASK_TEST_NOWHERE");
  const fs::path file = write("study.json", R"({ "version": 1,
      "paths": { "data": "${env:UNMASK_TEST_NOWHERE}/digits" }, "define": {
      "dataset": { "a": { "plugin": "digits", "params": { "folder": "${paths.data}/x" } } },
      "model": { "m": { "plugin": "odenet" } }, "objective": { "o": { "plugin": "erm" } },
      "solver": { "s": { "plugin": "rk4" } } },
    "train": { "matrix": { "dataset": "a", "model": "m", "objective": "o", "solver": "s" } } })");

  const Study s = read(file);

  EXPECT_EQ(s.train[0].dataset->params.at("folder"), json("${env:UNMASK_TEST_NOWHERE}/digits/x"));
}

TEST_F(GoodManifest, EnvironmentVariableIsReplacedInPaths) {
  ::setenv("UNMASK_TEST_SOMEWHERE", "/somewhere", 1);
  const fs::path file = write("study.json", R"({ "version": 1, "define": {
      "dataset": { "a": { "plugin": "digits", "params": { "folder": "${env:UNMASK_TEST_SOMEWHERE}/x" } } },
      "model": { "m": { "plugin": "odenet" } }, "objective": { "o": { "plugin": "erm" } },
      "solver": { "s": { "plugin": "rk4" } } },
    "train": { "matrix": { "dataset": "a", "model": "m", "objective": "o", "solver": "s" } } })");

  const Study s = read(file);

  EXPECT_EQ(s.train[0].dataset->params.at("folder"), json("/somewhere/x"));
}

TEST_F(GoodManifest, RatioIsAReal) {
  write("more.json", R"({ "define": { "attack": {
      "p": { "plugin": "pgd", "params": { "step_size": "2/255" } } } } })");

  const Study s = study(R"({ "matrix": { "attack": "p", "epsilon": 0, "checkpoint": "*/rk4/*" } })",
                        R"(, "extends": ["more.json"])");

  EXPECT_EQ(s.evaluate[0].method->params.at("step_size"), json(2.0 / 255.0));
}

TEST_F(GoodManifest, TenThousandCellsExpandInUnderASecond) {
  std::string seeds;
  for (int i = 0; i < 1250; ++i) seeds += (i > 0 ? "," : "") + std::to_string(i);
  const fs::path file = write("study.json",
                              text(R"({ "matrix": { "attack": ["pgd", "square"],
      "epsilon": [0.1, 0.2], "seed": [)" +
                                   seeds + R"(], "gradient": ["@eval", "tight"] },
      "exclude": [ { "seed": 3, "attack": "pgd" } ] })"));

  const auto begin = std::chrono::steady_clock::now();
  const Study s = read(file);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;

  // 2 checkpoints x 2 attacks x 2 epsilons x 1250 seeds x 2 gradients = 20,000; square ignores its
  // gradient: 5,000 collapse; 8 are excluded (2 checkpoints x 2 epsilons x 2 gradients).
  EXPECT_EQ(s.evaluate.size(), 14992U);
  EXPECT_EQ(s.evaluate_duplicates, 5000U);
  EXPECT_LT(spent.count(), 1.0);
}

}  // namespace
}  // namespace unmask::manifest::good_test
