#include <algorithm>
#include <vector>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"
#include "verdict/traces.hpp"

namespace unmask::verdict::rules {

namespace {

// The loss, scaled to [0, 1], as the best so far; how much of it came in the last ten steps. The
// indicator is written for a loss that falls; attacks here climb.
double late_rise(const std::vector<double>& loss) {
  const auto [low, high] = std::minmax_element(loss.begin(), loss.end());
  if (!(*high > *low) || loss.size() <= 10) return 0;
  const double before = *std::max_element(loss.begin(), loss.end() - 10);
  return (std::max(before, *high) - before) / (*high - *low);
}

}  // namespace

// The loss still changed in its last ten steps.
const Rule kIncompleteOptimisation = {
    .id = "incomplete_optimisation",
    .question = "Was an attack still under way when it ended?",
    .source = "Pintor et al. 2022, indicator 4",
    .about = "attack",
    .needs = "a gradient attack with trace",
    .statistic = "traced samples whose loss had not settled",
    .says = "an attack ended before its loss had settled: give it more steps",
    .symptom_at = "share_masked",
    .is_note = true,
    .supply = kSupplyTrace,
    .measure = [](const Evidence& e) {
      const double limit = e.threshold("loss_spread");
      return share_of_traces(
          e,
          "trace_loss",
          [&](const Trace& trace) {
            return trace.fate == Fate::kRobust && late_rise(trace.values) > limit;
          },
          "had a loss that was still rising");
    }};

}  // namespace unmask::verdict::rules
