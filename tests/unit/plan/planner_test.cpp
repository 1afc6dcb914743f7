#include "plan/planner.hpp"

#include <fstream>
#include <functional>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/plan/small_plan.hpp"
#include "unmask/errors.hpp"
#include "wire/key.hpp"
#include "wire/spec.hpp"

namespace unmask::plan::planner_test {
namespace {

using manifest::Definition;
using nlohmann::json;

catalog::Catalog catalog() {
  catalog::Catalog result;
  result.plugins = {
      plugin("solver", "rk4"),
      plugin("solver", "bosh3"),
      plugin("model", "net"),
      plugin("attack", "pgd"),
      plugin("attack", "none"),
      plugin(
          "dataset", "files", {path("folder", "where the files are"), integer("count", "images")}),
      plugin("objective", "loss"),
      plugin("probe", "gradient_norm")};
  return result;
}

// One training, one attack and one probe on it.
manifest::Study study() {
  manifest::Study result;
  result.name = "name";
  manifest::TrainRow train;
  train.dataset = {"images", "files", {{"folder", "/somewhere"}, {"count", 10}, {"test_limit", 5}}};
  train.model = {"small", "net", {{"width", 8}}};
  train.objective = {"natural", "loss", {{"epochs", 1}, {"learning_rate", 0.1}}};
  train.solver = {"coarse", "rk4", json::object()};
  result.train = {train};
  manifest::EvaluateRow attack;
  attack.kind = wire::CellKind::kAttack;
  attack.method = {"strong", "pgd", {{"steps", 20}}};
  attack.solver = train.solver;
  attack.epsilon = 8.0 / 255;
  attack.epsilon_text = "8/255";
  manifest::EvaluateRow probe = attack;
  probe.kind = wire::CellKind::kProbe;
  probe.method = {"norms", "gradient_norm", json::object()};
  probe.epsilon = 0;
  result.evaluate = {attack, probe};
  return result;
}

std::vector<std::string> keys(const manifest::Study& of) {
  std::vector<std::string> result;
  for (const wire::Cell& cell : make_plan(of, catalog(), facts_of(of)).cells)
    result.push_back(cell.key);
  return result;
}

TEST(Key, AgreesWithTheGoldenFile) {
  // Made with another JSON library and another SHA-256 (Python's), from the same specifications.
  const json golden = json::parse(std::ifstream(std::string(UNMASK_TEST_DATA) + "/keys/keys.json"));

  ASSERT_GE(golden.size(), 5u);
  for (const json& entry : golden)
    EXPECT_EQ(wire::key_of(entry.at("spec")), entry.at("key").get<std::string>())
        << entry.at("spec");
}

TEST(Key, OfAPlanNeverChangesByAccident) {
  // The whole way from a study to keys. A change here re-runs every cell that anybody has stored:
  // raise wire::kSemantics on purpose, or undo it.
  const json golden = json::parse(std::ifstream(std::string(UNMASK_TEST_DATA) + "/keys/plan.json"));

  EXPECT_EQ(json(keys(study())), golden);
}

TEST(Key, IgnoresNamesDescriptionsRunSettingsAndFolders) {
  manifest::Study other = study();
  other.name = "another";
  other.description = "other words";
  other.run.workers = 7;
  other.run.threads = 1;  // is the default
  other.train[0].model.edit().name = "renamed";
  other.evaluate[0].method.edit().name = "renamed";
  other.train[0].dataset.edit().params["folder"] = "/elsewhere";

  EXPECT_EQ(keys(other), keys(study()));
}

TEST(Key, OfATrainingIgnoresHowMuchIsTested) {
  manifest::Study other = study();
  other.train[0].dataset.edit().params["test_limit"] = 7;
  other.eval_samples = 3;
  other.eval_batch_size = 2;

  EXPECT_EQ(keys(other)[0], keys(study())[0]);
  EXPECT_NE(keys(other)[1], keys(study())[1]);
}

TEST(Key, ChangesWithEverythingThatTheResultDependsOn) {
  std::set<std::string> seen = {keys(study())[1]};
  const auto differs = [&](const std::function<void(manifest::Study&)>& change) {
    manifest::Study other = study();
    change(other);
    return seen.insert(keys(other)[1]).second;
  };

  EXPECT_TRUE(differs([](auto& s) { s.dtype = "float64"; }));
  // Another order of a sum, so other bits: a training under 2 threads has other weights.
  EXPECT_TRUE(differs([](auto& s) { s.run.threads = 2; }));
  EXPECT_TRUE(differs([](auto& s) { s.run.threads = 3; }));
  EXPECT_TRUE(differs([](auto& s) { s.eval_samples = 3; }));
  EXPECT_TRUE(differs([](auto& s) { s.eval_batch_size = 3; }));
  EXPECT_TRUE(differs([](auto& s) { s.train[0].seed = 1; }));
  EXPECT_TRUE(differs([](auto& s) { s.train[0].model.edit().params["width"] = 9; }));
  EXPECT_TRUE(differs([](auto& s) { s.train[0].objective.edit().params["epochs"] = 2; }));
  EXPECT_TRUE(differs([](auto& s) { s.train[0].solver.edit().plugin = "bosh3"; }));
  EXPECT_TRUE(differs([](auto& s) { s.evaluate[0].solver.edit().plugin = "bosh3"; }));
  EXPECT_TRUE(differs([](auto& s) {
    s.evaluate[0].gradient = {"g", {{"g", "bosh3", json::object()}}};
  }));
  EXPECT_TRUE(differs([](auto& s) {
    s.evaluate[0].gradient = {"m",
                              {{"g", "bosh3", json::object()}, {"coarse", "rk4", json::object()}}};
  }));
  EXPECT_TRUE(differs([](auto& s) {
    s.evaluate[0].source = {"@self:g", 0, {"g", "bosh3", json::object()}};
  }));
  EXPECT_TRUE(differs([](auto& s) { s.evaluate[0].method.edit().params["steps"] = 21; }));
  EXPECT_TRUE(differs([](auto& s) { s.evaluate[0].epsilon = 0.1; }));
  EXPECT_TRUE(differs([](auto& s) { s.evaluate[0].seed = 1; }));
}

TEST(Key, IsTheSameWhenAdversarialImagesAreKept) {
  manifest::Study other = study();
  other.keeps_adversarials = true;

  const Plan plan = make_plan(other, catalog(), facts_of(other));

  EXPECT_EQ(keys(other), keys(study()));
  EXPECT_TRUE(plan.cells[1].keeps_adversarials);
  EXPECT_FALSE(plan.cells[2].keeps_adversarials);  // a probe
}

TEST(Key, IsTheSameWhateverTheLimitOfTime) {
  manifest::Study other = study();
  other.train[0].objective.edit().timeout_s = 60;
  other.evaluate[0].method.edit().timeout_s = 5;

  const Plan plan = make_plan(other, catalog(), facts_of(other));

  EXPECT_EQ(keys(other), keys(study()));
  EXPECT_EQ(plan.cells[0].timeout_s, 60);
  EXPECT_EQ(plan.cells[1].timeout_s, 5);
  EXPECT_EQ(plan.cells[2].timeout_s, std::nullopt);  // a probe without one
}

TEST(Plan, OfTwoNamesOfOneComputationTheMorePatientOneDecides) {
  manifest::Study other = study();
  other.evaluate.resize(1);
  for (const std::optional<double> limit : {std::optional(5.0), std::optional(7.0)}) {
    other.evaluate.push_back(other.evaluate[0]);
    other.evaluate.back().method.edit().name = "again";
    other.evaluate.back().method.edit().timeout_s = limit;
  }
  other.evaluate.erase(other.evaluate.begin());
  EXPECT_EQ(make_plan(other, catalog(), facts_of(other)).cells.at(1).timeout_s, 7);

  other.evaluate[0].method.edit().timeout_s = std::nullopt;

  EXPECT_EQ(make_plan(other, catalog(), facts_of(other)).cells.at(1).timeout_s, std::nullopt);
}

TEST(Plan, ATransferNeedsBothTrainings) {
  manifest::Study other = study();
  other.train.push_back(other.train[0]);
  other.train[1].seed = 1;
  other.evaluate.resize(1);
  other.evaluate[0].source = {"small/images/natural/coarse/1", 1, other.train[1].solver};

  const Plan plan = make_plan(other, catalog(), facts_of(other));

  ASSERT_EQ(plan.cells.size(), 3U);
  EXPECT_EQ(plan.cells[2].needs, plan.cells[0].key);
  EXPECT_EQ(plan.cells[2].needs_source, plan.cells[1].key);
  EXPECT_EQ(plan.cells[2].spec.at("source").at("checkpoint"), plan.cells[1].key);
  EXPECT_EQ(plan.cells[2].labels.source, "small/images/natural/coarse/1");
}

TEST(Plan, TheSameWeightsUnderAnotherSolverNeedOneTraining) {
  manifest::Study other = study();
  other.evaluate.resize(1);
  other.evaluate[0].source = {"@self:g", 0, {"g", "bosh3", json::object()}};

  const Plan plan = make_plan(other, catalog(), facts_of(other));

  EXPECT_EQ(plan.cells[1].all_needs(), std::vector<std::string>{plan.cells[0].key});
  EXPECT_EQ(plan.cells[1].spec.at("source").at("solver").at("plugin"), "bosh3");
}

TEST(Key, ChangesWithThePluginsSourcesAndTheDataSetsContent) {
  const manifest::Study s = study();
  catalog::Catalog edited = catalog();
  edited.plugins[3].fingerprint = std::string(64, 'b');  // the attack

  const auto with_edit = make_plan(s, edited, facts_of(s)).cells;
  const auto with_data = make_plan(s, catalog(), facts_of(s, std::string(64, 'd'))).cells;

  EXPECT_EQ(with_edit[0].key, keys(s)[0]) << "editing an attack must not train again";
  EXPECT_NE(with_edit[1].key, keys(s)[1]);
  EXPECT_EQ(with_edit[2].key, keys(s)[2]) << "nor repeat a probe";
  EXPECT_NE(with_data[0].key, keys(s)[0]);
}

TEST(Plan, TrainsOnceWhatSeveralNamesMean) {
  manifest::Study twice = study();
  twice.train.push_back(twice.train[0]);
  twice.train[1].model.edit().name = "same_thing";
  twice.evaluate.push_back(twice.evaluate[0]);
  twice.evaluate[2].checkpoint = 1;

  EXPECT_EQ(make_plan(twice, catalog(), facts_of(twice)).cells.size(), 3u);
}

TEST(Plan, HoldsNoPluginThatAVisitorOfTheSpecificationPassesOver) {
  manifest::Study rich = study();
  rich.train.push_back(rich.train[0]);
  rich.train[1].seed = 1;
  manifest::EvaluateRow& attack = rich.evaluate[0];
  attack.source = {"small/images/natural/coarse/1", 1, rich.train[1].solver};
  attack.gradient = {"mean", {{"a", "rk4", json::object()}, {"b", "bosh3", json::object()}}};
  attack.method.edit().members = {{"x", "pgd", {{"steps", 20}}}, {"y", "pgd", {{"steps", 30}}}};

  for (const wire::Cell& cell : make_plan(rich, catalog(), facts_of(rich)).cells) {
    std::set<std::string> visited;
    wire::for_each_part(cell.spec,
                        [&](const std::string& name, const std::string&, const json& part) {
                          EXPECT_TRUE(part.contains("fingerprint")) << name;
                          visited.insert(name);
                        });
    const std::string text = cell.spec.dump();
    std::size_t fingerprints = 0;
    for (auto at = text.find("fingerprint"); at != std::string::npos;
         at = text.find("fingerprint", at + 1)) {
      ++fingerprints;
    }
    EXPECT_EQ(visited.size(), fingerprints) << text;
  }
}

// Two models that are the same network, each attacked by two attacks that are the same: one cell,
// under all four pairs of names.
TEST(Plan, KeepsEveryNameOfACell) {
  manifest::Study other = study();
  other.train.push_back(other.train[0]);
  other.train[1].model.edit().name = "twin";
  manifest::EvaluateRow again = other.evaluate[0];
  again.method.edit().name = "strong.1";
  manifest::EvaluateRow on_twin = other.evaluate[0];
  on_twin.checkpoint = 1;
  manifest::EvaluateRow again_on_twin = again;
  again_on_twin.checkpoint = 1;
  other.evaluate = {other.evaluate[0], again, on_twin, again_on_twin};

  const Plan plan = make_plan(other, catalog(), facts_of(other));

  ASSERT_EQ(plan.cells.size(), 2u);
  std::set<std::string> names = {plan.cells[1].labels.model + " " + plan.cells[1].labels.method};
  for (const wire::CellLabels& alias : plan.cells[1].aliases) {
    names.insert(alias.model + " " + alias.method);
  }
  EXPECT_EQ(
      names,
      (std::set<std::string>{"small strong", "small strong.1", "twin strong", "twin strong.1"}));
  ASSERT_EQ(plan.cells[0].aliases.size(), 1u);
  EXPECT_EQ(plan.cells[0].aliases[0].model, "twin");
}

TEST(Plan, PutsTrainingsFirstAndLinksWhatNeedsThem) {
  const auto cells = make_plan(study(), catalog(), facts_of(study())).cells;

  ASSERT_EQ(cells.size(), 3u);
  EXPECT_EQ(cells[0].kind, wire::CellKind::kTrain);
  EXPECT_EQ(cells[1].kind, wire::CellKind::kAttack);
  EXPECT_EQ(cells[2].kind, wire::CellKind::kProbe);
  EXPECT_EQ(cells[1].needs, cells[0].key);
  EXPECT_EQ(cells[1].spec.at("checkpoint").get<std::string>(), cells[0].key);
  EXPECT_EQ(cells[1].locals.at("dataset").at("folder").get<std::string>(), "/somewhere");
}

// A plan of 100,000 cells would not fit into memory otherwise.
TEST(Plan, CellsShareTheMembersThatTheyHaveInCommon) {
  manifest::Study wide = study();
  for (int seed = 1; seed < 3; ++seed) {
    wide.evaluate.push_back(wide.evaluate[0]);
    wide.evaluate.back().seed = seed;
  }

  const std::vector<wire::Cell> cells = make_plan(wide, catalog(), facts_of(wide)).cells;

  ASSERT_EQ(cells.size(), 5u);
  const wire::Spec& first = cells[1].spec;
  for (const wire::SharedMember& member : first.members()) {
    const bool is_shared = member == cells[3].spec.member(member->name());
    EXPECT_EQ(is_shared, member->name() != "seed") << member->name();
  }
  EXPECT_EQ(first.member("model"), cells[0].spec.member("model"));
  EXPECT_NE(cells[3].key, cells[4].key);
}

TEST(SharedDefinition, IsChangedForItsOwnerAlone) {
  manifest::SharedDefinition one("a", "pgd", {{"steps", 1}});
  const manifest::SharedDefinition other = one;
  EXPECT_EQ(&*one, &*other);

  one.edit().params["steps"] = 2;

  EXPECT_EQ(one->params.at("steps"), 2);
  EXPECT_EQ(other->params.at("steps"), 1);
}

// A study whose cells need two trainings.
manifest::Study transfer_study() {
  manifest::Study result = study();
  result.train.push_back(result.train[0]);
  result.train[1].seed = 1;
  result.evaluate[0].source = {"small/images/natural/coarse/1", 1, result.train[1].solver};
  result.keeps_adversarials = true;
  return result;
}

TEST(PlanAsJson, ComesBackAsItWas) {
  const manifest::Study s = transfer_study();
  Plan sent = make_plan(s, catalog(), facts_of(s));
  sent.dataset_problems["images"] = "a problem";
  sent.cells[0].aliases = {sent.cells[1].labels};

  const Plan got = json::parse(json(sent).dump()).get<Plan>();

  EXPECT_EQ(json(got), json(sent));
  ASSERT_EQ(got.cells.size(), sent.cells.size());
  for (std::size_t i = 0; i < got.cells.size(); ++i) {
    EXPECT_EQ(got.cells[i].needs, sent.cells[i].needs) << i;
    EXPECT_EQ(got.cells[i].needs_source, sent.cells[i].needs_source) << i;
    EXPECT_EQ(wire::title(got.cells[i]), wire::title(sent.cells[i]));
  }
}

TEST(PlanAsJson, RefusesASpecificationThatIsNotItsKeys) {
  json plan = make_plan(study(), catalog(), facts_of(study()));
  plan["cells"][0]["spec"]["seed"] = 5;

  EXPECT_THROW(plan.get<Plan>(), DataError);
}

TEST(PlanAsJson, RefusesACellWithoutItsTraining) {
  json plan = make_plan(study(), catalog(), facts_of(study()));
  plan["cells"].erase(0);

  EXPECT_THROW(plan.get<Plan>(), DataError);
}

TEST(PlanAsJson, RefusesAnUnknownKind) {
  json plan = make_plan(study(), catalog(), facts_of(study()));
  plan["cells"][0]["kind"] = "bake";

  EXPECT_THROW(plan.get<Plan>(), DataError);
}

TEST(Plan, NamesDataThatCannotBeRead) {
  const manifest::Study s = study();
  auto known = facts_of(s);
  known.begin()->second = {"", "the folder is missing", 0};

  const auto plan = make_plan(s, catalog(), known);

  EXPECT_EQ(plan.dataset_problems.at("images"), "the folder is missing");
  EXPECT_EQ(plan.cells.size(), 3u);
}

TEST(Plan, KnowsTheCellsThatWouldNeverEnd) {
  const manifest::Study s = study();
  const std::vector<EndlessDefinition> endless = {
      {"attack", *s.evaluate[0].method, "the attack never begins"}};
  auto known = facts_of(s);

  const auto plan = make_plan(s, catalog(), known, endless);

  EXPECT_EQ(plan.hopeless,
            (std::map<std::string, std::string>{{plan.cells[1].key, "the attack never begins"}}));
  EXPECT_TRUE(plan.dataset_problems.empty());

  // Solvers stand in several places: the training's, the attack's and the probe's are one here.
  const auto all = make_plan(s, catalog(), known, {{"solver", *s.train[0].solver, "no step ends"}});
  EXPECT_EQ(all.hopeless.size(), 3u);

  known.begin()->second = {"", "", 0};
  known.begin()->second.deed = "the data never come";
  known.begin()->second.is_endless = true;
  const auto without_data = make_plan(s, catalog(), known);
  EXPECT_EQ(
      without_data.hopeless,
      (std::map<std::string, std::string>{{without_data.cells[0].key, "the data never come"}}));
}

TEST(Title, SaysWhatACellIs) {
  const auto cells = make_plan(study(), catalog(), facts_of(study())).cells;

  EXPECT_EQ(wire::title(cells[0]), "train small/images/natural/coarse seed 0");
  EXPECT_EQ(wire::title(cells[1]), "attack strong eps 8/255 on small/images/natural/coarse seed 0");
}

}  // namespace
}  // namespace unmask::plan::planner_test
