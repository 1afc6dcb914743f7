// Definitions that stand for several: swept ones and ensembles.

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "fake_catalog.hpp"
#include "manifest/reader.hpp"
#include "manifest/sweep.hpp"

namespace unmask::manifest::families_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Families : public ::testing::Test {
 protected:
  // A study with one checkpoint under rk4 and the attacks `defined`, of which it uses `used`.
  ReadResult read(const std::string& defined,
                  const std::string& used,
                  const std::string& more = "") const {
    const std::filesystem::path file = folder_.path() / "study.json";
    std::ofstream(file, std::ios::binary)
        << R"({ "version": 1,
      "define": {
        "dataset": { "digits": { "plugin": "digits" } },
        "model": { "ode": { "plugin": "odenet" } },
        "objective": { "std": { "plugin": "erm" } },
        "solver": { "rk4": { "plugin": "rk4" }, "dopri5": { "plugin": "dopri5" },
                    "tol": { "plugin": "dopri5", "sweep": { "rtol": [1e-3, 1E-5] } } },
        "attack": { "pgd": { "plugin": "pgd", "params": { "step_size": "${epsilon}/4" } },
                    "square": { "plugin": "square" }, )"
        << defined << R"( } },
      "train": { "matrix": { "dataset": "digits", "model": "ode", "objective": "std",
                             "solver": "rk4" } },
      "evaluate": { "matrix": { "attack": )"
        << used << R"(, "epsilon": [0.1, 0.2])" << more << " } } }";
    return read_study(file, testing::fake_catalog());
  }

  Study study(const std::string& defined,
              const std::string& used,
              const std::string& more = "") const {
    ReadResult result = read(defined, used, more);
    EXPECT_EQ(to_text(result.errors), "");
    if (!result.study) throw std::runtime_error("not a study");
    return std::move(*result.study);
  }

  base::TempFolder folder_;
};

std::vector<std::string> names(const std::vector<Definition>& definitions) {
  std::vector<std::string> out;
  out.reserve(definitions.size());
  for (const Definition& definition : definitions) out.push_back(definition.name);
  return out;
}

// --- sweep ---

TEST_F(Families, ASweepMakesOneDefinitionPerValue) {
  const Study s =
      study(R"("long": { "extends": "pgd", "sweep": { "steps": [10, 20, 50] } })", R"(["long.*"])");

  EXPECT_THAT(s.evaluate_axes.at("attack"), ElementsAre("long.10", "long.20", "long.50"));
  EXPECT_EQ(s.evaluate[2].method->params.at("steps"), 20);
  EXPECT_EQ(s.evaluate[2].method->params.at("step_size"), 0.025);
}

TEST_F(Families, SeveralSweptParametersAreCrossedInTheOrderWritten) {
  const Study s = study(
      R"("long": { "plugin": "pgd", "params": { "step_size": 0.1 },
                   "sweep": { "loss": ["margin", "ce"], "steps": [5, 10] } })",
      R"(["long.*"])");

  EXPECT_THAT(s.evaluate_axes.at("attack"),
              ElementsAre("long.margin.5", "long.margin.10", "long.ce.5", "long.ce.10"));
}

TEST_F(Families, NamesOfValuesAreReadable) {
  const Study s = study(
      R"("far": { "plugin": "pgd",
                  "sweep": { "step_size": [0.5, 1e-3, "${epsilon}", "${epsilon} / 10",
                                           "${epsilon}*2", "8/255"] } })",
      R"(["far.*"])");

  EXPECT_THAT(
      s.evaluate_axes.at("attack"),
      ElementsAre(
          "far.0.5", "far.1e-3", "far.epsilon", "far.epsilon_10", "far.epsilonx2", "far.8_255"));
}

