// A study from manifest to answers.

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "integration/sandbox.hpp"
#include "table/table.hpp"

namespace unmask::test::run_test {
namespace {

// 2 trainings. Per checkpoint and evaluation solver (bosh3, rk4): pgd with 2 gradients under bosh3
// (@eval, rk4) and 1 under rk4 (its own gradient twice collapses), noise (gradient-free: 1), clean
// 1; probe: under bosh3 and rk4 one each.
TEST(Run, StoresEveryCellAndRunsNothingTheSecondTime) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());

  const Outcome first = box.run(manifest);
  ASSERT_EQ(first.code, 0) << first.err;
  const std::string cells = box.ask("SELECT count(*) FROM cell");
  const std::string done = box.ask("SELECT count(*) FROM cells WHERE state = 'done'");
  const Outcome second = box.run(manifest);

  EXPECT_EQ(cells, done);
  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.err, ::testing::HasSubstr("0 cells ran"));
  EXPECT_EQ(box.ask("SELECT count(*) FROM attempt"), cells) << "the second run tried something";
}

TEST(Run, GivesTheSameRowsWithOneAndWithTwoWorkers) {
  const Sandbox one;
  const Sandbox two;
  ASSERT_EQ(one.run(one.write("small.json", small_manifest()), {"--workers", "1"}).code, 0);
  ASSERT_EQ(two.run(two.write("small.json", small_manifest()), {"--workers", "2"}).code, 0);

  EXPECT_EQ(one.results(), two.results());
}

TEST(Run, KeepsSamplesRobustOnlyWhenTheyAreCorrectAndUnfooled) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest())).code, 0);

  // The view against the rows it is made of.
  EXPECT_EQ(box.ask("SELECT count(*) FROM accuracy a WHERE a.robust_correct <> (SELECT count(*) "
                    "FROM sample_outcome o "
                    "WHERE o.cell_id = a.cell_id AND o.clean_prediction = o.label AND o.prediction "
                    "= o.label)"),
            "0\n");
  EXPECT_EQ(box.ask("SELECT min(n) || ' ' || max(n) FROM accuracy"), "20 20\n");
}

// Twenty samples are fewer than a verdict needs: it must say so, and not that nothing was detected.
TEST(Run, EndsWithAVerdictForEachNetworkAndSolver) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());

  const Outcome run = box.run(manifest);

  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, ::testing::HasSubstr("verdict: "));
  EXPECT_THAT(run.err, ::testing::HasSubstr("insufficient evidence"));
  EXPECT_EQ(box.ask("SELECT count(*) FROM verdict"),
            box.ask("SELECT count(*) FROM (SELECT DISTINCT checkpoint_cell_id, solver, norm, "
                    "epsilon FROM worst_case_cell)"));
  const std::string before = box.ask("SELECT id, made_at FROM verdict");
  const Outcome text = box.unmask({"verdict", "--db", box.database().string()});
  const Outcome json =
      box.unmask({"verdict", "solver=rk4", "--format", "json", "--db", box.database().string()});
  const Outcome wrong = box.unmask({"verdict", "slover=rk4", "--db", box.database().string()});
  ASSERT_EQ(box.run(manifest).code, 0);

  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_THAT(text.out, ::testing::HasSubstr("a verdict needs more samples"));
  const auto verdicts = nlohmann::json::parse(json.out);
  ASSERT_FALSE(verdicts.empty());
  for (const auto& verdict : verdicts) EXPECT_EQ(verdict.at("solver"), "rk4");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, ::testing::HasSubstr("did you mean \"solver\"?"));
  EXPECT_EQ(box.ask("SELECT id, made_at FROM verdict"), before) << "nothing had changed";
}

TEST(Run, RecordsDistancesInsideTheBall) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest())).code, 0);

  // epsilon (1 + 1e-6) + 1e-7, the host's allowance for rounding in float32.
  EXPECT_EQ(
      box.ask("SELECT count(*) FROM sample_outcome WHERE distance > 8.0/255 * (1 + 1e-6) + 1e-7"),
      "0\n");
  EXPECT_NE(box.ask("SELECT count(*) FROM sample_outcome WHERE distance > 0"), "0\n");
}

TEST(Run, CountsEvaluationsOfEverySolve) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest())).code, 0);

  // rk4 without a step size makes one step of four stages; bosh3 evaluates 2 + 3 per attempted
  // step.
  EXPECT_EQ(box.ask("SELECT DISTINCT s.nfe_min || ' ' || s.nfe_max FROM evaluations_per_solve s "
                    "WHERE s.model = 'ode' AND s.solver = 'rk4' AND s.phase = 'evaluate'"),
            "4 4\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM solve_stats s JOIN cell c ON c.id = s.cell_id WHERE "
                    "c.kind = 'train' "
                    "AND s.nfe_total <> 2 * s.solves + 3 * (s.accepted + s.rejected)"),
            "0\n");
}

TEST(Run, TrainsAgainWhenACheckpointIsDamagedAndGetsTheSameWeights) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  ASSERT_EQ(box.run(manifest).code, 0);
  const std::string before = box.results();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(box.path("checkpoints"))) {
    if (!entry.is_regular_file()) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\x7f');
  }

  const Outcome again = box.run(manifest);

  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, ::testing::HasSubstr("is damaged"));
  EXPECT_THAT(again.err, ::testing::HasSubstr("2 cells ran"));
  EXPECT_EQ(box.results(), before);
}

