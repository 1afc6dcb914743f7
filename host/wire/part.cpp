#include "wire/part.hpp"

#include <algorithm>

namespace unmask::wire {
namespace {

using nlohmann::json;

// Statistics travel as those of a result do, which keeps numbers that are not finite.
json solves_to_json(const std::vector<SolveTally>& tallies) {
  CellResult carrier;
  json nfe = json::array();
  for (const SolveTally& tally : tallies) {
    carrier.solve_stats.push_back(tally.stats);
    nfe.push_back(tally.nfe);
  }
  return {{"stats", json(carrier).at("solve_stats")}, {"nfe", nfe}};
}

std::vector<SolveTally> solves_from_json(const json& j) {
  json carrier = CellResult{};
  carrier["solve_stats"] = j.at("stats");
  const auto stats = carrier.get<CellResult>().solve_stats;
  std::vector<SolveTally> tallies;
  for (std::size_t i = 0; i < stats.size(); ++i) {
    tallies.push_back({stats[i], j.at("nfe").at(i).get<std::map<std::int64_t, std::int64_t>>()});
  }
  return tallies;
}

}  // namespace

std::vector<SolveStats> rows_of(const std::vector<SolveTally>& tallies) {
  std::vector<SolveStats> rows;
  for (const SolveTally& tally : tallies) {
    SolveStats stats = tally.stats;
    stats.nfe_min = tally.nfe.begin()->first;
    stats.nfe_max = tally.nfe.rbegin()->first;
    // The two middle places, counted from 0; the same one of an odd number of solves.
    const std::int64_t lower = (stats.solves - 1) / 2;
    const std::int64_t upper = stats.solves / 2;
    std::int64_t below = 0;  // solves with fewer evaluations
    double middle = 0;
    for (const auto& [nfe, solves] : tally.nfe) {
      stats.nfe_total += nfe * solves;
      for (const std::int64_t place : {lower, upper}) {
        if (below <= place && place < below + solves) middle += static_cast<double>(nfe);
      }
      below += solves;
    }
    stats.nfe_median = middle / 2;
    rows.push_back(std::move(stats));
  }
  return rows;
}

void add_tallies(std::vector<SolveTally>& sum, const std::vector<SolveTally>& more) {
  for (const SolveTally& tally : more) {
    const auto found = std::find_if(sum.begin(), sum.end(), [&](const SolveTally& known) {
      return known.stats.phase == tally.stats.phase && known.stats.solve == tally.stats.solve;
    });
    if (found == sum.end()) {
      sum.push_back(tally);
      continue;
    }
    SolveStats& stats = found->stats;
    stats.solves += tally.stats.solves;
    stats.accepted += tally.stats.accepted;
    stats.rejected += tally.stats.rejected;
    stats.step_min = std::min(stats.step_min, tally.stats.step_min);
    stats.step_max = std::max(stats.step_max, tally.stats.step_max);
    stats.failed += tally.stats.failed;
    // The status of the last failure.
    if (tally.stats.failed > 0) stats.worst_status = tally.stats.worst_status;
    for (const auto& [nfe, solves] : tally.nfe) found->nfe[nfe] += solves;
  }
}

void to_json(json& j, const PartOrder& order) {
  j = {{"first", order.first}};
  if (order.count) j["count"] = *order.count;
  if (order.seconds) j["seconds"] = *order.seconds;
}

void from_json(const json& j, PartOrder& order) {
  order = {};
  j.at("first").get_to(order.first);
  if (const auto c = j.find("count"); c != j.end()) order.count = c->get<std::int64_t>();
  if (const auto s = j.find("seconds"); s != j.end()) order.seconds = s->get<double>();
}

void to_json(json& j, const CellPart& part) {
  j = {{"kind", to_string(part.kind)},
       {"first", part.span.first},
       {"count", part.span.count},
       {"total", part.total},
       {"unit", part.unit},
       {"found", part.found},
       {"is_coupled", part.is_coupled},
       {"has_checks", part.has_checks},
       {"failures", part.failures},
       {"threat_violations", part.threat_violations},
       {"gradients", part.gradients}};
  json& solves = j["solves"] = json::array();
  for (const auto& tallies : part.solves) solves.push_back(solves_to_json(tallies));
}

void from_json(const json& j, CellPart& part) {
  part = {};
  part.kind = parse_cell_kind(j.at("kind").get<std::string>()).value_or(CellKind::kTrain);
  j.at("first").get_to(part.span.first);
  j.at("count").get_to(part.span.count);
  j.at("total").get_to(part.total);
  j.at("unit").get_to(part.unit);
  j.at("found").get_to(part.found);
  j.at("is_coupled").get_to(part.is_coupled);
  j.at("has_checks").get_to(part.has_checks);
  j.at("failures").get_to(part.failures);
  j.at("threat_violations").get_to(part.threat_violations);
  j.at("gradients").get_to(part.gradients);
  for (std::size_t i = 0; i < kStages; ++i) part.solves[i] = solves_from_json(j.at("solves").at(i));
}

std::optional<std::string> complaint(const CellPart& part) {
  const PartSpan& span = part.span;
  if (part.unit < 1 || span.first < 0 || span.count < 1 || span.last() > part.total ||
      span.first % part.unit != 0 || (span.last() < part.total && span.count % part.unit != 0)) {
    return "it is of samples " + std::to_string(span.first) + " to " + std::to_string(span.last()) +
           " of " + std::to_string(part.total) + ", which are no whole batches of " +
           std::to_string(part.unit);
  }
  for (const auto& tallies : part.solves) {
    for (const SolveTally& tally : tallies) {
      if (tally.nfe.empty()) return "it counts solves without their evaluations";
    }
  }
  if (part.kind == CellKind::kAttack) {
    std::int64_t next = span.first;
    for (const SampleOutcome& outcome : part.found.outcomes) {
      if (outcome.sample != next++) return "its outcomes are not those of its samples, in order";
    }
    if (next != span.last()) return "it has no outcome for some of its samples";
  }
  return std::nullopt;
}

}  // namespace unmask::wire
