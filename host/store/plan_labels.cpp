#include "store/plan_labels.hpp"

namespace unmask::store {

wire::CellLabels read_labels(const Statement& row, int first) {
  wire::CellLabels labels;
  labels.dataset = row.text(first);
  labels.model = row.text(first + 1);
  labels.objective = row.text(first + 2);
  labels.train_solver = row.text(first + 3);
  labels.train_seed = row.integer(first + 4);
  labels.solver = row.text(first + 5);
  labels.gradient = row.text(first + 6);
  labels.source = row.text(first + 7);
  labels.method = row.text(first + 8);
  if (!row.is_null(first + 9)) labels.epsilon = row.real(first + 9);
  labels.epsilon_text = row.text(first + 10);
  labels.seed = row.integer(first + 11);
  return labels;
}

}  // namespace unmask::store
