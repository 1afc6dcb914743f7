// Attacks and probes that are executed in parts give what whole ones give, bit by bit, whoever is
// killed in between.

#include <signal.h>

#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "integration/sandbox.hpp"

namespace unmask::test::parts_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// So short that every batch is a part.
const std::vector<std::string> kParts = {"--part-seconds", "1e-9"};
const std::vector<std::string> kWhole = {"--part-seconds", "0"};

std::vector<std::string> with(std::vector<std::string> options,
                              const std::vector<std::string>& more) {
  options.insert(options.end(), more.begin(), more.end());
  return options;
}

// Every shipped plugin of a kind under its own name, as small as the first of its examples.
json shipped(const std::string& kind) {
  json definitions = json::object();
  const fs::path folder = fs::path(UNMASK_SOURCE_DIR) / "plugins" / (kind + "s");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string id = entry.path().filename().string();
    if (!entry.is_directory() || id == "none") continue;  // that one is asked for as "clean"
    json definition = {{"plugin", id}};
    if (const fs::path examples = entry.path() / "examples.json"; fs::exists(examples)) {
      definition["params"] = json::parse(base::read_file(examples)).front();
    }
    definitions[id] = definition;
  }
  return definitions;
}

// A linear network, and an ODE network whose solver couples its batches. The last batch is shorter.
json study() {
  json manifest = json::parse(R"({
    "version": 1, "name": "parts",
    "define": {
      "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 100, "test_count": 40 } } },
      "model": { "line": { "plugin": "linear" },
                 "ode": { "plugin": "so_resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } } },
      "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 2, "batch_size": 25, "learning_rate": 0.05 } } },
      "solver": { "rk4": { "plugin": "rk4" },
                  "bosh3": { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1 } } } },
    "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["bosh3"], "seed": [0] } },
    "evaluate": { "samples": 14, "batch_size": 4 } })");
  return manifest;
}

json every_plugin() {
  json manifest = study();
  manifest["define"]["attack"] = shipped("attack");
  manifest["define"]["probe"] = shipped("probe");
  json probes = json::array();
  for (const auto& [name, probe] : manifest["define"]["probe"].items()) probes.push_back(name);
  manifest["evaluate"]["matrix"] = {{"checkpoint", {"line*"}},
                                    {"solver", {"@train"}},
                                    {"attack", {"*"}},
                                    {"epsilon", {0.2}},
                                    {"seed", {0}},
                                    {"clean", true},
                                    {"probes", probes}};
  return manifest;
}

json coupled() {
  json manifest = study();
  manifest["define"]["attack"] = {
      {"pgd", {{"plugin", "pgd"}, {"params", {{"steps", 3}, {"step_size", 0.02}}}}},
      {"fgsm", {{"plugin", "fgsm"}}},
      {"noise", {{"plugin", "random_noise"}, {"params", {{"repeats", 3}, {"batch_size", 3}}}}}};
  manifest["define"]["probe"] = {{"norms", {{"plugin", "gradient_norm"}}}};
  manifest["evaluate"]["matrix"] = {{"checkpoint", {"ode*"}},
                                    {"solver", {"@train", "rk4"}},
                                    {"attack", {"*"}},
                                    {"epsilon", {"8/255"}},
                                    {"seed", {0}},
                                    {"gradient", {"@eval", "rk4"}},
                                    {"clean", true},
                                    {"probes", {"norms"}}};
  return manifest;
}

// Sandbox::results(), and what it leaves out: values of samples, series, remarks, counted work.
std::string all_results(const Sandbox& box) {
  std::string text = box.results();
  for (const char* sql :
       {"SELECT c.key, v.sample, v.name, v.value, v.flag FROM sample_metric v JOIN cell c ON c.id "
        "= "
        "v.cell_id ORDER BY 1, 2, 3",
        "SELECT c.key, s.name, s.step, s.value, s.flag FROM series s JOIN cell c ON c.id = "
        "s.cell_id WHERE c.kind <> 'train' ORDER BY 1, 2, 3",
        "SELECT c.key, r.n, r.text FROM remark r JOIN cell c ON c.id = r.cell_id ORDER BY 1, 2",
        "SELECT c.key, o.sample, o.passes, o.state FROM sample_outcome o JOIN cell c ON c.id = "
        "o.cell_id ORDER BY 1, 2",
        "SELECT c.key, a.forwards, a.backwards, a.nfe FROM attempt a JOIN cell c ON c.id = "
        "a.cell_id WHERE a.state = 'done' ORDER BY 1",
        "SELECT c.key, s.purpose, s.seed FROM seed s JOIN cell c ON c.id = s.cell_id ORDER BY 1, "
        "2"}) {
    text += box.ask(sql);
  }
  return text;
}

