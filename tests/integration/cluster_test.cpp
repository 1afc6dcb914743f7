// A study on several machines gives what it gives on one: shards, their merge, what went wrong in
// between. The machines are processes with databases of their own; a Slurm cluster is made of this
// machine where its packages are installed.

#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "store/database.hpp"

namespace unmask::test::cluster_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Everything that results are, and the plan that shows them; without times, attempts and machines.
std::string all_results(const fs::path& database) {
  const Sandbox any;
  std::string text = Sandbox::results_of(database);
  for (const char* sql :
       {"SELECT c.key, s.name, s.step, s.value, s.flag FROM series s JOIN cell c ON c.id = "
        "s.cell_id WHERE s.name <> 'images_per_s' ORDER BY 1, 2, 3",
        "SELECT c.key, m.sample, m.name, m.value, m.flag FROM sample_metric m JOIN cell c ON c.id "
        "= m.cell_id ORDER BY 1, 2, 3",
        "SELECT c.key, s.purpose, s.seed FROM seed s JOIN cell c ON c.id = s.cell_id ORDER BY 1, 2",
        "SELECT c.key, c.norm, a.forwards, a.backwards, a.nfe, a.checkpoint_sha256 FROM attempt a "
        "JOIN cell c ON c.id = a.cell_id WHERE a.state = 'done' ORDER BY 1",
        "SELECT c.key, x.sha256, x.bytes FROM adversarials x JOIN cell c ON c.id = x.cell_id ORDER "
        "BY 1",
        "SELECT name, sha256, text, description FROM manifest ORDER BY 1, 2",
        "SELECT kind, name, fingerprint, version, capabilities FROM plugin ORDER BY 1, 2, 3",
        "SELECT c.key, x.role, p.name FROM cell_plugin x JOIN cell c ON c.id = x.cell_id JOIN "
        "plugin p ON p.id = x.plugin_id ORDER BY 1, 2",
        "SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, "
        "gradient, "
        "source, method, norm, epsilon_text, seed, place, is_alias, key, state FROM cells ORDER BY "
        "place",
        "SELECT study, model, solver, norm, epsilon_text, judgement, sentence, n, robust_correct, "
        "strongest FROM verdict ORDER BY 1, 2, 3, 4, 5"}) {
    const Outcome answer = any.unmask({"query", sql, "--db", database.string(), "--format", "csv"});
    EXPECT_EQ(answer.code, 0) << answer.err;
    text += answer.out + "\n";
  }
  return text;
}

// Two small networks and ten cells, with images that are kept, so that files are carried, too.
std::string manifest() {
  return R"({
  "version": 1, "name": "tiny",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 40, "test_count": 20 } } },
    "model": { "plain": { "plugin": "resnet", "params": { "channels": 4, "blocks": [1], "strides": [2] } } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 1, "batch_size": 20, "learning_rate": 0.05 } } },
    "solver": { "rk4": { "plugin": "rk4" } },
    "attack": { "fgsm": { "plugin": "fgsm" }, "noise": { "plugin": "random_noise", "params": { "repeats": 50 } } },
    "probe": { "norms": { "plugin": "gradient_norm" } } },
  "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["rk4"], "seed": [0, 1] } },
  "evaluate": { "samples": 10, "batch_size": 10, "save": "adversarials",
    "matrix": { "checkpoint": ["*"], "solver": ["@train"], "attack": ["*"], "epsilon": ["8/255"], "seed": [0],
                "clean": true, "probes": ["norms"] } } })";
}

class Cluster : public ::testing::Test {
 protected:
  void SetUp() override {
    file_ = single_.write("tiny.json", manifest());
    const Outcome run = single_.run(file_);
    ASSERT_EQ(run.code, 0) << run.err;
    expected_ = all_results(single_.database());
  }

  Outcome submit(const Sandbox& box, const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"submit",
                                          file_.string(),
                                          "--folder",
                                          box.path("plan").string(),
                                          "--db",
                                          box.database().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return box.unmask(arguments);
  }

