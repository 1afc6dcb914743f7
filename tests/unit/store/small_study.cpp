#include "unit/store/small_study.hpp"

#include <cmath>
#include <tuple>
#include <utility>

#include "store/database.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store::testing {
namespace {

using nlohmann::json;

std::string fingerprint(const std::string& kind, const std::string& id) {
  return sha256_hex(kind + " " + id);
}

json part(const std::string& kind, const std::string& id, json params = json::object()) {
  return {{"plugin", id}, {"fingerprint", fingerprint(kind, id)}, {"params", std::move(params)}};
}

wire::Cell evaluate_cell(const wire::Cell& training, const std::string& solver) {
  wire::Cell cell;
  cell.spec = {{"checkpoint", training.key},
               {"dataset", part("dataset", "strokes")},
               {"model", training.spec.at("model")},
               {"solver", part("solver", solver)},
               {"gradient", nullptr},
               {"seed", 0}};
  cell.labels = training.labels;
  cell.labels.solver = solver;
  return cell;
}

}  // namespace

manifest::Study make_study(const std::string& name) {
  manifest::Study study;
  study.file = "studies/" + name + ".json";
  study.text = "{\"name\": \"" + name + "\"}\n";
  study.sha256 = sha256_hex(study.text);
  study.name = name;
  study.description = "made up for tests";
  return study;
}

catalog::Catalog make_catalog() {
  catalog::Catalog catalog;
  const std::pair<const char*, const char*> plugins[] = {{"solver", "bosh3"},
                                                         {"solver", "rk4"},
                                                         {"model", "resnet"},
                                                         {"model", "so_resnet"},
                                                         {"attack", "none"},
                                                         {"attack", "pgd"},
                                                         {"attack", "spsa"},
                                                         {"attack", "square"},
                                                         {"dataset", "strokes"},
                                                         {"objective", "ce"},
                                                         {"probe", "gradient_norm"}};
  for (const auto& [kind, id] : plugins) {
    catalog::PluginRecord record;
    record.kind = kind;
    record.id = id;
    record.version = "1.0";
    record.summary = std::string("made-up ") + kind;
    record.fingerprint = fingerprint(kind, id);
    record.file = std::string("plugins/") + kind + "_" + id + ".so";
    record.file_sha256 = sha256_hex(record.file.string());
    record.build_tag = "gcc12";
    if (record.id == "spsa" || record.id == "square") record.capabilities = {"gradient_free"};
    catalog.plugins.push_back(record);
  }
  return catalog;
}

RunInfo make_info() {
  RunInfo info;
  info.argv = {"unmask", "run", "studies/small.json"};
  info.environment = {{"host", "lab1"}, {"libtorch", "1.13.1"}, {"gpu", {"none"}}};
  info.git_commit = "0123456789abcdef0123456789abcdef01234567";
  info.git_dirty = false;
  return info;
}

wire::Cell train_cell(const std::string& model, std::int64_t seed) {
  wire::Cell cell;
  cell.kind = wire::CellKind::kTrain;
  cell.spec = {{"kind", "train"},
               {"dataset", part("dataset", "strokes")},
               {"model", part("model", model)},
               {"objective", part("objective", "ce")},
               {"solver", part("solver", "bosh3")},
               {"seed", seed}};
  cell.key = sha256_hex(cell.spec.dump());
  cell.labels.dataset = "strokes";
  cell.labels.model = model;
  cell.labels.objective = "ce";
  cell.labels.train_solver = "bosh3";
  cell.labels.train_seed = seed;
  return cell;
}

wire::Cell attack_cell(const wire::Cell& training,
                       const std::string& solver,
                       const std::string& gradient,
                       const std::string& method,
                       double epsilon,
                       const std::string& epsilon_text,
                       std::int64_t seed) {
  wire::Cell cell = evaluate_cell(training, solver);
  cell.kind = wire::CellKind::kAttack;
  cell.spec.set("kind", "attack");
  if (!gradient.empty()) cell.spec.set("gradient", part("solver", gradient));
  cell.spec.set("attack",
                part("attack", method, method == "pgd" ? json{{"norm", "linf"}} : json()));
  cell.spec.set("epsilon", epsilon);
  cell.spec.set("seed", seed);
  cell.key = sha256_hex(cell.spec.dump());
  cell.labels.gradient = gradient;
  cell.labels.method = method;
  cell.labels.epsilon = epsilon;
  cell.labels.epsilon_text = epsilon_text;
  cell.labels.seed = seed;
  return cell;
}

