#include <algorithm>
#include <array>
#include <utility>

#include "verdict/report.hpp"

namespace unmask::verdict {
namespace {

// The gravest first. What was not looked at may still be anything.
constexpr std::array kByGravity = {
    Judgement::kMasked, Judgement::kSuspect, Judgement::kInsufficient, Judgement::kNotDetected};

auto gravity_of(const store::VerdictRecord* verdict) {
  return std::find_if(kByGravity.begin(), kByGravity.end(), [&](Judgement judgement) {
    return verdict->judgement == to_string(judgement);
  });
}

// "linf 0.1, 0.2; l2 0.5"
std::string threats_of(const std::vector<const store::VerdictRecord*>& verdicts,
                       const std::string& judgement) {
  std::string text;
  std::string norm;
  for (const store::VerdictRecord* v : verdicts) {
    if (v->judgement != judgement) continue;
    if (v->norm != norm) text += (text.empty() ? "" : "; ") + v->norm + " " + v->epsilon_text;
    if (v->norm == norm) text += ", " + v->epsilon_text;
    norm = v->norm;
  }
  return text;
}

}  // namespace

std::string network_name(const wire::CellLabels& l) {
  return l.model + "/" + l.dataset + "/" + l.objective + "/" + l.train_solver + "/" +
         std::to_string(l.train_seed) + " under " + l.solver;
}

std::vector<std::string> lines_of(std::span<const store::VerdictRecord> verdicts) {
  std::vector<std::pair<std::string, std::vector<const store::VerdictRecord*>>> networks;
  for (const store::VerdictRecord& v : verdicts) {
    const std::string name = network_name(v.labels);
    if (networks.empty() || networks.back().first != name) networks.push_back({name, {}});
    networks.back().second.push_back(&v);
  }
  std::vector<std::string> lines;
  for (const auto& [name, of_network] : networks) {
    const store::VerdictRecord* gravest =
        *std::min_element(of_network.begin(), of_network.end(), [](const auto* a, const auto* b) {
          return gravity_of(a) < gravity_of(b);
        });
    lines.push_back(name + ": " + gravest->judgement + " at " +
                    threats_of(of_network, gravest->judgement) + ": " + gravest->sentence);
  }
  return lines;
}

}  // namespace unmask::verdict