  static std::vector<fs::path> published(const Sandbox& box) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(box.path("plan") / "shards")) {
      if (entry.path().extension() == ".sqlite") files.push_back(entry.path());
    }
    return files;
  }

  Sandbox single_;
  fs::path file_;
  std::string expected_;
};

TEST_F(Cluster, ShardsOnThisMachineGiveWhatOneRunGives) {
  const Sandbox box;
  const Outcome outcome = submit(box, {"--engine", "local", "--shards", "2", "--parallel", "2"});

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(published(box), SizeIs(2));
  EXPECT_EQ(all_results(box.database()), expected_);
  // Nothing is left to do, files included.
  const Outcome again = box.run(file_);
  EXPECT_THAT(again.err, HasSubstr("0 cells ran"));
}

TEST_F(Cluster, SplitShardsGiveWhatOneRunGives) {
  const Sandbox box;
  const Outcome outcome = submit(box, {"--engine", "local", "--shards", "4", "--split"});

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(published(box), SizeIs(4));
  EXPECT_EQ(all_results(box.database()), expected_);
}

TEST_F(Cluster, AShardThatIsMissingIsSentAgainAndOneThatRanTwiceCountsOnce) {
  const Sandbox box;
  ASSERT_EQ(submit(box, {"--engine", "local", "--shards", "2", "--dry-run"}).code, 0);
  EXPECT_THAT(fs::exists(box.path("plan") / "shards"), false);
  const std::string plan = box.path("plan").string();
  for (int time = 0; time < 2; ++time) {
    const Outcome task = box.unmask({"run",
                                     "--plan",
                                     plan,
                                     "--shard",
                                     "1/2",
                                     "--progress",
                                     "none",
                                     "--db",
                                     box.path("task" + std::to_string(time) + ".sqlite").string()});
    ASSERT_EQ(task.code, 0) << task.err;
  }
  EXPECT_THAT(published(box), SizeIs(2)) << "each has a name of its own";
  const Outcome half = box.unmask({"merge", box.database().string(), "--plan", plan});
  EXPECT_EQ(half.code, 1);
  EXPECT_THAT(half.err, HasSubstr("have no result"));

  const Outcome rest = box.unmask({"submit", "--missing", plan});

  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_THAT(rest.err, HasSubstr("shard 2 begins"));
  EXPECT_THAT(rest.err, ::testing::Not(HasSubstr("shard 1 begins")));
  EXPECT_EQ(all_results(box.database()), expected_);
}

TEST_F(Cluster, ATaskThatIsStoppedPublishesAndGoesOnElsewhere) {
  const Sandbox box;
  ASSERT_EQ(submit(box, {"--engine", "local", "--shards", "1", "--dry-run"}).code, 0);
  const std::string plan = box.path("plan").string();
  {
    WatchedRun task(box,
                    {"run",
                     "--plan",
                     plan,
                     "--shard",
                     "1/1",
                     "--workers",
                     "1",
                     "--db",
                     box.path("first.sqlite").string()});
    task.wait_for("cell_done");
    ::kill(task.pid(), SIGTERM);
    EXPECT_EQ(task.wait().exit_code, 75);
  }
  EXPECT_THAT(published(box), SizeIs(1));

  const Outcome other = box.unmask(
      {"run", "--plan", plan, "--progress", "plain", "--db", box.path("second.sqlite").string()});
  const Outcome merged = box.unmask({"merge", box.database().string(), "--plan", plan});

  EXPECT_EQ(other.code, 0) << other.err;
  EXPECT_THAT(other.err + other.out,
              ContainsRegex("results? of earlier tasks (was|were) taken over"));
  EXPECT_EQ(merged.code, 0) << merged.err;
  EXPECT_EQ(all_results(box.database()), expected_);
}

TEST_F(Cluster, WhatTheDatabaseHasIsNotComputedAgain) {
  const Sandbox box;
  ASSERT_EQ(box.run(file_, {"--only", "train_seed=0"}).code, 0);

  const Outcome outcome = submit(box, {"--engine", "local", "--shards", "2"});

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(all_results(box.database()), expected_);
  EXPECT_EQ(box.ask("SELECT count(*) - count(DISTINCT cell_id) FROM attempt WHERE state IN "
                    "('done', 'discarded')"),
            "0\n");
}

