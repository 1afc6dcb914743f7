#include <algorithm>
#include <cmath>

#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Healthy networks differ by 12 to 22 points between radius 8/255 in linf and 0.5 in l2; masked ones by
// nothing, since neither attack gets anywhere. Says something only between the ends of the scale.
const Rule kNormInsensitivity = {
    .id = "norm_insensitivity",
    .question = "Does it make a difference in which norm the plain attack works?",
    .source = "figures of Huang et al. 2021",
    .about = "norms",
    .needs = "the plain gradient attack in linf and in l2",
    .statistic = "difference of robust accuracy in the two norms",
    .says = "the attack gets equally far in both norms, that is, nowhere",
    .direction = Direction::kBelow,
    .symptom_at = "norm_difference",
    .is_about_gradient = true,
    .supply =
        R"({"define": {"attack": {"pgd_l2": {"plugin": "pgd", "params": {"norm": "l2", "step_size": "${epsilon}/10"}}}}, "evaluate": {"add": [{"checkpoint": "*", "solver": "@train", "attack": "pgd_l2", "epsilon": 0.5}]}})",
    .measure = [](const Evidence& e) {
      Measurement result;
      const std::string other = e.norm() == "linf" ? "l2" : "linf";
      double radius = 0;
      for (const Attack& attack : e.network().attacks) {
        if (attack.norm == other) radius = std::max(radius, attack.epsilon);
      }
      if (radius == 0 || e.plain().empty() || e.eligible().empty()) return result;
      Attacks there;
      for (const Attack& attack : e.network().attacks) {
        const bool counts = attack.norm == other && attack.epsilon == radius && attack.is_capable &&
                            attack.view == View::kOwn && attack.group == e.plain().front()->group;
        if (counts) there.push_back(&attack);
      }
      if (there.empty()) return result;
      const auto n = static_cast<double>(e.eligible().size());
      const double here_left = static_cast<double>(e.left_by(e.plain())) / n;
      const double there_left = static_cast<double>(e.left_by(there)) / n;
      // Where an attack takes nothing or everything, norms cannot differ.
      if (std::max(here_left, there_left) > 0.9 || std::min(here_left, there_left) < 0.1)
        return result;
      result.value = std::abs(here_left - there_left);
      result.n = static_cast<std::int64_t>(e.eligible().size());
      result.sentence = names_of(e.plain()) + " leaves " + percent(here_left) + ", in " + other +
                        " " + short_number(radius) + " " + percent(there_left);
      result.cells = cells_of(e.plain());
      for (const std::int64_t cell : cells_of(there)) result.cells.push_back(cell);
      return result;
    }};

}  // namespace unmask::verdict::rules