TEST_F(Families, SweptFormulasAreResolvedAtTheEpsilonOfTheRow) {
  const Study s = study(R"("far": { "plugin": "pgd", "sweep": { "step_size": ["${epsilon}*2"] } })",
                        R"(["far.epsilonx2"])");

  EXPECT_EQ(s.evaluate[1].epsilon, 0.2);
  EXPECT_EQ(s.evaluate[1].method->params.at("step_size"), 0.4);
}

TEST_F(Families, EveryKindCanBeSwept) {
  const Study s =
      study(R"("other": { "plugin": "square" })", R"(["pgd"])", R"(, "solver": ["tol.*"])");

  EXPECT_THAT(s.evaluate_axes.at("solver"), ElementsAre("tol.1e-3", "tol.1E-5"));
}

TEST_F(Families, OneOfASweptFamilyCanBeExtended) {
  const Study s = study(R"("long": { "extends": "pgd", "sweep": { "steps": [10, 20] } },
                           "other": { "extends": "long.20", "params": { "loss": "margin" } })",
                        R"(["other"])");

  EXPECT_EQ(s.evaluate[0].method->params.at("steps"), 20);
  EXPECT_EQ(s.evaluate[0].method->params.at("loss"), "margin");
}

TEST_F(Families, ASweepMayNotStandForTooMany) {
  std::string values = "1";
  for (int i = 2; i <= 101; ++i) values += ", " + std::to_string(i);
  const ReadResult result = read(R"("long": { "plugin": "pgd", "sweep": { "steps": [)" + values +
                                     R"(], "step_size": [)" + values + "] } }",
                                 R"(["pgd"])");

  EXPECT_THAT(to_text(result.errors), HasSubstr("more than 10000 definitions"));
  EXPECT_EQ(result.errors.size(), 1U);
}

// --- ensembles ---

TEST_F(Families, AnEnsembleHoldsItsMembersInTheOrderWritten) {
  const Study s = study(R"("worst": { "members": ["square", "pgd"] })", R"(["worst"])");

  EXPECT_EQ(s.evaluate[0].method->name, "worst");
  EXPECT_EQ(s.evaluate[0].method->plugin, "");
  EXPECT_THAT(names(s.evaluate[0].method->members), ElementsAre("square", "pgd"));
}

TEST_F(Families, MembersMayBePatterns) {
  const Study s = study(
      R"("worst": { "members": ["*", "!square"] },
         "long": { "extends": "pgd", "sweep": { "steps": [10, 30] } })",
      R"(["worst"])");

  EXPECT_THAT(names(s.evaluate[0].method->members), ElementsAre("pgd", "long.10", "long.30"));
}

TEST_F(Families, APatternPassesOverEnsembles) {
  const Study s = study(R"("worst": { "members": ["*"] }, "other": { "members": ["*"] })",
                        R"(["worst", "other"])");

  EXPECT_THAT(names(s.evaluate[0].method->members), ElementsAre("pgd", "square"));
  EXPECT_THAT(names(s.evaluate[2].method->members), ElementsAre("pgd", "square"));
}

TEST_F(Families, MembersAreResolvedAtTheEpsilonOfTheRow) {
  const Study s = study(R"("worst": { "members": ["pgd", "square"] })", R"(["worst"])");

  EXPECT_EQ(s.evaluate[0].method->members[0].params.at("step_size"), 0.025);
  EXPECT_EQ(s.evaluate[1].method->members[0].params.at("step_size"), 0.05);
}

TEST_F(Families, AnEnsembleWithoutGradientsHasNoGradientAxis) {
  const Study s = study(R"("blind": { "members": ["square"] },
                           "worst": { "members": ["square", "pgd"] })",
                        R"(["blind", "worst"])",
                        R"(, "gradient": ["@eval", "dopri5"])");

  // Two epsilons: blind once each, worst with two gradients each.
  EXPECT_EQ(s.evaluate.size(), 6U);
  for (const EvaluateRow& row : s.evaluate) {
    if (row.method->name != "blind") continue;
    EXPECT_FALSE(row.gradient.has_value());
  }
}

}  // namespace
}  // namespace unmask::manifest::families_test