TEST_F(Cluster, MergesThroughScratchIntoOneSealedFile) {
  const Sandbox box;
  const Outcome merged = box.unmask(
      {"merge", box.database().string(), single_.database().string(), "--through-scratch"});
  const Outcome again = box.unmask(
      {"merge", box.database().string(), single_.database().string(), "--through-scratch"});

  ASSERT_EQ(merged.code, 0) << merged.err;
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(all_results(box.database()), expected_);
  EXPECT_FALSE(fs::exists(box.path("db.sqlite-wal")));
  EXPECT_THAT(box.run(file_).err, HasSubstr("0 cells ran"));
}

// What made a database say "masked" need not be in it any more.
TEST_F(Cluster, TellsWhereAVerdictIsWeakerAfterTheMerge) {
  const Sandbox box;
  const fs::path cut = box.path("cut.sqlite");
  ASSERT_EQ(box.unmask({"db", "backup", cut.string(), "--db", single_.database().string()}).code,
            0);
  store::Database::open(cut, store::Database::Mode::kWrite)
      .execute("say otherwise", "UPDATE verdict SET judgement = 'masked' WHERE train_seed = 1");

  const Outcome same =
      box.unmask({"merge", box.path("same.sqlite").string(), single_.database().string()});
  const Outcome merged = box.unmask({"merge", box.database().string(), cut.string()});

  ASSERT_EQ(merged.code, 0) << merged.err;
  EXPECT_THAT(same.err, Not(HasSubstr("after the merge")));
  EXPECT_THAT(
      merged.err,
      HasSubstr("note: tiny: plain/strokes/natural/rk4/1 under rk4 at linf 8/255: masked in " +
                cut.string() + ", "));
  EXPECT_THAT(merged.err, Not(HasSubstr("rk4/0 under rk4 at linf 8/255: masked")));
}

// --- Slurm ---

std::string shell(const std::string& command) {
  const base::ChildOutput answer = base::run_child({"bash", "-c", command}, 120);
  EXPECT_TRUE(answer.status.is_success()) << command << "\n" << answer.err;
  return answer.out;
}

class Slurm : public Cluster {
 protected:
  void SetUp() override {
    for (const char* program : {"slurmctld", "slurmd", "sbatch"}) {
      const base::ChildOutput found =
          base::run_child({"bash", "-c", std::string("command -v ") + program}, 10);
      if (!found.status.is_success()) {
        GTEST_SKIP() << "there is no " << program << "; on Debian install slurmctld, slurmd and "
                     << "slurm-client to try this";
      }
    }
    Cluster::SetUp();
    shell("'" + script() + "' start '" + cluster() + "' 2");
    ::setenv("SLURM_CONF", (cluster() + "/slurm.conf").c_str(), 1);
  }
  void TearDown() override {
    if (fs::exists(cluster())) shell("'" + script() + "' stop '" + cluster() + "'");
    ::unsetenv("SLURM_CONF");
  }

  static std::string script() {
    return std::string(UNMASK_SOURCE_DIR) + "/tests/support/slurm_cluster.sh";
  }
  std::string cluster() const { return slurm_.path("cluster").string(); }

  // Jobs go one after the other on slow machines; what is waited for is that none is left.
  static void wait_for_jobs() {
    for (int i = 0; i < 2000 && !shell("squeue -h").empty(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    ASSERT_THAT(shell("squeue -h"), IsEmpty());
  }

  Sandbox slurm_;
};

TEST_F(Slurm, AnArrayAndItsMergeGiveWhatOneRunGives) {
  const Sandbox box;
  const fs::path profile = box.write("site.json", R"({"partition": "main", "cpus_per_task": 1})");

  const Outcome sent = submit(box, {"--shards", "2", "--profile", profile.string()});
  ASSERT_EQ(sent.code, 0) << sent.err;
  wait_for_jobs();

  EXPECT_EQ(all_results(box.database()), expected_)
      << base::read_file(box.path("plan") / "logs/shard-1.log")
      << base::read_file(box.path("plan") / "logs/merge.log");
}

}  // namespace
}  // namespace unmask::test::cluster_test
