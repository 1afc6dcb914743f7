#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

namespace {

// Black boxes look at the margin or at the label. Cross-entropy is not the best loss for every honest network
// (at a high temperature it pulls to all classes at once): that is no mask, and loss_gap's question. What begins at
// images of other classes finds the boundary by asking, whatever the gradient is at the image.
Attacks along_any_loss(const Evidence& e) {
  Attacks attacks = e.plain();
  if (attacks.empty()) return attacks;
  const double draws = attacks.front()->draws;
  for (const Attack* attack : e.own(Group::kOtherLoss)) {
    const bool asks_for_boundary = attack->plugin == "boundary_gradient";
    if (attack->is_capable && attack->draws == draws && !asks_for_boundary) {
      attacks.push_back(attack);
    }
  }
  return attacks;
}

}  // namespace

// An attack that follows the gradient knows more than one that may only ask. Counted per sample, since
// an honest attack may fail on some samples that chance finds.
const Rule kBlackBoxGap = {
    .id = "black_box_gap",
    .question = "Do attacks without gradients fool samples that the gradient does not?",
    .source = "Athalye, Carlini, Wagner 2018, symptom 2; Carlini et al. 2019, per example",
    .about = "black box",
    .needs = "the plain gradient attack and one that only asks, such as square or spsa",
    .statistic =
        "share of samples that attacks without gradients fool, and gradients of no loss do",
    .says = "attacks without gradients find what the gradient does not",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply =
        R"({"define": {"attack": {"square": {"plugin": "square", "params": {"queries": 2000}}}}, "evaluate": {"matrix": {"attack": ["square"]}}})",
    .measure = [](const Evidence& e) { return paired_gap(e, along_any_loss(e), e.black_box()); }};

}  // namespace unmask::verdict::rules
