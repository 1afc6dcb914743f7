#pragma once
// Which definitions a study uses, once: who asks the plugins about them or lists them goes this way.

#include <unordered_set>

#include "manifest/study.hpp"

namespace unmask::manifest {

/// Calls visit(kind, definition) for every definition that a row of the study names, once for all rows
/// that share it, in the order of the rows; `kind` is that of its plugin. An ensemble is one definition. The gradient solvers that a
/// probe's definition names are visited, too.
template <class Visitor>
void for_each_definition(const Study& study, Visitor&& visit) {
  std::unordered_set<const Definition*> seen;
  const auto visit_once = [&](const char* kind, const SharedDefinition& definition) {
    if (!seen.insert(&*definition).second) return;
    visit(kind, *definition);
    for (const Definition& solver : definition->gradients) visit("solver", solver);
  };
  for (const TrainRow& row : study.train) {
    visit_once("dataset", row.dataset);
    visit_once("model", row.model);
    visit_once("objective", row.objective);
    visit_once("solver", row.solver);
  }
  for (const EvaluateRow& row : study.evaluate) {
    visit_once(wire::to_string(row.kind), row.method);
    visit_once("solver", row.solver);
    if (row.gradient) {
      for (const SharedDefinition& solver : row.gradient->solvers) visit_once("solver", solver);
    }
    if (row.source) visit_once("solver", row.source->solver);
  }
}

}  // namespace unmask::manifest
