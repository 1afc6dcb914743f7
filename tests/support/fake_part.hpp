#pragma once
// Parts of a cell that nobody computed: every number follows from the index of its sample.

#include <cmath>
#include <cstdint>
#include <string>

#include "wire/part.hpp"

namespace unmask::test {

/// Of an attack. Odd samples are fooled, every seventh is wrong from the start; the note "third" is
/// 1 / (3 + sample), so that sums round.
inline wire::CellPart fake_part(std::int64_t first,
                                std::int64_t count,
                                std::int64_t total,
                                std::int64_t unit) {
  wire::CellPart part;
  part.kind = wire::CellKind::kAttack;
  part.span = {first, count};
  part.total = total;
  part.unit = unit;
  part.has_checks = true;
  part.found.norm = "linf";
  part.found.device = "cpu";
  part.found.wall_s = 0.01 * static_cast<double>(count);
  part.found.counters = {count, 2 * count, 3 * count};
  part.found.seeds = {{"attack", "7"}};
  part.gradients = {count, count / 2, 0};
  if (first == 0) part.found.metrics.push_back({"check.randomised", 0, unit, ""});
  for (std::int64_t i = first; i < first + count; ++i) {
    const std::int64_t label = i % 10;
    const std::int64_t clean = i % 7 == 6 ? label + 1 : label;
    part.found.outcomes.push_back(
        {i, label, clean, i % 2 == 1 ? label + 1 : label, 0.1 / static_cast<double>(1 + i), i, i});
    part.found.sample_metrics.push_back({i, "third", 1 / (3 + static_cast<double>(i))});
    part.found.series.push_back({"loss." + std::to_string(i), {static_cast<double>(i), 0.5}});
    for (const auto stage : {wire::Stage::kClean, wire::Stage::kMethod, wire::Stage::kVerdict}) {
      wire::SolveTally tally;
      tally.stats.phase = stage == wire::Stage::kMethod ? "attack" : "evaluate";
      // The last sample of all meets a solve that no other one does.
      tally.stats.solve = i + 1 == total ? "late" : "flow";
      tally.stats.solves = 1;
      tally.stats.accepted = i;
      tally.stats.failed = i % 5 == 4 ? 1 : 0;
      tally.stats.worst_status = i % 5 == 4 ? "status " + std::to_string(i) : "ok";
      tally.stats.step_min = 1 / static_cast<double>(2 + i);
      tally.stats.step_max = static_cast<double>(i);
      tally.nfe[i % 3] = 1;
      wire::add_tallies(part.solves[static_cast<std::size_t>(stage)], {tally});
    }
  }
  return part;
}

}  // namespace unmask::test