wire::Cell probe_cell(const wire::Cell& training, const std::string& solver) {
  wire::Cell cell = evaluate_cell(training, solver);
  cell.kind = wire::CellKind::kProbe;
  cell.spec.set("kind", "probe");
  cell.spec.set("probe", part("probe", "gradient_norm"));
  cell.key = sha256_hex(cell.spec.dump());
  cell.labels.method = "gradient_norm";
  return cell;
}

wire::CellResult train_result(const std::string& weights) {
  wire::CellResult result;
  result.metrics = {{"train_accuracy", 0.75, 4}, {"train_loss", 0.5, 4}};
  result.series = {{"train_loss", {2.0, std::nan(""), 0.5}}};
  result.solve_stats = {{"train", "conv1", 10, 7, 10, 13, 100, 30, 5, 0, "ok", 0.1, 0.5}};
  result.counters = {40, 40, 100};
  result.checkpoint =
      wire::CheckpointFile{sha256_hex(weights), 1234, "ab/" + weights + ".safetensors"};
  result.device = "cpu";
  result.wall_s = 2.5;
  result.peak_bytes = 1000;
  result.seeds = {{"init", "17"}, {"order", "18"}};
  return result;
}

wire::CellResult attack_result(const std::string& right) {
  wire::CellResult result;
  for (std::size_t i = 0; i < right.size(); ++i) {
    const auto label = static_cast<std::int64_t>(i);
    const std::int64_t clean = right[i] == 'w' ? label + 1 : label;
    const std::int64_t attacked = right[i] == 'r' ? label : label + 1;
    if (right[i] == 'u') {
      result.outcomes.push_back({label, label, label, -1, std::nan(""), 20, 40, false});
    } else {
      result.outcomes.push_back({label, label, clean, attacked, 0.03, 20, 40, true});
    }
  }
  result.solve_stats = {
      {"evaluate", "conv1", 2, 14, 14, 14, 28, 8, 0, 0, "ok", 0.25, 0.25},
      {"attack", "conv1", 0, 0, 0, 0, 0, 0, 0, 0, "ok", std::nan(""), std::nan("")}};
  result.counters = {88, 80, 280};
  result.norm = "linf";
  result.device = "cpu";
  result.wall_s = 1.5;
  result.peak_bytes = 2000;
  result.device_peak_bytes = 3000;
  result.seeds = {{"attack", "19"}};
  return result;
}

wire::CellResult probe_result() {
  wire::CellResult result;
  result.metrics = {{"median_norm", 0.5, 4}, {"broken", std::nan(""), 4}};
  result.sample_metrics = {{0, "norm", 0.25}, {1, "norm", HUGE_VAL}};
  result.counters = {4, 4, 14};
  result.device = "cpu";
  result.wall_s = 0.5;
  return result;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const StoreError& error) {
    return error.what();
  }
  return "(no error)";
}

void finish(Store& store,
            std::int64_t run,
            const wire::Cell& cell,
            const wire::CellResult& result) {
  // What a retraining discards is asked for where a test retrains.
  std::ignore = store.commit_result(store.begin_attempt(run, cell.key, 42, "cpu"), result);
}

void fail(Store& store,
          std::int64_t run,
          const wire::Cell& cell,
          const wire::CellFailure& failure) {
  store.fail_attempt(store.begin_attempt(run, cell.key, 42, "cpu"), failure);
}

SmallStudy::SmallStudy()
    : train0(train_cell("so_resnet", 0)),
      train1(train_cell("so_resnet", 1)),
      broken(train_cell("resnet", 0)),
      clean(attack_cell(train0, "bosh3", "", "none", 0, "0")),
      pgd(attack_cell(train0, "bosh3", "", "pgd", 8.0 / 255, "8/255")),
      pgd_rk4(attack_cell(train0, "bosh3", "rk4", "pgd", 8.0 / 255, "8/255")),
      pgd_seed1(attack_cell(train0, "bosh3", "", "pgd", 8.0 / 255, "8/255", 1)),
      spsa(attack_cell(train0, "bosh3", "", "spsa", 8.0 / 255, "8/255")),
      small_pgd(attack_cell(train0, "bosh3", "", "pgd", 4.0 / 255, "4/255")),
      rk4_pgd(attack_cell(train0, "rk4", "", "pgd", 8.0 / 255, "8/255")),
      crashed(attack_cell(train0, "bosh3", "", "square", 8.0 / 255, "8/255")),
      probe(probe_cell(train0, "bosh3")),
      pgd1(attack_cell(train1, "bosh3", "", "pgd", 8.0 / 255, "8/255")),
      blocked(attack_cell(broken, "bosh3", "", "pgd", 8.0 / 255, "8/255")) {}

