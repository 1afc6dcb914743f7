#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"
#include "verdict/traces.hpp"

namespace unmask::verdict::rules {

// The attack ends with a success that the judge does not see: what it attacked is not what is judged.
const Rule kTransferFailure = {
    .id = "transfer_failure",
    .question = "Does the judged network agree that an attack succeeded?",
    .source = "Pintor et al. 2022, indicator 5",
    .about = "attack",
    .needs = "a gradient attack with trace",
    .statistic = "traced samples that the attack ended fooling and the judge saw right",
    .says = "what was attacked is not what is judged",
    .symptom_at = "share_suspect",
    .is_note = true,
    .supply = kSupplyTrace,
    .measure = [](const Evidence& e) {
      return share_of_traces(
          e,
          "trace_margin",
          [](const Trace& trace) { return trace.fate == Fate::kRobust && trace.values.back() > 0; },
          "were fooled in the eyes of the attack alone");
    }};

}  // namespace unmask::verdict::rules
