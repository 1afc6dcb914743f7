#pragma once
// What the cells of a plan are called: how the names are asked for, and read.

#include "store/database.hpp"
#include "wire/cell.hpp"

/// Columns of plan_cell, as `p`.
#define UNMASK_PLAN_LABELS                                                                \
  "p.dataset, p.model, p.objective, p.train_solver, p.train_seed, p.solver, p.gradient, " \
  "p.source, "                                                                            \
  "p.method, p.epsilon, p.epsilon_text, p.seed"

namespace unmask::store {

/// Of a row with UNMASK_PLAN_LABELS from column `first` on.
wire::CellLabels read_labels(const Statement& row, int first);

}  // namespace unmask::store
