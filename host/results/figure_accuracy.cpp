// Figures of accuracies: bars, curves over the radius, heat maps, ladders, seeds.

#include <algorithm>
#include <cmath>
#include <map>

#include "results/figure_parts.hpp"
#include "verdict/statistics.hpp"

namespace unmask::results {
namespace {

using NameList = std::vector<std::string_view>;

constexpr const char* kAccuracyLabel = "accuracy (share of samples)";
constexpr const char* kAllAttacks = "all attacks";

std::size_t place_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  names.push_back(name);
  return names.size() - 1;
}

std::vector<LabelledRow> worst_case_rows(const store::Store& store, const Selection& selection) {
  return labelled_rows(
      store,
      "SELECT a.study, a.dataset, a.model, a.objective, a.train_solver, a.train_seed, a.solver, "
      "NULL, "
      "NULL, '" +
          std::string(kAllAttacks) +
          "', a.norm, a.epsilon_text, NULL, a.epsilon, a.robust_accuracy, a.lower, "
          "a.upper, a.clean_accuracy, a.n, a.robust_correct, 0, a.checkpoint_cell_id FROM "
          "worst_case a "
          "WHERE a.n > 0 ORDER BY a.study, a.checkpoint_cell_id, a.solver, a.norm, a.epsilon",
      selection);
}

bool is_attacked(const LabelledRow& row) {
  return number(row, kEpsilon) > 0;
}

std::vector<LabelledRow> attacked_rows(const store::Store& store, const Selection& selection) {
  std::vector<LabelledRow> rows = accuracy_rows(store, selection);
  std::erase_if(rows, [](const LabelledRow& row) { return !is_attacked(row); });
  return rows;
}

// Before the single attacks what they take together: it has the same colour in every panel, and
// where not all fit, it is not left out.
std::vector<Grouping::Group> in_order_of_interest(const Grouping& attacks) {
  std::vector<Grouping::Group> ordered = attacks.groups();
  std::stable_partition(ordered.begin(), ordered.end(), [](const Grouping::Group& group) {
    const LabelledRow& first = *group.rows.front();
    return !is_attacked(first) || first.labels[axis_index("attack")] == kAllAttacks;
  });
  return ordered;
}

Point clean_point(const LabelledRow& row) {
  const double share = number(row, kClean);
  const auto n = static_cast<std::int64_t>(number(row, kN));
  const auto k = static_cast<std::int64_t>(std::lround(share * static_cast<double>(n)));
  const verdict::Interval interval = verdict::wilson(k, n);
  return {0, share, interval.lower, interval.upper};
}

double mean_of(const std::vector<const LabelledRow*>& rows) {
  double sum = 0;
  for (const LabelledRow* row : rows) sum += number(*row, kRobust);
  return sum / static_cast<double>(rows.size());
}

}  // namespace

std::vector<LabelledRow> accuracy_rows(const store::Store& store, const Selection& selection) {
  return labelled_rows(
      store,
      "SELECT " + label_columns("a", "attack") +
          ", a.epsilon, a.robust_accuracy, a.lower, a.upper, a.clean_accuracy, a.n, "
          "a.robust_correct, a.cell_id, a.checkpoint_cell_id FROM accuracy a JOIN "
          "labelled_cell l ON l.cell_id = a.cell_id AND l.study = a.study AND NOT "
          "l.is_alias WHERE NOT a.is_alias ORDER BY a.study, l.place",
      selection);
}

Point accuracy_point(const LabelledRow& row, double x) {
  return {x, number(row, kRobust), real_of(row.rest[kLower]), real_of(row.rest[kUpper])};
}

Figure robustness_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"robustness", Shape::kBars, "network", kAccuracyLabel, "", true, {}};
  std::vector<LabelledRow> rows = accuracy_rows(store, selection);
  for (LabelledRow& row : worst_case_rows(store, selection)) rows.push_back(std::move(row));
  // Whatever their radius and norm, clean answers are one group of bars.
  for (LabelledRow& row : rows) {
    if (is_attacked(row)) continue;
    for (const char* axis : {"norm", "epsilon", "gradient", "seed", "source"}) {
      row.labels[axis_index(axis)].clear();
    }
  }
  Panel panel;
  const Grouping networks(rows, kNetworkAxes);
  const Grouping attacks(rows, kAttackAxes);
  std::map<const LabelledRow*, std::size_t> network_of;
  for (std::size_t i = 0; i < networks.groups().size(); ++i) {
    panel.categories.push_back(networks.groups()[i].name);
    for (const LabelledRow* row : networks.groups()[i].rows) network_of[row] = i;
  }
  for (const Grouping::Group& attack : in_order_of_interest(attacks)) {
    Curve curve{attack.name, {}};
    for (const LabelledRow* row : attack.rows) {
      curve.points.push_back(accuracy_point(*row, static_cast<double>(network_of.at(row))));
    }
    panel.curves.push_back(std::move(curve));
  }
  figure.panels.push_back(std::move(panel));
  return figure;
}

