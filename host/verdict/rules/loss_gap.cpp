#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

namespace {

Attacks with_draws(const Attacks& attacks, double draws) {
  Attacks result;
  std::copy_if(attacks.begin(), attacks.end(), std::back_inserter(result), [&](const Attack* a) {
    return a->draws == draws;
  });
  return result;
}

}  // namespace

// Another loss has the same mask in front of it, so honest networks show some gap, too: this rule asks
// for a larger one.
const Rule kLossGap = {
    .id = "loss_gap",
    .question = "Does another loss fool samples that cross-entropy does not?",
    .source = "Carlini, Wagner 2017; Croce, Hein 2020",
    .about = "confidence",
    .needs =
        "a plain gradient attack on cross-entropy and one on another loss (margin, dlr, pm, cw) "
        "that "
        "averages as many gradients",
    .statistic = "share of samples that only another loss fools",
    .says = "cross-entropy hides the gradient: another loss finds more",
    .decides_at = "effort_gap_masked",
    .symptom_at = "effort_gap_suspect",
    .supply =
        R"({"define": {"attack": {"pgd_margin": {"plugin": "pgd", "params": {"steps": 50, "step_size": "${epsilon}/10", "loss": "margin"}}}}, "evaluate": {"matrix": {"attack": ["pgd_margin"]}}})",
    .measure = [](const Evidence& e) {
      Measurement best;
      if (e.plain().empty() || e.plain().front()->group == Group::kOtherLoss) return best;
      const Attacks other = e.own(Group::kOtherLoss);
      std::set<double> draws;
      for (const Attack* attack : other) draws.insert(attack->draws);
      // Averaged gradients against averaged ones: what averaging finds is another rule's question.
      for (const double each : draws) {
        Attacks first = with_draws(e.plain(), each);
        if (first.empty()) first = with_draws(e.own(Group::kAveraged), each);
        keep_larger(best, paired_gap(e, first, with_draws(other, each)));
      }
      return best;
    }};

}  // namespace unmask::verdict::rules
