// Swept attacks and ensembles from manifest to answers.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"

namespace unmask::test::families_test {
namespace {

using testing::HasSubstr;

// One linear network on strokes, barely trained: some samples are right, some of these stand. The
// attacks are `worst` and the family `pgd.*`.
std::string manifest_with(const std::string& members) {
  return R"({
  "version": 1, "name": "families",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 100, "test_count": 200 } } },
    "model": { "line": { "plugin": "linear" } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 2, "batch_size": 25, "learning_rate": 0.01 } } },
    "solver": { "none": { "plugin": "euler" } },
    "attack": {
      "pgd":    { "plugin": "pgd", "params": { "step_size": "${epsilon}/2" }, "sweep": { "steps": [2, 5] } },
      "l2":     { "plugin": "pgd", "params": { "norm": "l2", "step_size": 0.1 } },
      "square": { "plugin": "square", "params": { "queries": 10 } },
      "worst":  { "members": [)" +
         members + R"(] }
    }
  },
  "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["*"] } },
  "evaluate": { "matrix": { "attack": ["pgd.*", "worst"], "epsilon": ["1/255"], "clean": true } }
})";
}

TEST(Families, AnEnsembleTellsWhoFooledWhichSample) {
  const Sandbox box;
  const Outcome run =
      box.run(box.write("families.json", manifest_with(R"("pgd.2", "pgd.5", "square")")));
  ASSERT_EQ(run.code, 0) << run.err;

  EXPECT_EQ(
      box.ask(
          "SELECT group_concat(attack, ' ') FROM (SELECT attack FROM accuracy ORDER BY attack)"),
      "clean pgd.2 pgd.5 worst\n");
  // The samples that a member fooled are those that are not robust any more.
  EXPECT_EQ(box.ask("SELECT (SELECT sum(value) FROM sample_metric WHERE name GLOB "
                    "'fooled_first_by.*') = (SELECT clean_correct - robust_correct FROM accuracy "
                    "WHERE attack = 'worst')"),
            "1\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM metrics WHERE method = 'worst' AND name IN "
                    "('check.randomised', 'fooled_first_by.square.mean')"),
            "2\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM metrics WHERE method = 'clean' AND name GLOB 'check.*'"),
            "0\n");
  const Outcome elasticity =
      box.unmask({"query", "elasticity", "--db", box.database().string(), "--format", "csv"});
  EXPECT_THAT(elasticity.out, HasSubstr("pgd.5,steps,5,200"));
}

TEST(Families, MembersOfTwoNormsAreRefusedBeforeAnythingRuns) {
  const Sandbox box;
  const Outcome check =
      box.unmask({"check", box.write("families.json", manifest_with(R"("pgd.2", "l2")")).string()});

  EXPECT_NE(check.code, 0);
  EXPECT_THAT(check.err, HasSubstr("attack \"worst\": "));
  EXPECT_THAT(check.err, HasSubstr("\"pgd.2\" works in linf, \"l2\" in l2"));
}

}  // namespace
}  // namespace unmask::test::families_test
