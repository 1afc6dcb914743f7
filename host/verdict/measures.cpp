#include "verdict/measures.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "verdict/statistics.hpp"

namespace unmask::verdict {
namespace {

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

bool is_seen(std::size_t place, const Attacks& attacks) {
  return std::any_of(attacks.begin(), attacks.end(), [&](const Attack* attack) {
    return attack->fates[place] != Fate::kAbsent;
  });
}

// An attack without this parameter and the step size, to see what else is equal.
std::string without(const Attack& attack, const std::string& parameter) {
  nlohmann::json params = attack.params;
  params.erase(parameter);
  params.erase("step_size");
  // Several restarts need different starts.
  if (parameter == "restarts") params.erase("random_start");
  return attack.plugin + params.dump() + attack.gradient.dump();
}

// The attack that leaves least; the first of several.
const Attack* strongest_of(const Evidence& evidence, const Attacks& attacks) {
  return *std::min_element(attacks.begin(), attacks.end(), [&](const Attack* a, const Attack* b) {
    return evidence.left_by({a}) < evidence.left_by({b});
  });
}

// How many samples both saw, and who fooled them.
PairedCounts counts_of(const Evidence& evidence, const Attacks& first, const Attacks& second) {
  PairedCounts counts;
  for (const std::size_t place : evidence.eligible()) {
    if (!is_seen(place, first) || !is_seen(place, second)) continue;
    const bool by_first = evidence.is_fooled(place, first);
    const bool by_second = evidence.is_fooled(place, second);
    if (by_first && by_second) ++counts.both;
    if (by_first && !by_second) ++counts.only_first;
    if (by_second && !by_first) ++counts.only_second;
    if (!by_first && !by_second) ++counts.neither;
  }
  return counts;
}

void explain_gap(Measurement& gap,
                 const PairedCounts& counts,
                 const Attacks& first,
                 const Attacks& second) {
  gap.n = counts.n();
  gap.p = mcnemar_one_sided(counts.only_first, counts.only_second);
  gap.sentence = names_of(second) + ": " + count_text(counts.only_second, counts.n()) +
                 " fooled that " + names_of(first) + " left; the other way round " +
                 std::to_string(counts.only_first);
  gap.cells = cells_of(first);
  for (const std::int64_t cell : cells_of(second)) gap.cells.push_back(cell);
}

Measurement gap_between(const Evidence& evidence, const Attacks& first, const Attacks& second) {
  const PairedCounts counts = counts_of(evidence, first, second);
  if (counts.n() < static_cast<std::int64_t>(evidence.threshold("min_samples"))) return {};
  Measurement gap = share_of_counts(counts.only_second, counts.n());
  explain_gap(gap, counts, first, second);
  return gap;
}

// What the second fools more than the first, those that the first alone fools taken off.
Measurement net_gap_between(const Evidence& evidence, const Attacks& first, const Attacks& second) {
  const PairedCounts counts = counts_of(evidence, first, second);
  if (counts.n() < static_cast<std::int64_t>(evidence.threshold("min_samples"))) return {};
  const Interval of_first = newcombe_paired(counts);  // first less second
  Measurement gap;
  gap.value =
      static_cast<double>(counts.only_second - counts.only_first) / static_cast<double>(counts.n());
  gap.lower = -of_first.upper;
  gap.upper = -of_first.lower;
  explain_gap(gap, counts, first, second);
  return gap;
}

}  // namespace

std::string percent(double share_of_one) {
  return formatted("%.1f %%", 100 * share_of_one);
}

std::string short_number(double value) {
  return formatted("%.3g", value);
}

std::string count_text(std::int64_t k, std::int64_t n) {
  const Interval interval = wilson(k, n);
  return std::to_string(k) + " of " + std::to_string(n) + " (" +
         percent(static_cast<double>(k) / static_cast<double>(n)) + ", 95 % interval " +
         formatted("%.1f", 100 * interval.lower) + " to " + percent(interval.upper) + ")";
}

std::string names_of(const Attacks& attacks) {
  std::vector<std::string> names;
  for (const Attack* attack : attacks) {
    if (std::find(names.begin(), names.end(), attack->name) == names.end()) {
      names.push_back(attack->name);
    }
  }
  if (names.size() > 4) {
    return names[0] + ", " + names[1] + ", " + names[2] + " and " +
           std::to_string(names.size() - 3) + " more";
  }
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return text;
}

std::vector<std::int64_t> cells_of(const Attacks& attacks) {
  std::vector<std::int64_t> cells;
  for (const Attack* attack : attacks) cells.push_back(attack->cell);
  return cells;
}

Measurement paired_gap(const Evidence& evidence, const Attacks& first, const Attacks& second) {
  if (first.empty() || second.empty()) return {};
  if (!evidence.is_random()) return gap_between(evidence, first, second);
  // Every attack is judged by draws of its own: several of them together fool by luck what none of
  // them fools reliably. One against one, luck is the same on both sides, and leaves the difference.
  Measurement best;
  const Attacks one = {strongest_of(evidence, first)};
  for (const Attack* attack : second) {
    keep_larger(best, net_gap_between(evidence, one, {attack}));
  }
  return best;
}

Measurement share_of_counts(std::int64_t k, std::int64_t n) {
  const Interval interval = wilson(k, n);
  Measurement result;
  result.value = static_cast<double>(k) / static_cast<double>(n);
  result.lower = interval.lower;
  result.upper = interval.upper;
  result.n = n;
  return result;
}

void keep_larger(Measurement& best, Measurement found) {
  if (found.value && (!best.value || *found.value > *best.value)) best = std::move(found);
}

Measurement share_of_marks(const Evidence& evidence, const Marks& marks, const std::string& what) {
  std::int64_t n = 0;
  std::int64_t k = 0;
  for (const auto& [sample, has_it] : marks) {
    if (!evidence.is_eligible(sample)) continue;
    ++n;
    if (has_it) ++k;
  }
  if (n < static_cast<std::int64_t>(evidence.threshold("min_probe_samples"))) return {};
  Measurement result = share_of_counts(k, n);
  result.sentence = count_text(k, n) + " samples " + what;
  return result;
}

Measurement share_of_samples(const Evidence& evidence,
                             const std::string& probe_id,
                             const std::string& value,
                             const std::function<bool(double)>& has_property,
                             const std::string& what) {
  Measurement best;
  for (const Probe* probe : evidence.probes(probe_id, value)) {
    keep_larger(best, share_of_probe(evidence, *probe, value, has_property, what));
  }
  return best;
}

Measurement share_of_probe(const Evidence& evidence,
                           const Probe& probe,
                           const std::string& value,
                           const std::function<bool(double)>& has_property,
                           const std::string& what) {
  Marks marks;
  for (const auto& [sample, number] : probe.values.at(value)) {
    if (!std::isnan(number)) marks.emplace_back(sample, has_property(number));
  }
  Measurement found = share_of_marks(evidence, marks, what);
  found.cells = {probe.cell};
  return found;
}

Measurement largest_metric(const Evidence& evidence,
                           const std::string& metric,
                           const Attacks& among,
                           const std::string& what) {
  Measurement result;
  const auto found = evidence.largest(metric, among);
  if (!found) return result;
  result.value = found->value;
  result.sentence = what + ": " + short_number(found->value) + " (" + found->attack->name + ")";
  result.cells = {found->attack->cell};
  return result;
}

Measurement effort_gap(const Evidence& evidence, const std::string& parameter) {
  std::map<std::string, std::map<double, Attacks>> families;
  for (const Attack* attack : evidence.attacks()) {
    const auto found = attack->params.find(parameter);
    const bool counts = attack->view == View::kOwn && attack->is_capable &&
                        attack->group != Group::kBlackBox && attack->group != Group::kNoise &&
                        found != attack->params.end() && found->is_number();
    if (counts) families[without(*attack, parameter)][found->get<double>()].push_back(attack);
  }
  Measurement best;
  for (const auto& [name, by_value] : families) {
    const auto& [least, first] = *by_value.begin();
    const auto& [most, second] = *by_value.rbegin();
    if (most < 2 * least) continue;
    keep_larger(best, paired_gap(evidence, first, second));
  }
  return best;
}

}  // namespace unmask::verdict
