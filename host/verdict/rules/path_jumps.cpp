#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// A loss that jumps has no derivative there, and a step size that follows it sees a staircase.
const Rule kPathJumps = {
    .id = "path_jumps",
    .question = "Does the loss jump along a line?",
    .source = "docs/probes.md, path_discontinuity",
    .about = "discontinuity",
    .needs = "probe path_discontinuity, of a network that is not random",
    .statistic = "share of samples along whose line the loss jumps",
    .says = "the loss is a staircase: its slope says nothing about its steps",
    .symptom_at = "share_masked",
    .is_about_gradient = true,
    .supply =
        R"({"define": {"probe": {"path_discontinuity": {"plugin": "path_discontinuity", "params": {"epsilon": "${epsilon}"}}}}, "evaluate": {"matrix": {"probes": ["path_discontinuity"]}}})",
    .measure = [](const Evidence& e) {
      return share_of_samples(
          e,
          "path_discontinuity",
          "path_jumps",
          [](double jumps) { return jumps > 0; },
          "have a loss that jumps along a line");
    }};

}  // namespace unmask::verdict::rules
