// A plugin that harms only harms its own cells, and every wrong input gets one message.

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/counted.hpp"
#include "integration/sandbox.hpp"

namespace unmask::test::failures_test {
namespace {

using ::testing::HasSubstr;

Outcome run_with(const Sandbox& box, const std::string& definition) {
  return box.run(box.write("bad.json", with_attack(definition)),
                 {"--plugin-dir",
                  UNMASK_HARMFUL_PLUGINS,
                  "--only",
                  "attack=bad,model=plain",
                  "--only",
                  "attack=pgd,model=plain"});
}

TEST(Failure, ACrashingAttackIsRecordedAndTheOthersGoOn) {
  const Sandbox box;

  const Outcome outcome = run_with(box, R"({ "plugin": "segfault" })");

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("unmask query failures"));
  EXPECT_EQ(box.ask("SELECT DISTINCT failure_class, signal FROM failures"), "crash,11\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM cells WHERE method = 'pgd' AND model = 'plain' AND state "
                    "<> 'done'"),
            "0\n");
  // One retry in a fresh worker; what crashed twice is not tried in its other cells.
  EXPECT_EQ(box.ask("SELECT max(n) FROM (SELECT count(*) AS n FROM attempt a JOIN cells c ON "
                    "c.cell_id = a.cell_id "
                    "WHERE c.method = 'bad' GROUP BY a.cell_id)"),
            "2\n");
}

TEST(Failure, AThrowingAttackIsRecordedWithItsWords) {
  const Sandbox box;

  const Outcome outcome =
      run_with(box, R"({ "plugin": "misbehave", "params": { "how": "throw" } })");

  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(box.ask("SELECT DISTINCT failure_class, message FROM failures"),
              HasSubstr("plugin_error,attack misbehave: this attack gives up"));
}

TEST(Failure, AWrongShapeIsRecorded) {
  const Sandbox box;

  const Outcome outcome =
      run_with(box, R"({ "plugin": "misbehave", "params": { "how": "shape" } })");

  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(box.ask("SELECT DISTINCT message FROM failures"), HasSubstr("the attack returned"));
}

TEST(Failure, AForkedChildHasNoPartInTheConversation) {
  const Sandbox box;

  const Outcome outcome =
      run_with(box, R"({ "plugin": "misbehave", "params": { "how": "fork" } })");

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(box.ask("SELECT count(*) FROM attempt WHERE state <> 'done'"), "0\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM cells WHERE state <> 'done' AND method = 'pgd' AND model "
                    "= 'plain'"),
            "0\n");
}

// Processes that a plugin's worker left running, by what it printed of them.
std::vector<pid_t> strays_of(const Sandbox& box) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(box.path("logs"))) {
    std::ifstream log(entry.path());
    std::string word;
    pid_t pid = -1;
    while (log >> word) {
      if (word == "stray" && log >> pid) found.push_back(pid);
    }
  }
  return found;
}

TEST(Failure, AProcessThatAPluginLeftInASessionOfItsOwnIsEnded) {
  const Sandbox box;

  const Outcome outcome =
      run_with(box, R"({ "plugin": "misbehave", "params": { "how": "stray" } })");

  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<pid_t> strays = strays_of(box);
  ASSERT_FALSE(strays.empty());
  EXPECT_THAT(outcome.err,
              HasSubstr(base::counted(strays.size(), "process", "processes") +
                        " that plugins had left running"));
  for (const pid_t pid : strays) EXPECT_EQ(::kill(pid, 0), -1) << pid;
}

TEST(Failure, AMessageOfAHundredMegabytesIsCut) {
  const Sandbox box;

  const Outcome outcome =
      run_with(box, R"({ "plugin": "misbehave", "params": { "how": "huge_message" } })");

  EXPECT_EQ(outcome.code, 1);
  // 16 KiB and the sentence behind them.
  EXPECT_EQ(box.ask("SELECT count(*) FROM attempt WHERE length(message) > 17000"), "0\n");
  // 100 MiB, and the 18 characters "attack misbehave: " before them.
  EXPECT_THAT(box.ask("SELECT DISTINCT substr(message, -31) FROM failures"),
              HasSubstr("(104857618 bytes in all)"));
}

