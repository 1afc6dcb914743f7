// Cells that are compared draw the same random numbers: they differ only where what is compared
// makes them differ.

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"

namespace unmask::test::pairing_test {
namespace {

// A network without ODE, where all solvers give the same answers and the same gradient. Attacks are
// so weak that each more of restarts, points or queries finds something. Steps that end outside of
// the ball come back to the same corner.
const char* const kManifest = R"j({
  "version": 1, "name": "pairing",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 300, "test_count": 200 } } },
    "model": { "net": { "plugin": "mlp", "params": { "widths": [32], "mean": [0.5], "std": [0.25] } } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 30, "batch_size": 50, "learning_rate": 0.1 } } },
    "solver": { "euler": { "plugin": "euler" }, "rk4": { "plugin": "rk4" }, "bosh3": { "plugin": "bosh3" } },
    "attack": {
      "again":  { "plugin": "pgd", "params": { "steps": 1, "step_size": "${epsilon}/8", "random_start": true }, "sweep": { "restarts": [1, 2, 4, 8] } },
      "points": { "plugin": "random_noise", "sweep": { "repeats": [1, 2, 4, 8] } },
      "asks":   { "plugin": "square", "sweep": { "queries": [5, 10, 20, 40] } },
      "pairs":  { "plugin": "nes", "params": { "steps": 2 }, "sweep": { "pairs": [1, 2, 4] } },
      "corner": { "plugin": "pgd", "params": { "steps": 1, "random_start": false }, "sweep": { "step_size": ["${epsilon}*2", "${epsilon}*4"] } } }
  },
  "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["euler"] } },
  "evaluate": { "batch_size": 50,
    "matrix": { "checkpoint": ["*"], "attack": ["again.*", "points.*", "asks.*", "pairs.*"], "epsilon": [0.04] },
    "add": [
      { "checkpoint": "*", "attack": "corner.*", "epsilon": 0.01, "solver": "euler" },
      { "checkpoint": "*", "attack": "again.2", "epsilon": 0.04, "solver": "euler", "gradient": ["rk4", "bosh3"] },
      { "checkpoint": "*", "attack": ["again.2", "points.2", "asks.20", "pairs.2", "pairs.4"], "epsilon": 0.04, "solver": ["rk4", "bosh3"] } ] }
})j";

// Run once.
const Sandbox& pairing_study() {
  static const Sandbox kBox;
  static const Outcome kOutcome = kBox.run(kBox.write("pairing.json", kManifest));
  EXPECT_EQ(kOutcome.code, 0) << kOutcome.err;
  return kBox;
}

// Samples that stand under the own solver, by attack.
const char* const kStanding =
    "WITH standing AS (SELECT l.method AS attack, o.sample FROM sample_outcome o "
    "JOIN labelled_cell l USING (cell_id) WHERE l.solver = 'euler' AND l.gradient = '@eval' "
    "AND o.clean_prediction = o.label AND o.prediction = o.label) ";

class MorePairing : public testing::TestWithParam<const char*> {};

// What stands against more of them stood against fewer; and between the fewest and the most
// something fell, else nothing would be compared.
TEST_P(MorePairing, ContainsFewer) {
  const Sandbox& box = pairing_study();
  const std::string family = GetParam();
  // attack, n: "again.4" and 4
  const std::string members = "(SELECT DISTINCT attack, CAST(replace(attack, '" + family +
                              ".', '') AS INTEGER) AS n " + "FROM standing WHERE attack GLOB '" +
                              family + ".*')";

  EXPECT_EQ(box.ask(kStanding + ("SELECT count(*) FROM " + members)), "4\n");
  EXPECT_EQ(
      box.ask(kStanding + ("SELECT more.attack, s.sample FROM " + members + " few JOIN " + members +
                           " more ON few.n < more.n "
                           "JOIN standing s ON s.attack = more.attack "
                           "WHERE s.sample NOT IN (SELECT sample FROM standing f "
                           "WHERE f.attack = few.attack)")),
      "");
  EXPECT_EQ(box.ask(kStanding + ("SELECT (SELECT count(*) FROM standing s WHERE s.attack = "
                                 "(SELECT attack FROM " +
                                 members +
                                 " ORDER BY n LIMIT 1)) > (SELECT count(*) FROM standing s "
                                 "WHERE s.attack = (SELECT attack FROM " +
                                 members + " ORDER BY n DESC LIMIT 1))")),
            "1\n");
}

INSTANTIATE_TEST_SUITE_P(Families, MorePairing, testing::Values("again", "points", "asks"));

TEST(Pairing, SolversThatAgreeGiveEqualRows) {
  const Sandbox& box = pairing_study();
  // Of each attack the own solver's row, and two of other gradients or other solvers.
  EXPECT_EQ(
      box.ask("SELECT method, count(*) FROM labelled_cell WHERE kind = 'attack' GROUP BY method "
              "HAVING count(*) > 1 ORDER BY method"),
      "again.2,5\nasks.20,3\npairs.2,3\npairs.4,3\npoints.2,3\n");
  EXPECT_EQ(
      box.ask("SELECT method, sample FROM sample_outcome JOIN labelled_cell USING (cell_id) "
              "GROUP BY method, sample HAVING count(DISTINCT prediction || ' ' || distance) > 1"),
      "");
  EXPECT_EQ(
      box.ask("SELECT count(*), max(abs(gap)) FROM gradient_matrix WHERE gradient <> '@eval'"),
      "2,0\n");
}

TEST(Pairing, WhatDiffersInNothingHasNoElasticity) {
  const Sandbox& box = pairing_study();
  const Outcome corner = box.unmask({"query",
                                     "elasticity",
                                     "--only",
                                     "attack=corner.*",
                                     "--format",
                                     "json",
                                     "--db",
                                     box.database().string()});

  const auto rows = nlohmann::json::parse(corner.out);
  ASSERT_EQ(rows.size(), 2U);
  for (const auto& row : rows) {
    EXPECT_EQ(row.at("parameter"), "step_size");
    EXPECT_EQ(row.at("drop_to_smallest"), 0);
  }
  EXPECT_EQ(box.ask("SELECT count(*) > 0, count(DISTINCT robust_correct) FROM accuracy "
                    "WHERE attack GLOB 'corner.*'"),
            "1,1\n");
  EXPECT_EQ(box.ask("SELECT min(robust_correct) > 0 AND max(robust_correct) < max(clean_correct) "
                    "FROM accuracy WHERE attack GLOB 'corner.*'"),
            "1\n");
}

}  // namespace
}  // namespace unmask::test::pairing_test
