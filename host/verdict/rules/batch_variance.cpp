#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Coupling is no mask by itself: where gradients leak, other rules see it.
const Rule kBatchVariance = {
    .id = "batch_variance",
    .question = "Do answers depend on the other images of the batch?",
    .source = "Carlini on the code of TRADES; docs/attacks.md, checks",
    .about = "batch",
    .needs = "probe batch_invariance, of a network that is not random",
    .statistic = "share of samples whose logits or label change with their batch",
    .says = "samples influence each other",
    .symptom_at = "share_suspect",
    .is_note = true,
    .supply =
        R"({"define": {"probe": {"batch_invariance": {"plugin": "batch_invariance"}}}, "evaluate": {"matrix": {"probes": ["batch_invariance"]}}})",
    .measure = [](const Evidence& e) {
      const double limit = e.threshold("logit_shift");
      Measurement best = share_of_samples(
          e,
          "batch_invariance",
          "logit_shift",
          [&](double shift) { return shift > limit; },
          "have logits that move by more than " + short_number(limit) +
              " of their spread with the batch");
      keep_larger(best,
                  share_of_samples(
                      e,
                      "batch_invariance",
                      "label_flip",
                      [](double flip) { return flip > 0; },
                      "get another label in their batch than alone"));
      return best;
    }};

}  // namespace unmask::verdict::rules
