// Kill anything at any time; the same command again runs exactly what is missing.

#include <signal.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/sandbox.hpp"

namespace unmask::test::kill_test {
namespace {

// Computed once: what an undisturbed run stores.
const std::string& undisturbed() {
  static const std::string kResults = [] {
    const Sandbox box;
    const Outcome outcome = box.run(box.write("small.json", small_manifest()));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return box.results();
  }();
  return kResults;
}

TEST(Kill, HostKilledInTheMiddleOfATrainingLosesNothingElse) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  {
    WatchedRun run(box, manifest, {"--workers", "1"});
    run.wait_for("cell_started");
    ::kill(run.pid(), SIGKILL);
    EXPECT_EQ(run.wait().signal, SIGKILL);
  }

  const Outcome again = box.run(manifest);

  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(box.results(), undisturbed());
  EXPECT_EQ(box.ask("SELECT count(*) FROM attempt WHERE state = 'interrupted'"), "1\n");
}

TEST(Kill, HostKilledBetweenEvaluationsRunsExactlyTheMissingCells) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  {
    WatchedRun run(box, manifest, {"--workers", "2"});
    for (int i = 0; i < 5; ++i) run.wait_for("cell_done");
    ::kill(run.pid(), SIGKILL);
    run.wait();
  }
  const int done = std::stoi(box.ask("SELECT count(*) FROM attempt WHERE state = 'done'"));

  const Outcome again = box.run(manifest);

  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_GE(done, 5) << "a cell that was reported as done was lost";
  EXPECT_THAT(again.err, ::testing::HasSubstr(", " + std::to_string(done) + " were stored"));
  EXPECT_EQ(box.results(), undisturbed());
}

TEST(Kill, WorkerKilledInTheMiddleOfACellIsReplaced) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  WatchedRun run(box, manifest, {"--workers", "1"});
  const int worker = run.wait_for("worker_started").at("pid").get<int>();
  run.wait_for("cell_started");
  ::kill(worker, SIGKILL);

  const base::ExitStatus status = run.wait();

  EXPECT_EQ(status.exit_code, 0);
  EXPECT_EQ(box.results(), undisturbed());
  EXPECT_EQ(
      box.ask("SELECT failure_class, count(*) FROM attempt WHERE state = 'failed' GROUP BY 1"),
      "crash,1\n");
}

TEST(Interrupt, OnceDrainsAndTheNextRunFinishes) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  WatchedRun run(box, manifest, {"--workers", "1"});
  run.wait_for("cell_done");
  run.wait_for("cell_started");
  ::kill(run.pid(), SIGINT);

  const base::ExitStatus status = run.wait();
  const std::string interrupted = box.ask("SELECT count(*) FROM attempt WHERE state <> 'done'");
  const Outcome again = box.run(manifest);

  EXPECT_EQ(status.exit_code, 1);
  EXPECT_EQ(interrupted, "0\n") << "draining lets the running cell finish";
  EXPECT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(box.results(), undisturbed());
}

TEST(Interrupt, ASecondRunOnTheSameDatabaseIsRefusedByName) {
  const Sandbox box;
  // Long enough that it still runs when the second one has read its manifest.
  std::string longer = small_manifest();
  const std::string epochs = R"("epochs": 2)";
  longer.replace(longer.find(epochs), epochs.size(), R"("epochs": 60)");
  const auto manifest = box.write("small.json", longer);
  WatchedRun run(box, manifest, {"--workers", "1"});
  run.wait_for("cell_started");

  const Outcome second = box.run(manifest);

  EXPECT_EQ(second.code, 5);
  EXPECT_THAT(second.err, ::testing::HasSubstr(std::to_string(run.pid())));
}

}  // namespace
}  // namespace unmask::test::kill_test
