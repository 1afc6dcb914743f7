#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Saturation alone is no fault: robust networks may be confident. It hides something where another loss
// fools the sample and cross-entropy does not.
const Rule kSaturation = {
    .id = "saturation",
    .question = "Is cross-entropy exactly zero where another loss succeeds?",
    .source = "Carlini, Wagner 2017; docs/probes.md, confidence",
    .about = "confidence",
    .needs = "probe confidence, and gradient attacks on cross-entropy and on another loss",
    .statistic =
        "share of samples whose cross-entropy is exactly zero and which only another loss fools",
    .says = "cross-entropy is zero in float32 and gives no direction",
    .symptom_at = "share_suspect",
    .is_about_gradient = true,
    .supply =
        R"({"define": {"probe": {"confidence": {"plugin": "confidence"}}, "attack": {"pgd_margin": {"plugin": "pgd", "params": {"loss": "margin"}}}}, "evaluate": {"matrix": {"probes": ["confidence"], "attack": ["pgd_margin"]}}})",
    .measure = [](const Evidence& e) {
      const Attacks others = e.own(Group::kOtherLoss);
      if (e.plain().empty() || others.empty()) return Measurement{};
      if (e.plain().front()->group == Group::kOtherLoss) return Measurement{};
      const auto& samples = e.network().samples;
      std::vector<std::int64_t> hidden;
      for (const std::size_t place : e.eligible()) {
        if (!e.is_fooled(place, e.plain()) && e.is_fooled(place, others)) {
          hidden.push_back(samples[place]);
        }
      }
      Measurement best;
      for (const Probe* probe : e.probes("confidence", "cross_entropy_zero")) {
        Marks marks;
        for (const auto& [sample, zero] : probe->values.at("cross_entropy_zero")) {
          if (std::isnan(zero)) continue;
          marks.emplace_back(sample,
                             zero > 0 && std::binary_search(hidden.begin(), hidden.end(), sample));
        }
        Measurement found = share_of_marks(
            e,
            marks,
            "have a cross-entropy of zero, and only " + names_of(others) + " fooled them");
        found.cells = cells_of(others);
        found.cells.push_back(probe->cell);
        keep_larger(best, std::move(found));
      }
      return best;
    }};

}  // namespace unmask::verdict::rules
