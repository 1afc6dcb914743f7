#pragma once
// Which definitions a study uses, once: who asks the plugins about them or lists them goes this way.

#include "manifest/study.hpp"

namespace unmask::manifest {

/// Calls visit(kind, definition) for every definition that a row of the study names, as often as rows
/// name it; `kind` is that of its plugin. An ensemble is one definition. The gradient solvers that a
/// probe's definition names are visited, too.
template <class Visitor>
void for_each_definition(const Study& study, Visitor&& visit) {
  for (const TrainRow& row : study.train) {
    visit("dataset", row.dataset);
    visit("model", row.model);
    visit("objective", row.objective);
    visit("solver", row.solver);
  }
  for (const EvaluateRow& row : study.evaluate) {
    visit(wire::to_string(row.kind), row.method);
    visit("solver", row.solver);
    for (const Definition& solver : row.method.gradients) visit("solver", solver);
    if (row.gradient) {
      for (const Definition& solver : row.gradient->solvers) visit("solver", solver);
    }
    if (row.source) visit("solver", row.source->solver);
  }
}

}  // namespace unmask::manifest
