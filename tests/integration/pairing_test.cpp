// Cells that are compared draw the same random numbers: they differ only where what is compared
// makes them differ.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"

namespace unmask::test::pairing_test {
namespace {

// A network without ODE, where every gradient solver gives the same gradient; attacks that start at
// random, and one that asks at random.
const char* const kManifest = R"j({
  "version": 1, "name": "pairing",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 100, "test_count": 40 } } },
    "model": { "line": { "plugin": "linear" } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 30, "batch_size": 50, "learning_rate": 0.2 } } },
    "solver": { "euler": { "plugin": "euler" }, "rk4": { "plugin": "rk4" }, "bosh3": { "plugin": "bosh3" } },
    "attack": {
      "once":  { "plugin": "pgd", "params": { "steps": 1, "step_size": "${epsilon}/4", "random_start": true, "restarts": 1 } },
      "thrice": { "extends": "once", "params": { "restarts": 3 } },
      "often": { "extends": "once", "params": { "restarts": 8 } },
      "asks":  { "plugin": "square", "params": { "queries": 20 } } }
  },
  "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["euler"] } },
  "evaluate": { "batch_size": 20,
    "matrix": { "checkpoint": ["*"], "attack": ["*"], "epsilon": [0.02], "gradient": ["@eval", "rk4", "bosh3"] } }
})j";

class Pairing : public testing::Test {
 protected:
  void SetUp() override {
    const Outcome outcome = box_.run(box_.write("pairing.json", kManifest));
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }

  Sandbox box_;
};

TEST_F(Pairing, GradientSolversThatAgreeGiveEqualRows) {
  // Three attacks through three gradient solvers each, and one that needs no gradient.
  EXPECT_EQ(box_.ask("SELECT count(*) FROM labelled_cell WHERE kind = 'attack'"), "10\n");
  EXPECT_EQ(box_.ask("SELECT method, sample FROM sample_outcome JOIN labelled_cell USING (cell_id) "
                     "GROUP BY method, sample "
                     "HAVING count(DISTINCT prediction || ' ' || distance) > 1"),
            "");
  EXPECT_EQ(
      box_.ask("SELECT count(*), max(abs(gap)) FROM gradient_matrix WHERE gradient <> '@eval'"),
      "6,0\n");
}

TEST_F(Pairing, MoreRestartsContainFewer) {
  // Something is fooled, and not everything: else nothing is compared.
  EXPECT_EQ(
      box_.ask("SELECT robust_accuracy > 0 AND robust_accuracy < clean_accuracy FROM accuracy "
               "WHERE attack = 'once' AND gradient = '@eval'"),
      "1\n");
  EXPECT_EQ(
      box_.ask("WITH outcome AS (SELECT l.gradient, o.sample, o.prediction = o.label AS is_right, "
               "CASE l.method WHEN 'once' THEN 1 WHEN 'thrice' THEN 3 ELSE 8 END AS restarts "
               "FROM sample_outcome o JOIN labelled_cell l USING (cell_id) "
               "WHERE l.method IN ('once', 'thrice', 'often')) "
               "SELECT few.sample, few.restarts, more.restarts FROM outcome few JOIN outcome more "
               "ON few.sample = more.sample AND few.gradient = more.gradient "
               "AND few.restarts < more.restarts WHERE NOT few.is_right AND more.is_right"),
      "");
}

}  // namespace
}  // namespace unmask::test::pairing_test
