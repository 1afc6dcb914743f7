#include <algorithm>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"
#include "verdict/traces.hpp"

namespace unmask::verdict::rules {

// An attack that gives away what it had found.
const Rule kSilentSuccess = {
    .id = "silent_success",
    .question = "Did an attack pass over a success on its way?",
    .source = "Pintor et al. 2022, indicator 3",
    .about = "attack",
    .needs = "a gradient attack with trace",
    .statistic = "traced samples that were fooled on the way and not in the end",
    .says = "an attack had fooled samples that it left in the end: let it keep its best iterate",
    .symptom_at = "share_suspect",
    .is_note = true,
    .supply = kSupplyTrace,
    .measure = [](const Evidence& e) {
      return share_of_traces(
          e,
          "trace_margin",
          [](const Trace& trace) {
            const double best = *std::max_element(trace.values.begin(), trace.values.end());
            return trace.fate == Fate::kRobust && best > 0;
          },
          "were fooled on the way and not in the end");
    }};

}  // namespace unmask::verdict::rules
