#include "engine/network.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace unmask::engine {
namespace {

constexpr const char* kBackward = "backward";

}  // namespace

void SolveLog::add(const std::string& phase,
                   const std::string& solve,
                   const ode::Statistics& statistics,
                   ode::SolveStatus status) {
  auto found = std::find_if(tallies_.begin(), tallies_.end(), [&](const wire::SolveTally& tally) {
    return tally.stats.phase == phase && tally.stats.solve == solve;
  });
  if (found == tallies_.end()) {
    found = tallies_.insert(found, wire::SolveTally{});
    found->stats.phase = phase;
    found->stats.solve = solve;
    found->stats.worst_status = "ok";
    found->stats.step_min = statistics.step_min;
    found->stats.step_max = statistics.step_max;
  }
  wire::SolveStats& stats = found->stats;
  ++stats.solves;
  ++found->nfe[statistics.nfe];
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

nlohmann::json SolveLog::state() const {
  wire::CellResult totals;  // its JSON keeps numbers that are not finite
  nlohmann::json counts = nlohmann::json::array();
  for (const wire::SolveTally& tally : tallies_) {
    totals.solve_stats.push_back(tally.stats);
    counts.push_back(tally.nfe);
  }
  return {{"totals", totals}, {"nfe", counts}};
}

void SolveLog::restore(const nlohmann::json& state) {
  *this = SolveLog();
  const auto totals = state.at("totals").get<wire::CellResult>();
  for (std::size_t i = 0; i < totals.solve_stats.size(); ++i) {
    const wire::SolveStats& stats = totals.solve_stats[i];
    wire::SolveTally tally{stats,
                           state.at("nfe").at(i).get<std::map<std::int64_t, std::int64_t>>()};
    for (const auto& [nfe, solves] : tally.nfe) {
      nfe_ += nfe * solves;
      if (stats.phase == kBackward) nfe_backward_ += nfe * solves;
    }
    rejected_ += stats.rejected;
    tallies_.push_back(std::move(tally));
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
