#include "wire/cell.hpp"

namespace unmask::wire {

const char* to_string(CellKind kind) {
  switch (kind) {
    case CellKind::kTrain: return "train";
    case CellKind::kAttack: return "attack";
    case CellKind::kProbe: return "probe";
  }
  return "?";
}

std::vector<std::size_t> Cell::all_needs() const {
  std::vector<std::size_t> out;
  if (needs) out.push_back(*needs);
  if (needs_source) out.push_back(*needs_source);
  return out;
}

std::string part_name(const std::string& part, std::size_t index, std::size_t count) {
  return count == 1 ? part : part + "." + std::to_string(index);
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