Figure epsilon_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"accuracy over the radius",
                Shape::kCurves,
                "radius of the attack, epsilon (pixels from 0 to 1)",
                kAccuracyLabel,
                "",
                true,
                {}};
  std::vector<LabelledRow> rows = attacked_rows(store, selection);
  for (LabelledRow& row : worst_case_rows(store, selection)) rows.push_back(std::move(row));
  NameList panel_axes = kNetworkAxes;
  panel_axes.emplace_back("norm");
  const Grouping panels(rows, panel_axes);
  for (const Grouping::Group& group : panels.groups()) {
    std::vector<LabelledRow> of_panel;
    for (const LabelledRow* row : group.rows) of_panel.push_back(*row);
    Panel panel;
    panel.title = group.name;
    const Grouping curves(of_panel, axes_without(kAttackAxes, {"norm", "epsilon"}));
    for (const Grouping::Group& of_curve : in_order_of_interest(curves)) {
      Curve curve{of_curve.name, {}};
      // Nothing to attack with: the answers without it, of as many samples.
      curve.points.push_back(clean_point(*of_curve.rows.front()));
      for (const LabelledRow* row : of_curve.rows) {
        curve.points.push_back(accuracy_point(*row, number(*row, kEpsilon)));
      }
      std::sort(curve.points.begin(), curve.points.end(), [](const Point& a, const Point& b) {
        return a.x < b.x;
      });
      panel.curves.push_back(std::move(curve));
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure gradients_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"gradient matrix",
                Shape::kTiles,
                "gradient taken through",
                "answers given by",
                kAccuracyLabel,
                true,
                {}};
  const std::vector<LabelledRow> rows = attacked_rows(store, selection);
  NameList panel_axes = {"study", "dataset", "model", "objective", "train_seed", "train_solver"};
  for (const std::string_view axis : axes_without(kAttackAxes, {"gradient"})) {
    panel_axes.push_back(axis);
  }
  for (const Grouping::Group& group : Grouping(rows, panel_axes).groups()) {
    Panel panel;
    panel.title = group.name;
    for (const LabelledRow* row : group.rows) {
      const std::string& gradient = row->labels[axis_index("gradient")];
      const std::size_t r = place_of(panel.rows, row->labels[axis_index("solver")]);
      const std::size_t c = place_of(panel.categories, gradient == "@eval" ? "its own" : gradient);
      panel.tiles.push_back({r, c, number(*row, kRobust)});
    }
    // Where all take one gradient there is nothing to compare.
    if (panel.categories.size() > 1) figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure ladder_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"solver ladder", Shape::kLadder, "evaluation solver", kAccuracyLabel, "", true, {}};
  const std::vector<LabelledRow> rows = accuracy_rows(store, selection);
  for (const Grouping::Group& group :
       Grouping(rows, axes_without(kNetworkAxes, {"solver"})).groups()) {
    std::vector<LabelledRow> of_panel;
    for (const LabelledRow* row : group.rows) of_panel.push_back(*row);
    Panel panel;
    panel.title = group.name;
    for (const LabelledRow& row : of_panel) {
      place_of(panel.categories, row.labels[axis_index("solver")]);
    }
    if (panel.categories.size() < 2) continue;
    for (const Grouping::Group& of_curve : Grouping(of_panel, kAttackAxes).groups()) {
      Curve curve{of_curve.name, {}};
      for (const LabelledRow* row : of_curve.rows) {
        const auto x = place_of(panel.categories, row->labels[axis_index("solver")]);
        curve.points.push_back(accuracy_point(*row, static_cast<double>(x)));
      }
      panel.curves.push_back(std::move(curve));
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure seeds_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"seeds", Shape::kDots, "attack", kAccuracyLabel, "", true, {}};
  const std::vector<LabelledRow> rows = accuracy_rows(store, selection);
  for (const Grouping::Group& group :
       Grouping(rows, axes_without(kNetworkAxes, {"train_seed"})).groups()) {
    std::vector<LabelledRow> of_panel;
    for (const LabelledRow* row : group.rows) of_panel.push_back(*row);
    Panel panel;
    panel.title = group.name;
    Curve each{"one seed", {}};
    Curve mean{"mean and range", {}};
    for (const Grouping::Group& of_attack :
         Grouping(of_panel, axes_without(kAttackAxes, {"seed"})).groups()) {
      if (of_attack.rows.size() < 2) continue;
      const auto x = static_cast<double>(panel.categories.size());
      panel.categories.push_back(of_attack.name);
      double least = 1;
      double largest = 0;
      for (const LabelledRow* row : of_attack.rows) {
        least = std::min(least, number(*row, kRobust));
        largest = std::max(largest, number(*row, kRobust));
        each.points.push_back({x, number(*row, kRobust), {}, {}});
      }
      mean.points.push_back({x, mean_of(of_attack.rows), least, largest});
    }
    panel.curves = {std::move(mean), std::move(each)};
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

}  // namespace unmask::results
