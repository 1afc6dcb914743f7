#include "engine/network.hpp"

#include <algorithm>

namespace unmask::engine {

void SolveLog::add(const std::string& phase,
                   const std::string& solve,
                   const ode::Statistics& statistics,
                   ode::SolveStatus status) {
  const std::string id = phase + " " + solve;
  auto found = std::find_if(
      entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == id; });
  if (found == entries_.end()) {
    entries_.emplace_back(id, Entry{});
    found = std::prev(entries_.end());
    found->second.stats.phase = phase;
    found->second.stats.solve = solve;
    found->second.stats.worst_status = "ok";
    found->second.stats.step_min = statistics.step_min;
    found->second.stats.step_max = statistics.step_max;
  }
  Entry& entry = found->second;
  plan::SolveStats& stats = entry.stats;
  ++stats.solves;
  entry.nfe.push_back(statistics.nfe);
  stats.accepted += statistics.accepted;
  stats.rejected += statistics.rejected;
  stats.step_min = std::min(stats.step_min, statistics.step_min);
  stats.step_max = std::max(stats.step_max, statistics.step_max);
  if (status != ode::SolveStatus::kOk) {
    ++stats.failed;
    stats.worst_status = std::string(ode::to_string(status));
  }
  nfe_ += statistics.nfe;
}

void SolveLog::take(const std::string& phase, ode::Session& session) {
  backward_.clear();  // of a forward pass through which nothing went back
  for (const ode::SolveRecord& record : session.solves()) {
    add(phase, record.name, record.statistics, record.status);
    backward_.emplace_back(record.name, record.backward);
  }
  session.clear();
}

void SolveLog::settle_backward() {
  for (const auto& [name, statistics] : backward_) {
    if (statistics->nfe > 0) add("backward", name, *statistics, ode::SolveStatus::kOk);
  }
  backward_.clear();
}

std::vector<plan::SolveStats> SolveLog::rows() const {
  std::vector<plan::SolveStats> result;
  for (const auto& [id, entry] : entries_) {
    plan::SolveStats stats = entry.stats;
    std::vector<std::int64_t> nfe = entry.nfe;
    std::sort(nfe.begin(), nfe.end());
    stats.nfe_min = nfe.front();
    stats.nfe_median = nfe[nfe.size() / 2];
    stats.nfe_max = nfe.back();
    for (const std::int64_t n : nfe) stats.nfe_total += n;
    result.push_back(std::move(stats));
  }
  return result;
}

bool computes_same_map(const SolverSetup& a, const SolverSetup& b) {
  const ode::DriverOptions& x = a.options;
  const ode::DriverOptions& y = b.options;
  const auto is_replay = [](const ode::DriverOptions& o) {
    return o.is_adaptive && o.controller == ode::ControllerKind::kReplay;
  };
  return a.id == b.id && a.method_params == b.method_params && x.is_adaptive == y.is_adaptive &&
         !is_replay(x) && !is_replay(y) && x.rtol == y.rtol && x.atol == y.atol &&
         x.norm == y.norm && x.control == y.control && x.controller == y.controller &&
         x.exponents == y.exponents && x.controller_order == y.controller_order && x.end == y.end &&
         x.stale_fsal == y.stale_fsal && x.first_step == y.first_step &&
         x.step_ends == y.step_ends && x.min_step == y.min_step && x.max_step == y.max_step &&
         x.safety == y.safety && x.max_growth == y.max_growth && x.min_growth == y.min_growth &&
         x.shift_end == y.shift_end && x.legacy_arithmetic == y.legacy_arithmetic &&
         x.step_size == y.step_size;
}

void set_trainable(Model& model, bool trainable) {
  for (const NamedTensor& parameter : model.parameters()) {
    parameter.tensor.requires_grad_(trainable);
  }
}

}  // namespace unmask::engine
