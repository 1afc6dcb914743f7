// What was computed is not lost: not with a checkpoint, not with a host that dies before it could
// record a result, not when two runs want the same database.

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"
#include "store/database.hpp"

namespace unmask::test::recovery_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// Of the folder and all below it.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

// As Sandbox::run, and telling what happens.
Outcome run_plainly(const Sandbox& box,
                    const fs::path& manifest,
                    const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {
      "run", manifest.string(), "--db", box.database().string(), "--progress", "plain"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return box.unmask(arguments);
}

nlohmann::json plan_of(const Sandbox& box, const fs::path& manifest) {
  const Outcome plan =
      box.unmask({"plan", manifest.string(), "--db", box.database().string(), "--format", "json"});
  EXPECT_EQ(plan.code, 0) << plan.err;
  return nlohmann::json::parse(plan.out);
}

int to_run(const nlohmann::json& plan) {
  return plan.at("total").get<int>() - plan.at("stored").get<int>();
}

// A study in which a training has been recorded with weights that it does not yield here (another
// machine's, say), and whose checkpoints are lost.
class OtherWeights : public ::testing::Test {
 protected:
  void SetUp() override {
    manifest_ = box_.write("small.json", small_manifest());
    ASSERT_EQ(box_.run(manifest_).code, 0);
    results_ = box_.results();
    cells_ = std::stoi(box_.ask("SELECT count(*) FROM cell"));
    store::Database database =
        store::Database::open(box_.database(), store::Database::Mode::kWrite);
    const std::string other(64, '0');
    database.execute("other weights", "UPDATE checkpoint SET sha256 = '" + other + "'");
    database.execute("their attempts",
                     "UPDATE attempt SET checkpoint_sha256 = '" + other +
                         "' WHERE checkpoint_sha256 IS NOT NULL");
    for (const fs::path& file : files_in(box_.path("checkpoints"))) fs::remove(file);
  }

  Sandbox box_;
  fs::path manifest_;
  std::string results_;
  int cells_ = 0;
};

TEST_F(OtherWeights, EveryCellThatDependsOnThemRunsAgain) {
  const Outcome again = box_.run(manifest_);

  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr(std::to_string(cells_) + " cells ran, 0 were stored"));
  EXPECT_THAT(again.err, HasSubstr("gave other weights than before"));
  EXPECT_EQ(box_.results(), results_);
  EXPECT_EQ(box_.ask("SELECT count(*) FROM attempt a JOIN cell c ON c.id = a.cell_id "
                     "JOIN checkpoint k ON k.cell_id = c.checkpoint_cell_id "
                     "WHERE a.state = 'done' AND a.checkpoint_sha256 IS NOT k.sha256"),
            "0\n")
      << "a result of other weights than the stored ones";
}

TEST_F(OtherWeights, ARunThatDoesNotAskForThemSaysSoAndTheNextOneRunsThem) {
  const Outcome trainings = box_.run(manifest_, {"--only", "kind=train"});
  const Outcome all = box_.run(manifest_);

  EXPECT_EQ(trainings.code, 0) << trainings.err;
  EXPECT_THAT(trainings.err, HasSubstr("that this run does not ask for"));
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.err, HasSubstr(std::to_string(cells_ - 2) + " cells ran, 2 were stored"));
  EXPECT_EQ(box_.results(), results_);
}

TEST(LostFiles, PlanCountsWhatRunRuns) {
  const Sandbox box;
  std::string text = small_manifest();
  const std::string samples = R"("samples": 20,)";
  text.replace(text.find(samples), samples.size(), samples + R"( "save": "adversarials",)");
  const fs::path manifest = box.write("small.json", text);
  ASSERT_EQ(box.run(manifest).code, 0);
  const int attacks = std::stoi(box.ask("SELECT count(*) FROM adversarials"));
  const std::vector<fs::path> images = files_in(box.path("adversarials"));
  ASSERT_GT(images.size(), 1U);
  fs::remove(images[0]);
  fs::resize_file(images[1], 100);
  const std::vector<fs::path> checkpoints = files_in(box.path("checkpoints"));
  ASSERT_EQ(checkpoints.size(), 2U);
  fs::remove(checkpoints[0]);

  const int planned = to_run(plan_of(box, manifest));
  const Outcome status = box.unmask({"status", manifest.string(), "--db", box.database().string()});
  const Outcome run = box.run(manifest);

  EXPECT_EQ(planned, 3) << "of " << attacks << " attacks two lost their images";
  EXPECT_EQ(status.code, 1) << status.out;
  EXPECT_THAT(status.out, HasSubstr("it will be trained again"));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("3 cells ran"));
  EXPECT_EQ(to_run(plan_of(box, manifest)), 0);
}

