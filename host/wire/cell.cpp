#include "wire/cell.hpp"

#include "unmask/errors.hpp"
#include "wire/key.hpp"
#include "wire/spec.hpp"

namespace unmask::wire {

const char* to_string(CellKind kind) {
  switch (kind) {
    case CellKind::kTrain: return "train";
    case CellKind::kAttack: return "attack";
    case CellKind::kProbe: return "probe";
  }
  return "?";
}

std::optional<CellKind> parse_cell_kind(std::string_view name) {
  for (const CellKind kind : {CellKind::kTrain, CellKind::kAttack, CellKind::kProbe}) {
    if (name == to_string(kind)) return kind;
  }
  return std::nullopt;
}

void to_json(nlohmann::json& j, const Cell& cell) {
  j = {{"kind", to_string(cell.kind)},
       {"key", cell.key},
       {"spec", cell.spec},
       {"locals", cell.locals},
       {"labels", cell.labels},
       {"aliases", cell.aliases},
       {"keeps_adversarials", cell.keeps_adversarials}};
  if (cell.timeout_s) j["timeout_s"] = *cell.timeout_s;
}

void from_json(const nlohmann::json& j, Cell& cell) {
  cell = Cell{};
  const auto kind = j.at("kind").get<std::string>();
  const std::optional<CellKind> known = parse_cell_kind(kind);
  if (!known) throw DataError("there is no cell kind \"" + kind + "\"");
  cell.kind = *known;
  j.at("key").get_to(cell.key);
  cell.spec = j.at("spec");
  cell.locals = j.at("locals");
  j.at("labels").get_to(cell.labels);
  j.at("aliases").get_to(cell.aliases);
  j.at("keeps_adversarials").get_to(cell.keeps_adversarials);
  if (const auto limit = j.find("timeout_s"); limit != j.end()) {
    cell.timeout_s = limit->get<double>();
  }
  cell.needs = checkpoint_of(cell.spec);
  cell.needs_source = source_of(cell.spec);
  if (key_of(cell.spec) != cell.key) {
    throw DataError("the specification of the cell " + cell.key + " has another key, " +
                    key_of(cell.spec));
  }
}

std::vector<std::string> Cell::all_needs() const {
  std::vector<std::string> out;
  if (needs) out.push_back(*needs);
  if (needs_source) out.push_back(*needs_source);
  return out;
}

std::string title(const Cell& cell) {
  const CellLabels& l = cell.labels;
  const std::string network = l.model + "/" + l.dataset + "/" + l.objective + "/" + l.train_solver +
                              " seed " + std::to_string(l.train_seed);
  if (cell.kind == CellKind::kTrain) return "train " + network;
  std::string text = std::string(to_string(cell.kind)) + " " + l.method;
  if (l.epsilon && !l.epsilon_text.empty()) text += " eps " + l.epsilon_text;
  if (l.seed != 0) text += " seed " + std::to_string(l.seed);
  text += " on " + network;
  if (l.solver != l.train_solver) text += " under " + l.solver;
  if (!l.gradient.empty()) text += " gradient " + l.gradient;
  if (!l.source.empty()) text += " from " + l.source;
  return text;
}

}  // namespace unmask::wire
