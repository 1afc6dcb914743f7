#include <cmath>
#include <map>
#include <utility>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

namespace {

// NaN and infinite ones left out.
std::map<std::int64_t, double> values_by_sample(const Evidence& e, const std::string& name) {
  std::map<std::int64_t, double> values;
  for (const Probe* probe : e.probes("spsa_agreement", name)) {
    for (const auto& [sample, value] : probe->values.at(name)) {
      if (std::isfinite(value)) values.try_emplace(sample, value);
    }
  }
  return values;
}

}  // namespace

// An average over random pairs of queries needs no gradient, but many queries: how large the cosine would
// be with a right gradient is known, and taken as the measure.
const Rule kSpsaAgreement = {
    .id = "spsa_agreement",
    .question = "Does the gradient point where an average of queries points?",
    .source = "Uesato et al. 2018; docs/probes.md",
    .about = "direction",
    .needs = "probe spsa_agreement, of a network that is not random",
    .statistic =
        "share of samples whose gradient agrees with an average of queries by less than a right "
        "one would",
    .says = "the gradient does not point where queries find the loss to rise",
    .decides_at = "share_masked",
    .symptom_at = "share_suspect",
    .is_about_gradient = true,
    .supply =
        R"({"define": {"probe": {"spsa_agreement": {"plugin": "spsa_agreement"}}}, "evaluate": {"matrix": {"probes": ["spsa_agreement"]}}})",
    .measure = [](const Evidence& e) {
      const double limit = e.threshold("cosine");
      const auto expected = values_by_sample(e, "spsa_expected");
      Measurement best;
      for (const Probe* probe : e.probes("spsa_agreement", "spsa_cosine")) {
        Marks marks;
        for (const auto& [sample, cosine] : probe->values.at("spsa_cosine")) {
          const auto found = expected.find(sample);
          if (std::isnan(cosine) || found == expected.end()) continue;
          marks.emplace_back(sample, cosine < limit * found->second);
        }
        Measurement found =
            share_of_marks(e,
                           marks,
                           "agree with queries by less than " + short_number(limit) +
                               " of what a right gradient would");
        found.cells = {probe->cell};
        keep_larger(best, std::move(found));
      }
      return best;
    }};

}  // namespace unmask::verdict::rules
