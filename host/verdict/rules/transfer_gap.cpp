#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Images made elsewhere are weaker than images made here, unless the gradient here leads astray.
const Rule kTransferGap = {
    .id = "transfer_gap",
    .question = "Do images made on another network fool samples that the own gradient does not?",
    .source = "Carlini et al. 2019; Pintor et al. 2022",
    .about = "transfer",
    .needs = "the plain gradient attack, and attacks with another source",
    .statistic = "share of samples that only images made elsewhere fool",
    .says = "images made elsewhere are stronger than those made with the own gradient",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply = R"({"evaluate": {"matrix": {"source": ["@self", "OTHER_MODEL"]}}})",
    .measure = [](const Evidence& e) {
      return paired_gap(e, e.plain(), e.with_view(View::kSource));
    }};

}  // namespace unmask::verdict::rules
