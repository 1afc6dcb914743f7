#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// From half the range of pixels on every image can be made grey, and all of them alike: no network tells
// them apart. An attack that cannot do that has not followed a useful gradient.
const Rule kUnbounded = {
    .id = "unbounded",
    .question = "Does the plain attack succeed when it may change everything?",
    .source =
        "Athalye, Carlini, Wagner 2018, symptom 3; Pintor et al. 2022, indicator 6; Carlini et al. "
        "2019",
    .about = "unbounded",
    .needs =
        "the plain gradient attack at a radius of at least unbounded_linf (linf) or unbounded_l2 "
        "(l2)",
    .statistic = "share of samples that it leaves",
    .says = "even without a limit the gradient finds nothing",
    .decides_at = "unbounded_masked",
    .symptom_at = "unbounded_suspect",
    .unhindered = [](const Evidence& e) { return e.past_the_saturation(); },
    .supply =
        R"({"define": {"attack": {"pgd": {"plugin": "pgd", "params": {"steps": 20, "step_size": "${epsilon}/10"}}}}, "evaluate": {"matrix": {"attack": ["pgd"], "epsilon": [1]}}})",
    .measure =
        [](const Evidence& e) {
          Measurement best;
          if (e.norm() != "linf" && e.norm() != "l2") return best;
          const double least = e.threshold(e.norm() == "linf" ? "unbounded_linf" : "unbounded_l2");
          std::int64_t k = 0;
          std::int64_t n = 0;
          Attacks used;
          for (const Attack& attack : e.network().attacks) {
            const bool counts = attack.norm == e.norm() && attack.epsilon >= least &&
                                attack.is_capable && attack.view == View::kOwn &&
                                attack.group == Group::kPlain;
            if (counts) used.push_back(&attack);
          }
          for (std::size_t place = 0; place < e.network().samples.size(); ++place) {
            bool is_right = false;
            bool is_fooled = false;
            for (const Attack* attack : used) {
              is_right = is_right || attack->fates[place] == Fate::kRobust;
              is_fooled = is_fooled || attack->fates[place] == Fate::kFooled;
            }
            if (!is_right && !is_fooled) continue;
            ++n;
            if (!is_fooled) ++k;
          }
          if (n < static_cast<std::int64_t>(e.threshold("min_samples"))) return best;
          best = share_of_counts(k, n);
          best.sentence = names_of(used) + " with radius " + short_number(used.front()->epsilon) +
                          " leaves " + count_text(k, n);
          best.cells = cells_of(used);
          return best;
        }};

}  // namespace unmask::verdict::rules