// A training comes to its end while another program holds the database, and the host is killed
// before it could record the result: the next run takes it over.
TEST(Unrecorded, ATrainingThatEndedIsNotTrainedAgain) {
  const Sandbox box;
  const fs::path manifest = box.write("small.json", small_manifest());
  const Sandbox calm;
  ASSERT_EQ(calm.run(calm.write("small.json", small_manifest())).code, 0);
  std::string key;
  {
    WatchedRun run(box, manifest, {"--workers", "1"});
    key = run.wait_for("cell_started").at("key").get<std::string>();
    store::Database other = store::Database::open(box.database(), store::Database::Mode::kWrite);
    const store::Transaction lock(other);
    const fs::path finished = box.path("checkpoints") / "unfinished" / (key + ".result.json");
    for (int i = 0; i < 2000 && !fs::exists(finished); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_TRUE(fs::exists(finished)) << "the training did not end within 20 s";
    ::kill(run.pid(), SIGKILL);
    run.wait();
  }
  const nlohmann::json plan = plan_of(box, manifest);
  const Outcome status = box.unmask({"status", manifest.string(), "--db", box.database().string()});

  const Outcome again = run_plainly(box, manifest);

  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(plan.at("unrecorded"), 1);
  EXPECT_EQ(plan.at("stored"), 1) << "nothing else had ended";
  EXPECT_THAT(status.out, HasSubstr("1 finished training has not been recorded yet"));
  EXPECT_THAT(again.err, HasSubstr(std::to_string(to_run(plan)) + " cells ran"));
  EXPECT_THAT(again.err, HasSubstr("1 finished training had not been recorded"));
  EXPECT_EQ(box.ask("SELECT group_concat(a.state) FROM attempt a JOIN cell c ON c.id = a.cell_id "
                    "WHERE c.key = '" +
                    key + "' AND a.run_id = 2"),
            "done\n");
  EXPECT_THAT(again.err, Not(HasSubstr("start  worker 1  train plain")));
  EXPECT_EQ(box.results(), calm.results());
  EXPECT_TRUE(files_in(box.path("checkpoints") / "unfinished").empty());
}

// The files of this process may not grow beyond this size; RLIM_INFINITY: as they like.
void limit_files(pid_t process, rlim_t bytes) {
  rlimit limit{};
  ASSERT_EQ(::prlimit(process, RLIMIT_FSIZE, nullptr, &limit), 0);
  limit.rlim_cur = std::min(bytes, limit.rlim_max);
  ASSERT_EQ(::prlimit(process, RLIMIT_FSIZE, &limit, nullptr), 0);
}

// A disk on which there is no room for another page of the database's log.
class FullDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    manifest_ = box_.write("small.json", small_manifest());
    run_.emplace(box_, manifest_, std::vector<std::string>{"--workers", "1"});
    run_->wait_for("cell_started");
    fs::path log = box_.database();
    log += "-wal";
    limit_files(run_->pid(), fs::file_size(log) + 100);
    const auto notice = run_->wait_for("notice").at("text").get<std::string>();
    EXPECT_THAT(notice, HasSubstr("cannot grow: the disk is full"));
    EXPECT_THAT(notice, HasSubstr("waiting up to 600 s"));
    EXPECT_EQ(box_.ask("PRAGMA integrity_check"), "ok\n");
  }

  // What an undisturbed run stores.
  static std::string undisturbed() {
    const Sandbox calm;
    EXPECT_EQ(calm.run(calm.write("small.json", small_manifest())).code, 0);
    return calm.results();
  }

  Sandbox box_;
  fs::path manifest_;
  std::optional<WatchedRun> run_;
};