// A selection of tests/soak/zoo.py, which runs all of them: each in one study beside the others.
TEST(Zoo, EachHarmsItselfAlone) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"born_crash_in_worker", "crash"},
      {"born_throw_number", "plugin_error"},
      {"closes_all", "crash"},
      {"exit", "crash"},
      {"hang_deaf", "timeout"},
      {"heavy_frame", "crash"},
      {"locale", "done"},
      {"note_accuracy", "plugin_error"},
      {"rounding", "done"},
      {"throw_number", "plugin_error"},
      {"too_many", "plugin_error"}};
  const Sandbox box;
  std::string manifest = small_manifest();
  const std::string place = "\"noise\": {";
  std::string definitions, ends;
  for (const auto& [how, end] : expected) {
    definitions += "\"bad_" + how + "\": { \"plugin\": \"misbehave\", " +
                   (end == "timeout" ? "\"timeout\": \"1s\", " : "") + "\"params\": { \"how\": \"" +
                   how + "\" } }, ";
    ends += "bad_" + how + "," + end + "\n";
  }
  manifest.insert(manifest.find(place), definitions);

  const Outcome outcome = box.run(box.write("zoo.json", manifest),
                                  {"--plugin-dir",
                                   UNMASK_HARMFUL_PLUGINS,
                                   "--retry",
                                   "crash=0",
                                   "--workers",
                                   "1",
                                   "--only",
                                   "model=plain,solver=rk4"});

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(box.ask("SELECT c.method, coalesce(f.failure_class, c.state) FROM cells c "
                    "LEFT JOIN failures f ON f.cell_id = c.cell_id WHERE c.method LIKE 'bad%' AND "
                    "c.model = 'plain' AND c.solver = 'rk4' GROUP BY c.method ORDER BY c.method"),
            ends);
  EXPECT_EQ(box.ask("SELECT count(*) FROM cells WHERE state <> 'done' AND method NOT LIKE 'bad%' "
                    "AND model = 'plain' AND solver = 'rk4'"),
            "0\n");
  EXPECT_THAT(outcome.err, HasSubstr("changed the locale"));
  EXPECT_THAT(outcome.err, HasSubstr("changed the floating-point environment"));
}

// What leaves the ball or the box does not count, however wrong the class is: the clean image is
// scored again, in the same batch as its clean prediction.
TEST(Violation, APointOutsideOfTheBallDoesNotFool) {
  const Sandbox box;

  const Outcome outcome =
      run_with(box, R"({ "plugin": "misbehave", "params": { "how": "outside_ball" } })");

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("outside of its ball"));
  // Every right answer was attacked, every point was thrown away, and nothing changed by it.
  EXPECT_EQ(box.ask("SELECT max(a.clean_accuracy) > 0, sum(m.value < a.clean_correct), "
                    "sum(a.robust_correct <> a.clean_correct) "
                    "FROM accuracy a JOIN metric m ON m.cell_id = a.cell_id "
                    "WHERE a.attack = 'bad' AND m.name = 'threat_violations'"),
            "1,0,0\n");
  EXPECT_EQ(
      box.ask("SELECT count(*) FROM sample_outcome o JOIN accuracy a ON a.cell_id = o.cell_id "
              "WHERE a.attack = 'bad' AND o.distance > a.epsilon * (1 + 1e-6) + 1e-7"),
      "0\n");
}

// A point that is no number is not outside of anything: the attack is broken, and what it leaves
// says nothing, neither fooled nor robust.
TEST(Violation, APointThatIsNotFiniteFailsTheCell) {
  const Sandbox box;

  const Outcome outcome = run_with(box, R"({ "plugin": "misbehave", "params": { "how": "nan" } })");

  EXPECT_EQ(outcome.code, 1) << outcome.err;
  EXPECT_EQ(box.ask("SELECT DISTINCT method, failure_class FROM failures"), "bad,invalid\n");
  EXPECT_THAT(box.ask("SELECT DISTINCT message FROM failures"),
              HasSubstr("attack misbehave: it gave points that are not finite"));
  EXPECT_EQ(box.ask("SELECT count(*) > 0, sum(state = 'failed') = count(*) FROM cells "
                    "WHERE method = 'bad' AND model = 'plain'"),
            "1,1\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM sample_outcome o JOIN cells c USING (cell_id) "
                    "WHERE c.method = 'bad'"),
            "0\n");
  EXPECT_EQ(box.ask("SELECT count(*) FROM cells WHERE method = 'pgd' AND model = 'plain' "
                    "AND state <> 'done'"),
            "0\n");
}

