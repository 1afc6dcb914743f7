#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Where samples share a step size, an image's gradient holds the losses of its batch-mates. One image at
// a time it holds its own.
const Rule kBatchSizeGap = {
    .id = "batch_size_gap",
    .question = "Does the plain attack succeed when it attacks images one by one?",
    .source = "measured for adaptive solvers: two images in a batch suffice",
    .about = "batch",
    .needs = "the plain gradient attack in batches, and with batch_size 1",
    .statistic = "share of samples that only the attack on single images fools",
    .says = "the gradient of an image is spoilt by its batch-mates",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply =
        R"({"define": {"attack": {"pgd": {"plugin": "pgd", "params": {"steps": 20, "step_size": "${epsilon}/10"}}, "pgd_alone": {"extends": "pgd", "params": {"batch_size": 1}}}}, "evaluate": {"matrix": {"attack": ["pgd", "pgd_alone"]}}})",
    .measure = [](const Evidence& e) {
      Attacks alone;
      for (const Attack* attack : e.own(Group::kPlain)) {
        if (attack->is_capable && attack->is_alone) alone.push_back(attack);
      }
      const bool is_batched = !e.plain().empty() && !e.plain().front()->is_alone &&
                              e.plain().front()->group == Group::kPlain;
      return is_batched ? paired_gap(e, e.plain(), alone) : Measurement{};
    }};

}  // namespace unmask::verdict::rules
