#pragma once
// What the makers of figures share: rows of a query, and names that tell them apart.

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "results/figure.hpp"
#include "results/selection.hpp"

namespace unmask::results {

/// Groups of rows, in the order in which they first appear. Their names are the labels in which the
/// groups differ.
class Grouping {
 public:
  /// @param axes  whose labels make a group
  Grouping(const std::vector<LabelledRow>& rows, const std::vector<std::string_view>& axes);

  struct Group {
    std::string name;
    std::vector<const LabelledRow*> rows;
  };
  const std::vector<Group>& groups() const& { return groups_; }
  std::vector<Group> groups() && { return std::move(groups_); }  ///< outlives a temporary

 private:
  std::vector<Group> groups_;
};

/// Axes that tell networks apart, and those that tell attacks on one of them apart.
inline const std::vector<std::string_view> kNetworkAxes = {
    "study", "dataset", "model", "objective", "train_solver", "train_seed", "solver"};
inline const std::vector<std::string_view> kAttackAxes = {
    "attack", "gradient", "source", "norm", "epsilon", "seed"};

std::vector<std::string_view> axes_without(const std::vector<std::string_view>& axes,
                                           const std::vector<std::string_view>& gone);

/// Rows of the view `accuracy` behind the labels: epsilon, robust_accuracy, lower, upper, clean_accuracy,
/// n, robust_correct, cell_id, checkpoint_cell_id.
enum AccuracyColumn { kEpsilon, kRobust, kLower, kUpper, kClean, kN, kCorrect, kCell, kCheckpoint };
std::vector<LabelledRow> accuracy_rows(const store::Store& store, const Selection& selection);

/// A point of such a row.
Point accuracy_point(const LabelledRow& row, double x);

double number(const LabelledRow& row, std::size_t column);

Figure robustness_figure(const store::Store& store, const Selection& selection);
Figure epsilon_figure(const store::Store& store, const Selection& selection);
Figure gradients_figure(const store::Store& store, const Selection& selection);
Figure elasticity_figure(const store::Store& store, const Selection& selection);
Figure ladder_figure(const store::Store& store, const Selection& selection);
Figure seeds_figure(const store::Store& store, const Selection& selection);
Figure training_figure(const store::Store& store, const Selection& selection);
Figure landscape_figure(const store::Store& store, const Selection& selection);
Figure cosines_figure(const store::Store& store, const Selection& selection);
Figure leaks_figure(const store::Store& store, const Selection& selection);
Figure differences_figure(const store::Store& store, const Selection& selection);
Figure line_figure(const store::Store& store, const Selection& selection);
Figure paths_figure(const store::Store& store, const Selection& selection);
Figure cost_figure(const store::Store& store, const Selection& selection);

}  // namespace unmask::results