std::vector<wire::Cell> SmallStudy::cells() const {
  return {train0,
          train1,
          broken,
          clean,
          pgd,
          pgd_rk4,
          pgd_seed1,
          spsa,
          small_pgd,
          rk4_pgd,
          crashed,
          probe,
          pgd1,
          blocked};
}

VerdictRecord small_verdict(const Store& store, const SmallStudy& study) {
  const auto id = [&](const wire::Cell& cell) {
    return store.database().integer("find cell",
                                    "SELECT id FROM cell WHERE key = '" + cell.key + "'");
  };
  VerdictRecord verdict;
  verdict.labels.dataset = "strokes";
  verdict.labels.model = "so_resnet";
  verdict.labels.objective = "ce";
  verdict.labels.train_solver = "bosh3";
  verdict.labels.solver = "bosh3";
  verdict.norm = "linf";
  verdict.epsilon = 8.0 / 255;
  verdict.epsilon_text = "8/255";
  verdict.checkpoint_cell = id(study.train0);
  verdict.judgement = "masked";
  verdict.sentence = "attacks without gradients find what the gradient does not";
  verdict.n = 4;
  verdict.clean_correct = 3;
  verdict.plain_correct = 2;
  verdict.robust_correct = 1;
  verdict.strongest = "spsa";
  verdict.n_attacks = 2;
  verdict.thresholds = {{"gap_masked", 0.1}};
  verdict.evidence_sha256 = std::string(64, 'e');
  RuleRecord fired;
  fired.rule = "black_box_gap";
  fired.state = "decides";
  fired.statistic = "share of samples that only attacks without gradients fool";
  fired.value = 0.25;
  fired.lower = 0.125;
  fired.upper = 0.5;
  fired.n = 3;
  fired.p = 0.5;
  fired.p_adjusted = 0.5;
  fired.threshold = 0.1;
  fired.sentence = "spsa: 1 of 3 fooled that pgd left";
  fired.cells = {id(study.pgd), id(study.spsa)};
  RuleRecord lacking;
  lacking.rule = "batch_cosine";
  lacking.state = "lacks evidence";
  lacking.statistic = "share of samples whose gradient in the batch points elsewhere than alone";
  lacking.sentence = "probe batch_gradient";
  verdict.rules = {fired, lacking};
  return verdict;
}

std::int64_t run_small_study(Store& store, const SmallStudy& study) {
  const std::int64_t run = store.begin_run(make_study(), make_info());
  store.register_cells(run, make_catalog(), study.cells());
  finish(store, run, study.train0, train_result("a"));
  finish(store, run, study.train1, train_result("b"));
  fail(store,
       run,
       study.broken,
       {wire::FailureClass::kPluginError, "loss is not finite", "epoch 3\n", {}, {}});
  store.skip_cell(run, study.blocked.key, "its training failed");
  finish(store, run, study.clean, attack_result("rrrw"));
  wire::CellResult kept = attack_result("rrfw");
  kept.adversarials = wire::ResultFile{std::string(64, 'e'), 4096, "kept.safetensors"};
  kept.remarks = {"attack pgd changed the rounding mode"};
  finish(store, run, study.pgd, kept);
  finish(store, run, study.pgd_rk4, attack_result("fffw"));
  finish(store, run, study.pgd_seed1, attack_result("rrrw"));
  finish(store, run, study.spsa, attack_result("rffw"));
  finish(store, run, study.small_pgd, attack_result("rrrw"));
  finish(store, run, study.rk4_pgd, attack_result("rffw"));
  fail(store,
       run,
       study.crashed,
       {wire::FailureClass::kCrash, "the worker crashed", "first\n", 11, {}});
  fail(store,
       run,
       study.crashed,
       {wire::FailureClass::kCrash, "it crashed again", "second\n", 6, {}});
  finish(store, run, study.probe, probe_result());
  finish(store, run, study.pgd1, attack_result("rfww"));
  store.record_verdicts(run, make_study().name, std::vector{small_verdict(store, study)});
  store.end_run(run, 1);
  return run;
}

}  // namespace unmask::store::testing
