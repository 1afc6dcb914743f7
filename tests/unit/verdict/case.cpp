#include "unit/verdict/case.hpp"

#include <utility>

#include <gtest/gtest.h>

#include "unmask/sha256.hpp"

namespace unmask::verdict::testing {

using nlohmann::json;

Samples first(std::int64_t k) {
  return range(0, k);
}

Samples range(std::int64_t a, std::int64_t b) {
  return [a, b](std::int64_t i) { return i >= a && i < b; };
}

Case::Case(std::int64_t n, std::int64_t wrong)
    : n_(n), wrong_(wrong), store_(store::Store::open_writer(folder_.path() / "x.sqlite")) {
  wire::Cell training;
  training.kind = wire::CellKind::kTrain;
  training.spec = {{"kind", "train"},
                   {"dataset", part("dataset", "digits", json::object())},
                   {"model", part("model", "net", json::object())},
                   {"objective", part("objective", "ce", json::object())},
                   {"solver", part("solver", "bosh3", json::object())}};
  training.labels = {"digits", "net", "ce", "bosh3", 0, "", "", "", "", {}, "", 0};
  wire::CellResult result;
  result.checkpoint = wire::CheckpointFile{sha256_hex("weights"), 10, "ab/w.safetensors"};
  add(std::move(training), std::move(result), true);
}

json Case::part(const std::string& kind, const std::string& id, json params) {
  const std::string fingerprint = sha256_hex(kind + " " + id);
  if (known_.emplace(kind, id).second) {
    catalog::PluginRecord record;
    record.kind = kind;
    record.id = id;
    record.fingerprint = fingerprint;
    const std::set<std::string> free = {"square", "spsa", "boundary", "random_noise"};
    if (free.contains(id)) record.capabilities = {"gradient_free"};
    catalog_.plugins.push_back(record);
  }
  return {{"plugin", id}, {"fingerprint", fingerprint}, {"params", std::move(params)}};
}

void Case::add(wire::Cell cell, wire::CellResult result, bool has_result) {
  cell.key = sha256_hex(cell.spec.dump());
  cells_.push_back(std::move(cell));
  results_.push_back(std::move(result));
  has_result_.push_back(has_result);
}

wire::CellResult Case::outcomes(const Samples& is_fooled) const {
  wire::CellResult result;
  for (std::int64_t i = 0; i < n_; ++i) {
    const std::int64_t clean = i < wrong_ ? 1 : 0;
    result.outcomes.push_back({i, 0, clean, is_fooled(i) ? 1 : clean, 0.05, 20, 20, true});
  }
  return result;
}

Case& Case::attack(AttackRow row, const Samples& is_fooled) {
  json params = json::object();
  if (row.plugin == "pgd") {
    params = {{"norm", row.norm},
              {"steps", 20},
              {"step_size", row.epsilon / 10},
              {"loss", "ce"},
              {"target", "none"},
              {"restarts", 1},
              {"batch_size", 0}};
  }
  if (row.params.is_object()) params.update(row.params);
  wire::Cell cell;
  cell.kind = wire::CellKind::kAttack;
  cell.spec = {{"kind", "attack"},
               {"checkpoint", cells_.front().key},
               {"solver", part("solver", "bosh3", json::object())},
               {"attack", part("attack", row.plugin, params)},
               {"gradient", nullptr},
               {"batch_size", 100},
               {"epsilon", row.epsilon}};
  if (!row.gradient.empty()) cell.spec.set("gradient", part("solver", row.gradient, {{"rule", 1}}));
  if (row.is_transfer) {
    cell.spec.set("source",
                  {{"checkpoint", cells_.front().key},
                   {"model", cells_.front().spec.at("model")},
                   {"solver", part("solver", "euler", json::object())}});
  }
  cell.labels = cells_.front().labels;
  cell.labels.solver = "bosh3";
  cell.labels.gradient = row.gradient;
  cell.labels.source = row.is_transfer ? "@self:euler" : "";
  cell.labels.method = row.name;
  cell.labels.epsilon = row.epsilon;
  cell.labels.epsilon_text = json(row.epsilon).dump();
  if (!row.also_of_model.empty()) {
    cell.aliases.push_back(cell.labels);
    cell.aliases.back().model = row.also_of_model;
  }
  wire::CellResult result = outcomes(is_fooled);
  result.norm = row.norm;
  for (const auto& [name, value] : row.metrics) result.metrics.push_back({name, value, n_});
  for (const auto& [name, values] : row.series) result.series.push_back({name, values});
  add(std::move(cell), std::move(result), row.has_result);
  return *this;
}

Case& Case::plain(const Samples& is_fooled, std::map<std::string, double> metrics) {
  return attack({.metrics = std::move(metrics)}, is_fooled);
}

Case& Case::square(const Samples& is_fooled) {
  return attack({.name = "square", .plugin = "square"}, is_fooled);
}

Case& Case::probe(const ProbeRow& row) {
  wire::Cell cell;
  cell.kind = wire::CellKind::kProbe;
  cell.spec = {{"kind", "probe"},
               {"checkpoint", cells_.front().key},
               {"solver", part("solver", "bosh3", json::object())},
               {"probe", part("probe", row.plugin, row.params)},
               {"batch_size", 100}};
  cell.labels = cells_.front().labels;
  cell.labels.solver = "bosh3";
  cell.labels.method = row.plugin;
  cell.labels.epsilon = 0;  // as plans have it for a probe without a radius
  wire::CellResult result;
  for (const auto& [name, value] : row.values) {
    for (std::int64_t i = 0; i < row.n; ++i) result.sample_metrics.push_back({i, name, value(i)});
  }
  add(std::move(cell), std::move(result), true);
  return *this;
}

Case& Case::threshold(const std::string& name, double value) {
  thresholds_[name] = value;
  return *this;
}

std::int64_t Case::run() {
  wire::ManifestRecord study;
  study.file = "made_up.json";
  study.text = "{}";
  study.sha256 = sha256_hex(study.text);
  study.name = "made up";
  study.thresholds = thresholds_;
  run_ = store_.begin_run(study, {});
  store_.register_cells(run_, catalog_, cells_);
  for (; written_ < cells_.size(); ++written_) {
    if (!has_result_[written_]) continue;
    const std::string attempt = store_.begin_attempt(run_, cells_[written_].key, 1, "cpu");
    EXPECT_TRUE(store_.commit_result(attempt, results_[written_]).empty());
  }
  store_.end_run(run_, 0);
  return run_;
}

std::vector<Verdict> Case::judge(const Filter& filter) {
  run();
  return verdict::judge(store_, filter);
}

Verdict Case::verdict(double epsilon) {
  for (Verdict& verdict : judge()) {
    if (verdict.epsilon == epsilon) return std::move(verdict);
  }
  ADD_FAILURE() << "no verdict at " << epsilon;
  return {};
}

Reading reading_of(const Verdict& verdict, const std::string& rule) {
  for (const Reading& reading : verdict.readings) {
    if (rule == reading.rule->id) return reading;
  }
  ADD_FAILURE() << "no rule " << rule;
  return {};
}

}  // namespace unmask::verdict::testing
