// Figures of what is not an accuracy of the view: elasticity, training curves, landscapes.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <set>

#include "results/figure_parts.hpp"
#include "verdict/statistics.hpp"

namespace unmask::results {
namespace {

constexpr const char* kShareLabel = "accuracy (share of samples)";

// What of a training is drawn, in this order, and with which axis.
struct TrainingCurve {
  std::string_view series;
  const char* label;
};
constexpr TrainingCurve kTrainingCurves[] = {{"train_loss", "training loss"},
                                             {"train_accuracy", "training accuracy (share)"},
                                             {"validation_loss", "validation loss"},
                                             {"validation_accuracy", "validation accuracy (share)"},
                                             {"learning_rate", "learning rate"},
                                             {"nfe_forward", "vector-field evaluations, forward"},
                                             {"rejected_steps", "rejected steps"}};

std::vector<LabelledRow> copies(const std::vector<const LabelledRow*>& rows) {
  std::vector<LabelledRow> result;
  result.reserve(rows.size());
  for (const LabelledRow* row : rows) result.push_back(*row);
  return result;
}

// Groups of rows by the text of one column behind the labels.
std::map<std::string, std::vector<LabelledRow>> by_text(std::vector<LabelledRow> rows,
                                                        std::size_t column) {
  std::map<std::string, std::vector<LabelledRow>> result;
  for (LabelledRow& row : rows) {
    const std::string text = text_of(row.rest[column]);
    result[text].push_back(std::move(row));
  }
  return result;
}

}  // namespace

double number(const LabelledRow& row, std::size_t column) {
  return real_of(row.rest.at(column)).value_or(0);
}

std::vector<std::string_view> axes_without(const std::vector<std::string_view>& axes,
                                           const std::vector<std::string_view>& gone) {
  std::vector<std::string_view> result;
  std::copy_if(axes.begin(), axes.end(), std::back_inserter(result), [&](std::string_view axis) {
    return std::find(gone.begin(), gone.end(), axis) == gone.end();
  });
  return result;
}

Grouping::Grouping(const std::vector<LabelledRow>& rows,
                   const std::vector<std::string_view>& axes) {
  // A worst case has no seed, a clean answer no radius: where all others agree, that needs no name.
  std::map<std::size_t, std::set<std::string>> values;
  std::vector<std::size_t> differing;
  for (const std::string_view axis : axes) {
    const std::size_t a = axis_index(axis);
    bool differs = false;
    for (const LabelledRow& row : rows) {
      if (!row.labels[a].empty()) values[a].insert(row.labels[a]);
      differs = differs || row.labels[a] != rows.front().labels[a];
    }
    if (differs) differing.push_back(a);
  }
  std::map<std::vector<std::string>, std::size_t> places;
  for (const LabelledRow& row : rows) {
    std::vector<std::string> key;
    std::string name;
    for (const std::size_t axis : differing) {
      const std::string& label = row.labels[axis];
      key.push_back(label);
      // What is left out by default goes without saying.
      if (label.empty() || label == "@eval" || label == "@self" || values[axis].size() < 2)
        continue;
      const bool is_seed = kAxes[axis] == "seed" || kAxes[axis] == "train_seed";
      const bool is_solver = kAxes[axis] == "solver";
      const bool is_gradient = kAxes[axis] == "gradient";
      if (is_solver && label == row.labels[axis_index("train_solver")]) continue;
      name += (name.empty() ? "" : ", ") +
              std::string(is_seed       ? "seed "
                          : is_gradient ? "via "
                          : is_solver   ? "under "
                                        : "") +
              label;
    }
    const auto [at, is_new] = places.try_emplace(key, groups_.size());
    if (is_new) groups_.push_back({name, {}});
    groups_[at->second].rows.push_back(&row);
  }
}

Figure elasticity_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"elasticity", Shape::kCurves, "", kShareLabel, "", true, {}};
  const std::vector<LabelledRow> rows = labelled_rows(
      store,
      "WITH varied AS (SELECT a.*, p.key AS parameter, p.value AS x, json_remove(c.spec_json, "
      "'$.attack.params.' || p.key) AS others FROM accuracy a JOIN cell c ON c.id = a.cell_id, "
      "json_each(c.spec_json, '$.attack.params') p WHERE NOT a.is_alias AND p.key IN ('steps', "
      "'step_size', 'queries', 'restarts') AND typeof(p.value) IN ('integer', 'real')), "
      "families AS (SELECT *, count(*) OVER (PARTITION BY study, parameter, others) AS members "
      "FROM "
      "varied) SELECT " +
          label_columns("a", "attack") +
          ", a.parameter, a.others, a.x, a.robust_correct, a.n FROM families a WHERE a.members > 1 "
          "ORDER BY a.study, a.parameter, a.others, a.x",
      selection);
  for (const auto& [parameter, of_panel] : by_text(rows, 0)) {
    Panel panel;
    panel.title = parameter;
    panel.x_label = parameter == "step_size" ? "step size (share of the pixel range)"
                    : parameter == "queries" ? "queries per sample"
                                             : parameter + " of the attack";
    std::vector<LabelledRow> firsts;  // one row for each curve: the names tell these apart
    const auto families = by_text(of_panel, 1);
    firsts.reserve(families.size());
    for (const auto& [others, of_family] : families) {
      firsts.push_back(of_family.front());
    }
    std::vector<std::string_view> axes = kNetworkAxes;
    axes.insert(axes.end(), kAttackAxes.begin(), kAttackAxes.end());
    const Grouping names(firsts, axes);
    std::map<const LabelledRow*, std::string> name_of;
    for (const Grouping::Group& group : names.groups()) {
      for (const LabelledRow* row : group.rows) name_of[row] = group.name;
    }
    double least = 0;
    double largest = 0;
    std::size_t i = 0;
    for (const auto& [others, of_family] : families) {
      const std::string& name = name_of.at(&firsts[i++]);
      Curve curve{name.empty() ? of_family.front().labels[axis_index("attack")] : name, {}};
      for (const LabelledRow& row : of_family) {
        const auto k = static_cast<std::int64_t>(number(row, 3));
        const auto n = static_cast<std::int64_t>(number(row, 4));
        const verdict::Interval interval = verdict::wilson(k, n);
        const double x = number(row, 2);
        curve.points.push_back(
            {x, static_cast<double>(k) / static_cast<double>(n), interval.lower, interval.upper});
        least = least == 0 ? x : std::min(least, x);
        largest = std::max(largest, x);
      }
      panel.curves.push_back(std::move(curve));
    }
    panel.is_log_x = least > 0 && largest >= 10 * least;
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure training_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"training", Shape::kCurves, "epoch", "", "", false, {}};
  const std::vector<LabelledRow> rows = labelled_rows(
      store,
      "SELECT " + label_columns("l", "method") +
          ", s.name, l.cell_id, s.step, s.value FROM labelled_cell l JOIN series s ON s.cell_id = "
          "l.cell_id WHERE l.kind = 'train' AND NOT l.is_alias AND s.value IS NOT NULL "
          "ORDER BY l.study, l.place, s.name, s.step",
      selection);
  const auto by_name = by_text(rows, 0);
  for (const TrainingCurve& drawn : kTrainingCurves) {
    const auto found = by_name.find(std::string(drawn.series));
    if (found == by_name.end()) continue;
    Panel panel;
    panel.y_label = drawn.label;
    const Grouping networks(found->second, kNetworkAxes);
    for (const Grouping::Group& network : networks.groups()) {
      Curve curve{network.name, {}};
      for (const LabelledRow* row : network.rows) {
        curve.points.push_back({number(*row, 2), number(*row, 3), {}, {}});
      }
      panel.curves.push_back(std::move(curve));
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure landscape_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"loss landscape",
                Shape::kSurface,
                "along a random direction (radii)",
                "along the gradient (radii)",
                "loss",
                false,
                {}};
  const std::vector<LabelledRow> rows = labelled_rows(
      store,
      "SELECT " + label_columns("l", "method") +
          ", l.cell_id || ' ' || substr(s.name, 11), substr(s.name, 11), s.step, s.value "
          "FROM labelled_cell l JOIN series s ON s.cell_id = l.cell_id AND s.name GLOB "
          "'landscape.*' "
          "WHERE l.kind = 'probe' AND NOT l.is_alias ORDER BY l.study, l.place, s.name, s.step",
      selection);
  std::vector<std::string_view> axes = kNetworkAxes;
  axes.insert(axes.end(), kAttackAxes.begin(), kAttackAxes.end());
  for (const Grouping::Group& group : Grouping(rows, axes).groups()) {
    for (const auto& [picture, values] : by_text(copies(group.rows), 0)) {
      Panel panel;
      panel.title = group.name + (group.name.empty() ? "sample " : ", sample ") +
                    text_of(values.front().rest[1]);
      panel.size =
          static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(values.size()))));
      if (panel.size < 2 || panel.size * panel.size != values.size()) continue;
      for (const LabelledRow& row : values) {
        const std::optional<double> value = real_of(row.rest[3]);
        const auto i = static_cast<std::size_t>(number(row, 2)) - 1;
        if (value) panel.tiles.push_back({i / panel.size, i % panel.size, *value});
      }
      figure.panels.push_back(std::move(panel));
    }
  }
  return figure;
}

}  // namespace unmask::results
