// Parts of a cell become its result. Sums of floating-point numbers run over samples in order, so
// that they do not depend on how a cell was divided.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "unmask/errors.hpp"
#include "wire/part.hpp"

namespace unmask::wire {
namespace {

using Parts = std::vector<const CellPart*>;  // in the order of their samples

Parts in_order(std::span<const CellPart> parts) {
  Parts sorted;
  for (const CellPart& part : parts) sorted.push_back(&part);
  std::sort(sorted.begin(), sorted.end(), [](const CellPart* a, const CellPart* b) {
    return a->span.first < b->span.first;
  });
  std::int64_t next = 0;
  for (const CellPart* part : sorted) {
    UNMASK_CHECK(part->span.first == next && part->total == sorted.front()->total &&
                     part->kind == sorted.front()->kind,
                 "parts do not follow each other at sample " + std::to_string(next));
    next = part->span.last();
  }
  UNMASK_CHECK(!sorted.empty() && next == sorted.front()->total, "a part of a cell is missing");
  return sorted;
}

template <class Value>
void append(std::vector<Value>& all, const std::vector<Value>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

// What every kind of cell has.
CellResult common(const Parts& parts) {
  CellResult result;
  const CellResult& first = parts.front()->found;
  result.norm = first.norm;
  result.device = first.device;
  result.seeds = first.seeds;
  for (const CellPart* part : parts) {
    result.counters += part->found.counters;
    result.wall_s += part->found.wall_s;
    result.peak_bytes = std::max(result.peak_bytes, part->found.peak_bytes);
    // A value is larger than none.
    result.device_peak_bytes = std::max(result.device_peak_bytes, part->found.device_peak_bytes);
    for (const Series& series : part->found.series) {
      if (std::any_of(result.series.begin(), result.series.end(), [&](const Series& known) {
            return known.name == series.name;
          })) {
        throw std::runtime_error("the series \"" + series.name +
                                 "\" is recorded for two batches; name the row that it belongs to, "
                                 "or record it once");
      }
      result.series.push_back(series);
    }
  }
  std::vector<SolveTally> solves;
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    for (const CellPart* part : parts) add_tallies(solves, part->solves[stage]);
  }
  result.solve_stats = rows_of(solves);
  return result;
}

// The first failure of a solve, as an undivided cell would have met it. @param stages  so many
std::string first_failure(const Parts& parts, std::initializer_list<Stage> stages) {
  for (const Stage stage : stages) {
    for (const CellPart* part : parts) {
      const std::string& failure = part->failures[static_cast<std::size_t>(stage)];
      if (!failure.empty()) return failure;
    }
  }
  return "";
}

// The text that an undivided cell would give: what failed under the attack or on clean images, else
// what failed in the verdict.
std::string reason_of(const Parts& parts) {
  return first_failure(parts, {Stage::kClean, Stage::kMethod, Stage::kVerdict});
}

bool is_any_coupled(const Parts& parts) {
  return std::any_of(
      parts.begin(), parts.end(), [](const CellPart* part) { return part->is_coupled; });
}

void add_accuracies(const Parts& parts, CellResult& result) {
  const std::int64_t size = parts.front()->total;
  std::int64_t correct = 0;
  std::int64_t robust = 0;
  std::int64_t undecided = 0;
  std::int64_t attacked_in_vain = 0;  // correct, and undecided all the same
  bool is_any_predicted = false;
  for (const SampleOutcome& o : result.outcomes) {
    if (o.clean_prediction >= 0) is_any_predicted = true;
    if (!o.is_decided) ++undecided;
    if (o.clean_prediction != o.label) continue;
    ++correct;
    if (!o.is_decided) ++attacked_in_vain;
    if (o.is_decided && o.prediction == o.label) ++robust;
  }
  if (!is_any_predicted) throw NumericError(first_failure(parts, {Stage::kClean}));
  if (correct > 0 && attacked_in_vain == correct) throw NumericError(reason_of(parts));
  const auto share = [&](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(size);
  };
  result.metrics.push_back({"clean_accuracy", share(correct), size});
  result.metrics.push_back({"robust_accuracy", share(robust), size});
  result.metrics.push_back({"undecided", static_cast<double>(undecided), size});
  if (undecided > 0) {
    result.remarks.push_back(std::to_string(undecided) + " of " + std::to_string(size) +
                             (undecided == 1 ? " samples is" : " samples are") +
                             " undecided, since a solve failed: " + reason_of(parts));
  }
}

void add_gradient_shares(const Parts& parts, CellResult& result) {
  std::array<std::int64_t, 3> sums = {0, 0, 0};
  for (const CellPart* part : parts) {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part->gradients[i];
  }
  const std::int64_t asked = sums[0];
  const auto share = [&](std::int64_t count) {
    return asked == 0 ? std::nan("") : static_cast<double>(count) / static_cast<double>(asked);
  };
  result.metrics.push_back({"check.zero_gradient", share(sums[1]), asked});
  result.metrics.push_back({"check.gradient_not_finite", share(sums[2]), asked});
}

// The mean of every note over the attacked samples whose number is finite.
void add_note_means(CellResult& result) {
  struct Sum {
    std::string name;
    double sum = 0;
    std::int64_t count = 0;
  };
  std::vector<Sum> sums;  // few, in order of first appearance
  for (const SampleMetric& note : result.sample_metrics) {
    auto sum = std::find_if(
        sums.begin(), sums.end(), [&](const Sum& known) { return known.name == note.name; });
    if (sum == sums.end()) sum = sums.insert(sums.end(), {note.name, 0, 0});
    const SampleOutcome& outcome = result.outcomes.at(static_cast<std::size_t>(note.sample));
    if (outcome.clean_prediction != outcome.label || !std::isfinite(note.value)) continue;
    sum->sum += note.value;
    ++sum->count;
  }
  for (const Sum& note : sums) {
    const double mean = note.count == 0 ? std::nan("") : note.sum / static_cast<double>(note.count);
    result.metrics.push_back({note.name + ".mean", mean, note.count});
  }
}

void put_attack_together(const Parts& parts, CellResult& result) {
  std::int64_t violations = 0;
  for (const CellPart* part : parts) {
    append(result.outcomes, part->found.outcomes);
    append(result.sample_metrics, part->found.sample_metrics);
    violations += part->threat_violations;
  }
  add_accuracies(parts, result);
  result.metrics.push_back(
      {"threat_violations", static_cast<double>(violations), parts.front()->total});
  result.metrics.push_back({"batch_coupled", is_any_coupled(parts) ? 1.0 : 0.0, std::nullopt});
  append(result.metrics, parts.front()->found.metrics);
  if (parts.front()->has_checks) add_gradient_shares(parts, result);
  add_note_means(result);
}

// ---- probes ----

using Columns = std::vector<std::pair<std::string, std::vector<double>>>;  // in the probe's order

Columns columns_of(const CellPart& part) {
  Columns columns;
  for (const SampleMetric& m : part.found.sample_metrics) {
    if (columns.empty() || columns.back().first != m.name)
      columns.emplace_back(m.name, std::vector<double>{});
    columns.back().second.push_back(m.value);
  }
  return columns;
}

// Of numbers in order: the middle one, or the mean of the two in the middle.
double median(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

void summarise(const std::string& name, const std::vector<double>& values, CellResult& result) {
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) {
    return std::isfinite(v);
  });
  std::sort(finite.begin(), finite.end());
  const auto all = static_cast<std::int64_t>(values.size());
  const auto count = static_cast<std::int64_t>(finite.size());
  const std::string reason = finite.empty() ? "no value is finite" : "";
  const auto add = [&](const char* what, auto number) {
    result.metrics.push_back(
        {name + what, finite.empty() ? std::nan("") : number(), count, reason});
  };
  add(".mean", [&] {
    return std::accumulate(finite.begin(), finite.end(), 0.0) / static_cast<double>(count);
  });
  add(".median", [&] { return median(finite); });
  add(".min", [&] { return finite.front(); });
  add(".max", [&] { return finite.back(); });
  result.metrics.push_back(
      {name + ".not_finite", static_cast<double>(all - count) / static_cast<double>(all), all});
}

void put_probe_together(const Parts& parts, CellResult& result) {
  Columns all = columns_of(*parts.front());
  for (std::size_t p = 1; p < parts.size(); ++p) {
    const Columns more = columns_of(*parts[p]);
    const bool fits = std::equal(
        all.begin(), all.end(), more.begin(), more.end(), [](const auto& a, const auto& b) {
          return a.first == b.first;
        });
    if (!fits) {
      throw std::runtime_error("the probe gives other values for one batch than for another");
    }
    for (std::size_t i = 0; i < all.size(); ++i) append(all[i].second, more[i].second);
  }
  for (const auto& [name, values] : all) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      result.sample_metrics.push_back({static_cast<std::int64_t>(i), name, values[i]});
    }
    summarise(name, values, result);
  }
  result.metrics.push_back({"batch_coupled", is_any_coupled(parts) ? 1.0 : 0.0, std::nullopt});
}

}  // namespace

CellResult put_together(std::span<const CellPart> parts) {
  const Parts sorted = in_order(parts);
  CellResult result = common(sorted);
  if (sorted.front()->kind == CellKind::kProbe) {
    put_probe_together(sorted, result);
  } else {
    put_attack_together(sorted, result);
  }
  return result;
}

}  // namespace unmask::wire