TEST(Run, RunsOnlyWhatIsAskedForAndWhatThatNeeds) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());

  const Outcome outcome = box.run(manifest, {"--only", "attack=clean,model=plain,solver=rk4"});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(
      box.ask("SELECT kind, count(*) FROM cells WHERE state = 'done' GROUP BY kind ORDER BY kind"),
      "attack,1\ntrain,1\n");
}

TEST(Run, PutsTheGradientSolverIntoTheRecord) {
  const Sandbox box;
  ASSERT_EQ(box.run(box.write("small.json", small_manifest())).code, 0);

  EXPECT_EQ(
      box.ask("SELECT DISTINCT gradient FROM accuracy WHERE model = 'ode' AND solver = 'bosh3' AND "
              "attack = 'pgd' ORDER BY gradient"),
      "@eval\nrk4\n");
  // Another gradient solver means one more forward pass per step, under the evaluation solver.
  EXPECT_EQ(box.ask("SELECT count(*) FROM evaluations_per_solve WHERE gradient = 'rk4' AND phase = "
                    "'gradient' "
                    "AND nfe_max <> 4"),
            "0\n");
}

// The same attack through every kind of gradient that a solver can give, and a second evaluation
// solver under which samples do not influence each other.
TEST(Run, AttacksThroughEveryGradientOfTheDriver) {
  const Sandbox box;
  const auto manifest = box.write("gradients.json", R"({
    "version": 1, "name": "gradients",
    "define": {
      "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 100, "test_count": 40 } } },
      "model": { "ode": { "plugin": "so_resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } } },
      "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 2, "batch_size": 25, "learning_rate": 0.05 } } },
      "solver": {
        "bosh3":        { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1, "step_gradient": "none" } },
        "checkpoint":   { "extends": "bosh3", "params": { "gradient": "checkpoint" } },
        "again":        { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1, "gradient": "replay" } },
        "replay":       { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1, "controller": "replay" } },
        "adjoint":      { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1, "gradient": "adjoint" } },
        "interpolated": { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1, "gradient": "interpolated" } },
        "sample":       { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1, "preset": "clean" } }
      },
      "attack": { "pgd": { "plugin": "pgd", "params": { "steps": 3, "step_size": "${epsilon}/2", "random_start": false } } }
    },
    "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["sample"], "seed": [0] } },
    "evaluate": {
      "samples": 20, "batch_size": 10,
      "matrix": { "checkpoint": ["*"], "solver": ["bosh3", "sample"], "attack": ["pgd"], "epsilon": ["8/255"], "seed": [0],
                  "gradient": ["@eval", "checkpoint", "again", "replay", "adjoint", "interpolated"] }
    }
  })");

  const Outcome outcome = box.run(manifest);

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(box.ask("SELECT count(*) FROM cells WHERE kind = 'attack' AND state = 'done'"), "12\n");
  // Three ways to the gradient of the same frozen steps fool the same samples.
  const auto fooled = [&](const std::string& gradient) {
    return box.ask(
        "SELECT group_concat(sample) FROM (SELECT o.sample FROM sample_outcome o JOIN cells c "
        "USING "
        "(cell_id) WHERE c.solver = 'bosh3' AND " +
        gradient +
        " AND o.clean_prediction = o.label AND o.prediction <> o.label ORDER BY sample)");
  };
  EXPECT_EQ(fooled("c.gradient = 'checkpoint'"), fooled("c.gradient = '@eval'"));
  EXPECT_EQ(fooled("c.gradient = 'again'"), fooled("c.gradient = '@eval'"));
  EXPECT_EQ(box.ask("SELECT count(DISTINCT phase) FROM solve_stats WHERE phase IN ('backward', "
                    "'record', 'gradient')"),
            "3\n");
  EXPECT_EQ(
      box.ask("SELECT group_concat(DISTINCT m.value) FROM metric m JOIN cells c USING (cell_id) "
              "WHERE m.name = 'batch_coupled' AND c.solver = 'sample' AND c.gradient = '@eval'"),
      "0.0\n");
}

TEST(Gpu, TrainsAndAttacksFromTheSameManifest) {
  const Sandbox box;
  const Outcome doctor = box.unmask({"doctor"});
  if (doctor.out.find("cuda:0") == std::string::npos)
    GTEST_SKIP() << "LibTorch sees no CUDA device";

  const Outcome outcome =
      box.run(box.write("small.json", small_manifest()), {"--device", "cuda:0"});

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(box.ask("SELECT DISTINCT device FROM attempt WHERE state = 'done'"), "cuda:0\n");
  EXPECT_EQ(box.ask("SELECT min(device_peak_bytes) > 0 FROM attempt WHERE state = 'done'"), "1\n");
}

TEST(Exec, ReproducesAStoredCell) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  ASSERT_EQ(box.run(manifest).code, 0);
  std::string key = box.ask(
      "SELECT c.key FROM accuracy a JOIN cell c ON c.id = a.cell_id WHERE model = 'ode' AND "
      "attack = 'pgd' AND solver = 'bosh3' AND gradient = '@eval'");
  key.pop_back();

  const Outcome outcome =
      box.unmask({"exec", manifest.string(), "--cell", key, "--db", box.database().string()});

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto result = nlohmann::json::parse(outcome.out);
  double robust = -1;
  for (const auto& metric : result.at("metrics")) {
    if (metric.at(0) == "robust_accuracy") robust = metric.at(1).get<double>();
  }
  EXPECT_EQ(
      box.ask(
          "SELECT robust_accuracy FROM accuracy a JOIN cell c ON c.id = a.cell_id WHERE c.key = '" +
          key + "'"),
      table::to_text({{"x"}, {{robust}}}, table::Format::kCsv).substr(2));
}

}  // namespace
}  // namespace unmask::test::run_test