// How often something happened in a run with --progress json.
std::vector<json> events_of(const Outcome& outcome, const std::string& name) {
  std::vector<json> events;
  std::istringstream lines(outcome.out);
  for (std::string line; std::getline(lines, line);) {
    json event = json::parse(line);
    if (event.at("event") == name) events.push_back(std::move(event));
  }
  return events;
}

std::string undisturbed(const json& manifest) {
  const Sandbox box;
  const Outcome outcome = box.run(box.write("study.json", manifest.dump()), kWhole);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  return all_results(box);
}

TEST(Parts, EveryShippedAttackAndProbeGivesTheSameInParts) {
  const Sandbox box;

  const Outcome outcome =
      box.run(box.write("study.json", every_plugin().dump()), with(kParts, {"--workers", "2"}));

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(all_results(box), undisturbed(every_plugin()));
  EXPECT_EQ(box.ask("SELECT count(*) FROM cell_part"), "0\n");
}

TEST(Parts, SamplesThatHangTogetherInTheirBatchGiveTheSameInParts) {
  const Sandbox box;

  const Outcome outcome =
      box.run(box.write("study.json", coupled().dump()), with(kParts, {"--workers", "2"}));

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(all_results(box), undisturbed(coupled()));
}

// One attack of many batches.
json one_attack() {
  json manifest = study();
  manifest["define"]["attack"] = {
      {"pgd", {{"plugin", "pgd"}, {"params", {{"steps", 100}, {"step_size", 0.01}}}}}};
  manifest["evaluate"]["samples"] = 40;
  manifest["evaluate"]["matrix"] = {{"checkpoint", {"ode*"}},
                                    {"solver", {"@train"}},
                                    {"attack", {"pgd"}},
                                    {"epsilon", {"8/255"}},
                                    {"seed", {0}},
                                    {"clean", false}};
  return manifest;
}

// Which parts are stored.
std::string stored_parts(const Sandbox& box) {
  return box.ask("SELECT first, samples, stored_at FROM cell_part ORDER BY first");
}

// When a worker tells of the second batch, the part with the first one is stored.
void wait_for_the_second_part(WatchedRun& run) {
  for (;;) {
    const json event = run.wait_for("cell_progress");
    if (event.at("kind") == "attack" && event.at("done").get<int>() >= 8) return;
  }
}

TEST(Parts, AKilledHostGoesOnAtTheNextPart) {
  const Sandbox box;
  const auto manifest = box.write("study.json", one_attack().dump());
  {
    WatchedRun run(box, manifest, with(kParts, {"--workers", "1"}));
    wait_for_the_second_part(run);
    ::kill(run.pid(), SIGKILL);
    run.wait();
  }
  const std::string before = stored_parts(box);

  const Outcome again = box.unmask(with({"run",
                                         manifest.string(),
                                         "--db",
                                         box.database().string(),
                                         "--progress",
                                         "json",
                                         "--workers",
                                         "1"},
                                        kParts));

  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_FALSE(before.empty());
  // What is stored counts as done from the first message on.
  const std::vector<json> told = events_of(again, "cell_progress");
  for (const json& event : told) EXPECT_GT(event.at("done").get<int>(), 4) << event;
  EXPECT_EQ(all_results(box), undisturbed(one_attack()));
  EXPECT_EQ(stored_parts(box), "");
}

TEST(Parts, AKilledWorkerIsReplacedAtTheNextPart) {
  const Sandbox box;
  const auto manifest = box.write("study.json", one_attack().dump());
  WatchedRun run(box, manifest, with(kParts, {"--workers", "1"}));
  const int worker = run.wait_for("worker_started").at("pid").get<int>();
  wait_for_the_second_part(run);
  ::kill(worker, SIGKILL);

  const base::ExitStatus status = run.wait();

  EXPECT_EQ(status.exit_code, 0);
  EXPECT_EQ(all_results(box), undisturbed(one_attack()));
}

TEST(Parts, TwoWorkersShareOneCell) {
  const Sandbox box;
  const auto manifest = box.write("study.json", one_attack().dump());

  const Outcome outcome = box.unmask(with({"run",
                                           manifest.string(),
                                           "--db",
                                           box.database().string(),
                                           "--progress",
                                           "json",
                                           "--workers",
                                           "2"},
                                          kParts));

  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::set<int> workers;
  for (const json& event : events_of(outcome, "cell_joined")) {
    if (event.at("kind") == "attack") workers.insert(event.at("worker").get<int>());
  }
  EXPECT_FALSE(workers.empty()) << "nobody helped";
  EXPECT_EQ(all_results(box), undisturbed(one_attack()));
}

TEST(Parts, ATimeThatIsNoneIsRefused) {
  const Sandbox box;

  const Outcome outcome =
      box.run(box.write("study.json", one_attack().dump()), {"--part-seconds=-1"});

  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("--part-seconds"));
}

}  // namespace
}  // namespace unmask::test::parts_test