TEST(BadInput, ManifestGetsExitCodeThreeAndAPosition) {
  const Sandbox box;
  std::string text = small_manifest();
  text.replace(text.find("\"bosh3\", \"params\""), 7, "\"bosh4\"");
  const auto manifest = box.write("wrong.json", text);

  const Outcome outcome = box.run(manifest);

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("wrong.json:12:"));
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"bosh3\"?"));
  EXPECT_FALSE(std::filesystem::exists(box.database()));
}

TEST(BadInput, MissingDataIsOneLineAndExitCodeThree) {
  const Sandbox box;
  const std::string paper = std::string(UNMASK_SOURCE_DIR) + "/experiments/paper-cifar10.json";

  const Outcome check = box.unmask({"check", paper});
  const Outcome run = box.run(paper);

  EXPECT_EQ(check.code, 0) << check.err;
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, HasSubstr("data set \"cifar10\""));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
}

TEST(BadInput, MissingDataIsNoMatterToARunThatDoesNotAskForIt) {
  const Sandbox box;
  std::string text = small_manifest();
  const std::string place = "\"strokes\": { \"plugin\"";
  text.replace(text.find(place),
               place.size(),
               R"("absent": { "plugin": "tensors", "params": { "file": "absent.st" } }, )" + place);
  const auto manifest = box.write("two.json", text);

  const Outcome present = box.run(manifest, {"--only", "dataset=strokes,model=plain,kind=train"});
  const Outcome absent = box.run(manifest, {"--only", "dataset=absent,model=plain,kind=train"});

  EXPECT_EQ(present.code, 0) << present.err;
  EXPECT_EQ(absent.code, 3);
  EXPECT_THAT(absent.err, HasSubstr("data set \"absent\""));
}

TEST(BadInput, ForeignDatabaseIsRefusedWithExitCodeFive) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  std::ofstream(box.database())
      << "this is a letter, not a database, and it is long enough to look at";

  const Outcome outcome = box.run(manifest);

  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.err, HasSubstr(box.database().string()));
}

TEST(BadInput, UnknownCommandAndOptionGetExitCodeTwoAndASuggestion) {
  const Sandbox box;

  const Outcome command = box.unmask({"rnu", "x.json"});
  const Outcome option = box.unmask({"run", "x.json", "--wokers", "2"});

  EXPECT_EQ(command.code, 2);
  EXPECT_THAT(command.err, HasSubstr("did you mean \"run\"?"));
  EXPECT_EQ(option.code, 2);
  EXPECT_THAT(option.err, HasSubstr("--workers"));
}

TEST(BadInput, ACudaDeviceThatIsNotThereIsNamed) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());

  const Outcome outcome = box.run(manifest, {"--device", "cuda:97"});

  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--device cuda:97"));
}

TEST(BadInput, ADamagedCheckpointIsNamedByExec) {
  const Sandbox box;
  const auto manifest = box.write("small.json", small_manifest());
  ASSERT_EQ(box.run(manifest, {"--only", "attack=clean,model=plain"}).code, 0);
  std::string key = box.ask("SELECT c.key FROM accuracy a JOIN cell c ON c.id = a.cell_id LIMIT 1");
  key.pop_back();
  for (const auto& entry : std::filesystem::recursive_directory_iterator(box.path("checkpoints"))) {
    if (entry.is_regular_file()) std::filesystem::resize_file(entry.path(), 100);
  }

  const Outcome outcome =
      box.unmask({"exec", manifest.string(), "--cell", key, "--db", box.database().string()});

  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.err, HasSubstr("is damaged"));
}

}  // namespace
}  // namespace unmask::test::failures_test
