#include "verdict/gather.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "wire/spec.hpp"

namespace unmask::verdict {
namespace {

using nlohmann::json;

std::string text_or(const json& object, const char* name, const std::string& missing) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : missing;
}

double number_or(const json& object, const char* name, double missing) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : missing;
}

// An ensemble has none.
json params_of(const json& part) {
  const auto found = part.find("params");
  return found != part.end() && found->is_object() ? *found : json::object();
}

bool is_one_of(const std::string& text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// By plugin and parameters. A plugin that nobody knows counts by its capability and its loss.
Group group_of(const Attack& attack, bool is_gradient_free) {
  if (attack.plugin.empty() || attack.plugin == "autoattack") return Group::kSeveral;
  if (is_one_of(attack.plugin, {"random_noise", "gaussian_noise"})) return Group::kNoise;
  if (is_gradient_free) return Group::kBlackBox;
  if (attack.plugin == "fgsm") return Group::kSingleStep;
  const bool is_plain = text_or(attack.params, "loss", "") == "ce" &&
                        text_or(attack.params, "target", "none") == "none";
  if (!is_plain) return Group::kOtherLoss;
  return number_or(attack.params, "eot", 1) > 1 ? Group::kAveraged : Group::kPlain;
}

// Steps that together are shorter than the radius cannot find what lies at its edge.
bool can_reach(const Attack& attack) {
  const double step = number_or(attack.params, "step_size", 0);
  if (attack.group == Group::kSingleStep || step <= 0) return true;
  return step * number_or(attack.params, "steps", 1) >= attack.epsilon * (1 - 1e-9);
}

View view_of(const json& spec) {
  const auto source = spec.find("source");
  if (source != spec.end() && !source->is_null()) return View::kSource;
  const auto gradient = spec.find("gradient");
  return gradient == spec.end() || gradient->is_null() ? View::kOwn : View::kSolver;
}

Attack attack_of(const store::EvidenceCell& cell, const json& spec) {
  Attack attack;
  attack.cell = cell.id;
  attack.name = cell.labels.method;
  if (!cell.labels.gradient.empty()) attack.name += " via " + cell.labels.gradient;
  if (!cell.labels.source.empty()) attack.name += " from " + cell.labels.source;
  const json part = spec.value("attack", json::object());
  attack.plugin = text_or(part, "plugin", "");
  attack.params = params_of(part);
  attack.gradient = spec.value("gradient", json());
  attack.view = view_of(spec);
  if (attack.view == View::kSolver) {
    const std::vector<json> solvers = wire::solvers_of(attack.gradient);
    attack.is_same_method = std::all_of(solvers.begin(), solvers.end(), [&](const json& solver) {
      return text_or(solver, "plugin", "") == text_or(spec.at("solver"), "plugin", "?");
    });
  }
  attack.epsilon = cell.labels.epsilon.value_or(0);
  attack.epsilon_text = cell.labels.epsilon_text;
  attack.norm = cell.norm;
  attack.seed = cell.labels.seed;
  attack.group = group_of(attack, cell.is_gradient_free);
  attack.steps = number_or(attack.params, "steps", 1);
  attack.restarts = number_or(attack.params, "restarts", 1);
  attack.draws = number_or(attack.params, "eot", 1);
  attack.is_capable = can_reach(attack);
  const double canonical = number_or(spec, "batch_size", 100);
  const double size = number_or(attack.params, "batch_size", 0);
  attack.is_alone = (size > 0 ? size : canonical) == 1;
  return attack;
}

Fate fate_of(const wire::SampleOutcome& outcome) {
  if (!outcome.is_decided) return Fate::kUndecided;
  if (outcome.clean_prediction != outcome.label) return Fate::kWrong;
  return outcome.prediction == outcome.label ? Fate::kRobust : Fate::kFooled;
}

using Outcomes = std::vector<std::vector<wire::SampleOutcome>>;  // of each attack

void set_fates(Network& network, const Outcomes& outcomes) {
  std::set<std::int64_t> samples;
  for (const auto& of_attack : outcomes) {
    for (const auto& outcome : of_attack) samples.insert(outcome.sample);
  }
  network.samples.assign(samples.begin(), samples.end());
  for (std::size_t a = 0; a < network.attacks.size(); ++a) {
    std::vector<Fate>& fates = network.attacks[a].fates;
    fates.assign(network.samples.size(), Fate::kAbsent);
    std::size_t place = 0;
    for (const auto& outcome : outcomes[a]) {
      while (network.samples[place] != outcome.sample) ++place;
      fates[place] = fate_of(outcome);
    }
  }
}

Probe probe_of(store::EvidenceReader& reader, const store::EvidenceCell& cell) {
  const json spec = reader.spec(cell.id);
  const json part = spec.value("probe", json::object());
  const json params = params_of(part);
  Probe probe;
  probe.cell = cell.id;
  probe.plugin = text_or(part, "plugin", "");
  probe.norm = text_or(params, "norm", "");
  probe.loss = text_or(params, "loss", "");
  // A probe without a radius is planned with 0.
  if (cell.labels.epsilon.value_or(0) > 0) probe.epsilon = cell.labels.epsilon;
  const auto epsilon = params.find("epsilon");
  if (epsilon != params.end() && epsilon->is_number()) probe.epsilon = epsilon->get<double>();
  probe.values = reader.sample_metrics(cell.id);
  return probe;
}

}  // namespace

std::vector<NetworkCells> networks_of(const store::EvidenceStudy& study) {
  std::vector<NetworkCells> networks;
  std::map<std::pair<std::int64_t, const std::string*>, std::size_t> places;
  for (const store::EvidenceCell& cell : study.cells) {
    const auto [known, is_new] =
        places.try_emplace({cell.checkpoint_cell, cell.solver.get()}, networks.size());
    if (is_new) networks.push_back({cell.labels, cell.checkpoint_cell});
    networks[known->second].cells.push_back(&cell);
  }
  return networks;
}

Network gather(const store::Store& store, const NetworkCells& cells) {
  Network network{.labels = cells.labels, .checkpoint_cell = cells.checkpoint_cell};
  Outcomes outcomes;
  store::EvidenceReader reader(store);
  for (const store::EvidenceCell* cell : cells.cells) {
    const bool is_probe = cell->kind == wire::CellKind::kProbe;
    const double epsilon = cell->labels.epsilon.value_or(0);
    if (is_probe) {
      if (cell->has_result) {
        network.probes.push_back(probe_of(reader, *cell));
      } else {
        ++network.missing_probes;
      }
    } else if (epsilon > 0 && cell->has_result) {
      Attack attack = attack_of(*cell, reader.spec(cell->id));
      attack.metrics = reader.metrics(cell->id);
      attack.series = reader.series(cell->id);
      network.attacks.push_back(std::move(attack));
      outcomes.push_back(reader.outcomes(cell->id));
    } else if (epsilon > 0) {
      network.missing.push_back({epsilon, cell->norm});
    }
  }
  set_fates(network, outcomes);
  return network;
}

}  // namespace unmask::verdict
