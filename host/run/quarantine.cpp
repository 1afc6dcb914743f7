#include "run/quarantine.hpp"

#include <algorithm>

namespace unmask::run {

using wire::Cell;
using wire::CellKind;
using wire::CellLabels;

void Quarantine::finished(std::size_t cell) {
  finished_.push_back(cell);
  is_settled_[cell] = true;
}

std::optional<std::string> Quarantine::crashed(std::size_t cell, int times) {
  if (times < 2) return std::nullopt;
  Kin kin = kin_of(plan_[cell]);
  if (std::any_of(finished_.begin(), finished_.end(), [&](std::size_t other) {
        return belongs(plan_[other], kin);
      })) {
    return std::nullopt;
  }
  if (is_alone(kin)) return std::nullopt;
  const CellLabels& l = plan_[cell].labels;
  kin.sentence =
      plan_[cell].kind == CellKind::kTrain
          ? "the training of \"" + l.model + "\" by \"" + l.objective + "\""
          : std::string(wire::to_string(kin.kind)) + " \"" + l.method + "\" on \"" + l.model + "\"";
  kin.sentence += " is quarantined: it crashed " + std::to_string(times) +
                  " times on one cell and has finished none; its other cells are not started in "
                  "this run";
  kins_.push_back(kin);
  return kin.sentence;
}

std::optional<std::string> Quarantine::reason(std::size_t cell) const {
  const auto found = std::find_if(
      kins_.begin(), kins_.end(), [&](const Kin& kin) { return belongs(plan_[cell], kin); });
  if (found == kins_.end()) return std::nullopt;
  return found->sentence;
}

Quarantine::Kin Quarantine::kin_of(const Cell& cell) const {
  Kin kin{cell.kind, {}, ""};
  const auto add = [&](Label label) { kin.labels.emplace_back(label, cell.labels.*label); };
  add(&CellLabels::model);
  if (cell.kind == CellKind::kTrain) {
    add(&CellLabels::dataset);
    add(&CellLabels::objective);
    add(&CellLabels::train_solver);
    return kin;
  }
  add(&CellLabels::method);
  for (const Label label : {&CellLabels::solver, &CellLabels::gradient, &CellLabels::source}) {
    const std::string& name = cell.labels.*label;
    if (!name.empty() && !has_finished(label, name)) add(label);
  }
  return kin;
}

bool Quarantine::is_alone(const Kin& kin) const {
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if (!is_settled_[i] && belongs(plan_[i], kin)) return false;
  }
  return true;
}

bool Quarantine::has_finished(Label label, const std::string& name) const {
  return std::any_of(finished_.begin(), finished_.end(), [&](std::size_t cell) {
    const CellLabels& l = plan_[cell].labels;
    return l.*label == name || (label == &CellLabels::solver && l.train_solver == name);
  });
}

bool Quarantine::belongs(const Cell& cell, const Kin& kin) {
  return cell.kind == kin.kind &&
         std::all_of(kin.labels.begin(), kin.labels.end(), [&](const auto& label) {
           return cell.labels.*label.first == label.second;
         });
}

}  // namespace unmask::run