TEST_F(FullDisk, ARunGoesOnWhenThereIsRoomAgain) {
  limit_files(run_->pid(), RLIM_INFINITY);

  EXPECT_EQ(run_->wait().exit_code, 0);
  EXPECT_EQ(box_.ask("SELECT count(*) FROM attempt WHERE state <> 'done'"), "0\n");
  EXPECT_EQ(box_.results(), undisturbed());
}

TEST_F(FullDisk, ARunThatIsStoppedLeavesAllToTheNextOne) {
  ::kill(run_->pid(), SIGTERM);
  const base::ExitStatus stopped = run_->wait();
  EXPECT_EQ(stopped.exit_code, 5);
  EXPECT_EQ(box_.ask("PRAGMA integrity_check"), "ok\n");

  const Outcome again = box_.run(manifest_);

  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(box_.ask("PRAGMA integrity_check"), "ok\n");
  EXPECT_EQ(box_.results(), undisturbed());
}

TEST(FullDiskAtTheStart, IsSaidAtOnceAndLeavesNoDamage) {
  const Sandbox box;
  const fs::path manifest = box.write("small.json", small_manifest());
  const std::string program = std::string(UNMASK_BINARY_DIR) + "/bin/unmask";

  // 40 KiB are too few for the tables alone.
  const base::ChildOutput full = base::run_child({"bash",
                                                  "-c",
                                                  "ulimit -S -f 40; exec \"$@\"",
                                                  "bash",
                                                  program,
                                                  "run",
                                                  manifest.string(),
                                                  "--db",
                                                  box.database().string(),
                                                  "--progress",
                                                  "none"},
                                                 250,
                                                 std::size_t{1} << 20,
                                                 box.environment());
  const Outcome again = box.run(manifest, {"--only", "kind=train,model=plain"});

  EXPECT_EQ(full.status.exit_code, 5) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot grow: the disk is full"));
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(box.ask("PRAGMA integrity_check"), "ok\n");
}

TEST(Wait, TheSecondRunBeginsWhenTheFirstHasEnded) {
  const Sandbox box;
  std::string longer = small_manifest();
  const std::string epochs = R"("epochs": 2)";
  longer.replace(longer.find(epochs), epochs.size(), R"("epochs": 40)");
  const fs::path manifest = box.write("small.json", longer);
  WatchedRun first(box, manifest, {"--workers", "1", "--only", "kind=train"});
  first.wait_for("cell_started");

  const Outcome second = run_plainly(box, manifest, {"--wait", "--only", "kind=train"});

  EXPECT_EQ(second.code, 0) << second.err;
  EXPECT_THAT(second.err, HasSubstr("waiting: "));
  EXPECT_THAT(second.err, HasSubstr("process " + std::to_string(first.pid())));
  EXPECT_THAT(second.err, HasSubstr("0 cells ran, 2 were stored"));
  EXPECT_EQ(first.wait().exit_code, 0);
}

TEST(Logs, AreKeptPerRunAndShownWithAFailure) {
  const Sandbox box;
  std::string text = small_manifest();
  const std::string place = "\"noise\": {";
  text.replace(text.find(place),
               place.size(),
               R"("bad": { "plugin": "misbehave", "params": { "how": "throw" } }, )" + place);
  const fs::path manifest = box.write("bad.json", text);
  const std::vector<std::string> options = {"--plugin-dir",
                                            UNMASK_HARMFUL_PLUGINS,
                                            "--only",
                                            "attack=bad,model=plain,solver=rk4",
                                            "--workers",
                                            "1"};

  const Outcome first = run_plainly(box, manifest, options);
  const Outcome second = run_plainly(box, manifest, options);

  const auto log = [&](int run) {
    return fs::canonical(box.path("logs") / ("run-" + std::to_string(run)) / "worker-0.log")
        .string();
  };
  EXPECT_THAT(first.err, HasSubstr("log: " + log(1)));
  EXPECT_THAT(second.err, HasSubstr("log: " + log(2)));
  EXPECT_THAT(
      box.ask("SELECT DISTINCT log_tail FROM attempt WHERE run_id = 1 AND state = 'failed'"),
      HasSubstr("(all of it: " + log(1) + ")"));
}

}  // namespace
}  // namespace unmask::test::recovery_test
