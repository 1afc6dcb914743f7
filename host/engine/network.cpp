#include "engine/network.hpp"

#include <algorithm>

namespace unmask::engine {
namespace {

constexpr const char* kBackward = "backward";

}  // namespace

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
  wire::SolveStats& stats = entry.stats;
  ++stats.solves;
  ++entry.nfe[statistics.nfe];
  stats.accepted += statistics.accepted;
  stats.rejected += statistics.rejected;
  stats.step_min = std::min(stats.step_min, statistics.step_min);
  stats.step_max = std::max(stats.step_max, statistics.step_max);
  if (status != ode::SolveStatus::kOk) {
    ++stats.failed;
    stats.worst_status = std::string(ode::to_string(status));
  }
  nfe_ += statistics.nfe;
  if (phase == kBackward) nfe_backward_ += statistics.nfe;
  rejected_ += statistics.rejected;
}

void SolveLog::take(const std::string& phase, const std::vector<ode::SolveRecord>& solves) {
  backward_.clear();  // of a forward pass through which nothing went back
  for (const ode::SolveRecord& record : solves) {
    add(phase, record.name, record.statistics, record.status);
    backward_.emplace_back(record.name, record.backward);
  }
}

void SolveLog::take(const std::string& phase, ode::Session& session) {
  take(phase, session.solves());
  session.clear();
}

void SolveLog::settle_backward() {
  settle_backward(backward_);
  backward_.clear();
}

void SolveLog::settle_backward(const BackwardRecords& records) {
  for (const auto& [name, statistics] : records) {
    if (statistics->nfe > 0) add(kBackward, name, *statistics, ode::SolveStatus::kOk);
  }
}

std::vector<wire::SolveStats> SolveLog::rows() const {
  std::vector<wire::SolveStats> result;
  for (const auto& [id, entry] : entries_) {
    wire::SolveStats stats = entry.stats;
    stats.nfe_min = entry.nfe.begin()->first;
    stats.nfe_max = entry.nfe.rbegin()->first;
    // The two middle places, counted from 0; the same one of an odd number of solves.
    const std::int64_t lower = (stats.solves - 1) / 2;
    const std::int64_t upper = stats.solves / 2;
    std::int64_t below = 0;  // solves with fewer evaluations
    double middle = 0;
    for (const auto& [nfe, solves] : entry.nfe) {
      stats.nfe_total += nfe * solves;
      for (const std::int64_t place : {lower, upper}) {
        if (below <= place && place < below + solves) middle += static_cast<double>(nfe);
      }
      below += solves;
    }
    stats.nfe_median = middle / 2;
    result.push_back(std::move(stats));
  }
  return result;
}

nlohmann::json SolveLog::state() const {
  wire::CellResult totals;  // its JSON keeps numbers that are not finite
  nlohmann::json counts = nlohmann::json::array();
  for (const auto& [id, entry] : entries_) {
    totals.solve_stats.push_back(entry.stats);
    counts.push_back(entry.nfe);
  }
  return {{"totals", totals}, {"nfe", counts}};
}

void SolveLog::restore(const nlohmann::json& state) {
  *this = SolveLog();
  const auto totals = state.at("totals").get<wire::CellResult>();
  for (std::size_t i = 0; i < totals.solve_stats.size(); ++i) {
    const wire::SolveStats& stats = totals.solve_stats[i];
    Entry entry{stats, state.at("nfe").at(i).get<std::map<std::int64_t, std::int64_t>>()};
    for (const auto& [nfe, solves] : entry.nfe) {
      nfe_ += nfe * solves;
      if (stats.phase == kBackward) nfe_backward_ += nfe * solves;
    }
    rejected_ += stats.rejected;
    entries_.emplace_back(stats.phase + " " + stats.solve, std::move(entry));
  }
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
