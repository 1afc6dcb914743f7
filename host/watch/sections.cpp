#include "watch/sections.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "store/watching.hpp"
#include "wire/cell.hpp"

namespace unmask::watch {
namespace {

using nlohmann::json;

// Names and messages may hold any bytes.
std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::shared_ptr<const std::string> shared(const json& value) {
  return std::make_shared<const std::string>(text_of(value));
}

// Curves are drawn a few hundred pixels high: six digits are plenty. What is no number is null.
json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return std::strtod(text.data(), nullptr);
}

json run_json(const store::WatchedRun& run, RunState state) {
  return {{"id", run.id},
          {"state", to_string(state)},
          {"exit_code", run.exit_code ? json(*run.exit_code) : json()},
          {"started_at", run.started_at},
          {"ended_at", run.ended_at},
          {"pid", run.pid},
          {"host", run.host},
          {"tool", run.tool}};
}

json kinds_json(const store::KindCounts& kinds) {
  json list = json::array();
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const store::KindCount& kind = kinds.at(i);
    list.push_back({{"kind", wire::to_string(static_cast<wire::CellKind>(i))},
                    {"cells", kind.cells},
                    {"done", kind.done},
                    {"running", kind.running},
                    {"failed", kind.failed},
                    {"missing", kind.missing()},
                    {"ahead", kind.ahead}});
  }
  return list;
}

json failures_json(const store::Store& store, const store::WatchedRun& run) {
  json rows = json::array();
  for (const store::FailedTry& f : store::failed_tries(store, run, kMostFailures)) {
    rows.push_back({{"key", f.key},
                    {"title", f.title},
                    {"kind", f.kind},
                    {"attempt", f.attempt},
                    {"class", f.failure_class},
                    {"message", f.message},
                    {"log_tail", f.log_tail},
                    {"ended_at", f.ended_at},
                    {"state", f.state}});
  }
  return {{"rows", rows},
          {"total", store::count_failed_tries(store, run)},
          {"database", store.file().string()},
          {"manifest", run.manifest}};
}

json accuracy_json(const store::Store& store, const store::WatchedRun& run) {
  // One more than is shown tells whether there are more.
  auto found = store::accuracies(store, run, kMostAccuracies + 1);
  const bool is_cut = found.size() > kMostAccuracies;
  if (is_cut) found.resize(kMostAccuracies);
  json rows = json::array();
  for (const store::AttackAccuracy& a : found) {
    rows.push_back({{"network", a.network},
                    {"attack", a.attack},
                    {"norm", a.norm},
                    {"epsilon", number(a.epsilon)},
                    {"epsilon_text", a.epsilon_text},
                    {"n", a.n},
                    {"clean", number(a.clean)},
                    {"robust", number(a.robust)},
                    {"lower", number(a.lower)},
                    {"upper", number(a.upper)}});
  }
  return {{"rows", rows}, {"is_cut", is_cut}};
}

json curves_json(const store::Store& store, const store::WatchedRun& run) {
  json rows = json::array();
  for (const store::TrainingCurve& c :
       store::training_curves(store, run, kMostTrainings, kMostPoints)) {
    json points = json::array();
    for (const auto& [step, value] : c.points) points.push_back({step, number(value)});
    rows.push_back(
        {{"key", c.key}, {"title", c.title}, {"name", c.name}, {"points", std::move(points)}});
  }
  return {{"rows", rows}, {"most", kMostTrainings}};
}

json verdicts_json(const store::Store& store, const store::WatchedRun& run) {
  json rows = json::array();
  for (const store::WatchedVerdict& v : store::watched_verdicts(store, run, kMostVerdicts)) {
    rows.push_back({{"network", v.network},
                    {"judgement", v.judgement},
                    {"threat", v.threat},
                    {"sentence", v.sentence}});
  }
  return {{"rows", rows}};
}

}  // namespace

std::string overview_section(const store::Store& store, const Overview& overview) {
  json studies = json::array();
  for (const store::WatchedRun& run : store::watched_runs(store)) {
    studies.push_back({{"study", run.study}, {"run", run.id}, {"started_at", run.started_at}});
  }
  json workers = json::array();
  for (std::size_t i = 0; i < overview.workers.size(); ++i) {
    const run::LiveWorker& w = overview.workers[i];
    workers.push_back({{"worker", w.worker},
                       {"pid", w.pid},
                       {"device", w.device},
                       {"title", w.title},
                       {"attempt", w.attempt},
                       {"done", w.done},
                       {"total", w.total},
                       {"note", w.note},
                       {"started_at", overview.started_at[i]}});
  }
  const store::RunCount& c = overview.counts;
  return text_of({{"database", store.file().string()},
                  {"studies", studies},
                  {"study", overview.run.study},
                  {"description", overview.run.description},
                  {"run", run_json(overview.run, overview.state)},
                  {"kinds", kinds_json(overview.kinds)},
                  {"counts",
                   {{"hit", c.hit},
                    {"ran", c.ran},
                    {"failed", c.failed},
                    {"skipped", c.skipped},
                    {"planned", c.planned}}},
                  {"time_left", overview.live.time_left},
                  {"workers", workers},
                  {"notices", overview.live.notices}});
}

std::string live_section(const Overview& overview) {
  json rows = json::array();
  if (!overview.is_over()) {
    for (const run::LiveCurve& c : overview.live.curves) {
      json points = json::array();
      for (const auto& [share, value] : c.points) points.push_back({number(share), number(value)});
      rows.push_back(
          {{"key", c.key}, {"title", c.title}, {"name", c.name}, {"points", std::move(points)}});
    }
  }
  return text_of({{"rows", rows}});
}

Sections growing_sections(const store::Store& store, const store::WatchedRun& run) {
  const store::OneMoment moment(store);
  return {{"failures", shared(failures_json(store, run))},
          {"accuracy", shared(accuracy_json(store, run))},
          {"curves", shared(curves_json(store, run))},
          {"verdicts", shared(verdicts_json(store, run))}};
}

std::string problem_section(const std::string& database, const std::string& problem) {
  return text_of({{"database", database}, {"problem", problem}});
}

}  // namespace unmask::watch
