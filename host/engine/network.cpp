#include "engine/network.hpp"

#include <algorithm>

namespace unmask::engine {

void SolveLog::take(const std::string& phase, ode::Session& session) {
  for (const ode::SolveRecord& record : session.solves()) {
    const std::string id = phase + " " + record.name;
    auto found = std::find_if(
        entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.first == id; });
    if (found == entries_.end()) {
      entries_.emplace_back(id, Entry{});
      found = std::prev(entries_.end());
      found->second.stats.phase = phase;
      found->second.stats.solve = record.name;
      found->second.stats.worst_status = "ok";
      found->second.stats.step_min = record.statistics.step_min;
      found->second.stats.step_max = record.statistics.step_max;
    }
    Entry& entry = found->second;
    plan::SolveStats& stats = entry.stats;
    ++stats.solves;
    entry.nfe.push_back(record.statistics.nfe);
    stats.accepted += record.statistics.accepted;
    stats.rejected += record.statistics.rejected;
    stats.step_min = std::min(stats.step_min, record.statistics.step_min);
    stats.step_max = std::max(stats.step_max, record.statistics.step_max);
    if (record.status != ode::SolveStatus::kOk) {
      ++stats.failed;
      stats.worst_status = std::string(ode::to_string(record.status));
    }
    nfe_ += record.statistics.nfe;
  }
  session.clear();
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

bool SolverSetup::couples_batch() const {
  return method->traits().is_adaptive && options.controller != ode::ControllerKind::kConstant;
}

bool computes_same_map(const SolverSetup& a, const SolverSetup& b) {
  const ode::DriverOptions& x = a.options;
  const ode::DriverOptions& y = b.options;
  return a.id == b.id && x.is_adaptive == y.is_adaptive && x.rtol == y.rtol && x.atol == y.atol &&
         x.controller == y.controller && x.end == y.end && x.first_step == y.first_step &&
         x.min_step == y.min_step && x.max_step == y.max_step && x.safety == y.safety &&
         x.max_growth == y.max_growth && x.min_growth == y.min_growth && x.step_size == y.step_size;
}

void set_trainable(Model& model, bool trainable) {
  for (const NamedTensor& parameter : model.parameters()) {
    parameter.tensor.requires_grad_(trainable);
  }
}

}  // namespace unmask::engine
