// Figures of what gradients are like and what attacks cost: histograms and curves of probes and traces.

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "results/figure_parts.hpp"

namespace unmask::results {
namespace {

constexpr const char* kSamplesLabel = "samples";

// Rows of one panel, copied: groups of groups need rows side by side.
std::vector<LabelledRow> rows_of(const Grouping::Group& group) {
  std::vector<LabelledRow> rows;
  for (const LabelledRow* row : group.rows) rows.push_back(*row);
  return rows;
}

std::vector<std::string_view> all_axes() {
  std::vector<std::string_view> axes = kNetworkAxes;
  axes.insert(axes.end(), kAttackAxes.begin(), kAttackAxes.end());
  return axes;
}

// Values per sample of probes, and what they are called.
struct Measure {
  std::string_view name;  // of sample_metric
  const char* title;
};

// Fields of a histogram: the first holds what lies below edges[0], the last what does not lie below
// the last edge.
struct Fields {
  std::vector<double> edges;
  std::vector<std::string> names;
};

// Samples counted: a panel for each network, a group of bars for each field, a bar for each value.
// One statement counts, so that a million samples are a few rows here.
Figure histogram(const store::Store& store,
                 const Selection& selection,
                 Figure figure,
                 const std::string& which,
                 const Fields& fields) {
  std::string field = "CASE";
  for (std::size_t i = 0; i < fields.edges.size(); ++i) {
    field += " WHEN m.value < " + text_of(fields.edges[i]) + " THEN " + std::to_string(i);
  }
  field += " ELSE " + std::to_string(fields.edges.size()) + " END";
  // An infinite ratio has no number, but lies above all others.
  const std::vector<LabelledRow> rows = labelled_rows(
      store,
      "SELECT " + label_columns("l", "method") + ", m.name, " + field +
          " AS field, count(*) FROM labelled_cell l JOIN sample_metric m ON m.cell_id = l.cell_id "
          "WHERE l.kind = 'probe' AND NOT l.is_alias AND (m.value IS NOT NULL OR m.flag = 'inf') "
          "AND (" +
          which + ") GROUP BY l.study, l.place, m.name, field ORDER BY l.study, l.place, m.name",
      selection);
  for (const Grouping::Group& group : Grouping(rows, all_axes()).groups()) {
    Panel panel;
    panel.title = group.name;
    panel.categories = fields.names;
    std::map<std::string, std::map<std::size_t, double>> counts;
    for (const LabelledRow* row : group.rows) {
      counts[text_of(row->rest[0])][static_cast<std::size_t>(number(*row, 1))] += number(*row, 2);
    }
    for (const auto& [name, of_field] : counts) {
      Curve curve{name, {}};
      for (std::size_t i = 0; i < fields.names.size(); ++i) {
        const auto found = of_field.find(i);
        const double count = found == of_field.end() ? 0 : found->second;
        curve.points.push_back({static_cast<double>(i), count, {}, {}});
      }
      panel.curves.push_back(std::move(curve));
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

// Curves of single samples that probes record as `name`.SAMPLE: a panel for each network.
Figure sample_curves(const store::Store& store,
                     const Selection& selection,
                     Figure figure,
                     const std::string& name,
                     const std::vector<std::string>& categories) {
  const std::string after = std::to_string(name.size() + 2);  // the first digit, from 1
  const std::vector<LabelledRow> rows = labelled_rows(
      store,
      "SELECT " + label_columns("l", "method") + ", substr(s.name, " + after +
          ") AS sample, s.step, s.value FROM labelled_cell l JOIN series s ON s.cell_id = "
          "l.cell_id AND s.name GLOB '" +
          name +
          ".*' WHERE l.kind = 'probe' AND NOT l.is_alias AND s.value IS NOT NULL ORDER BY "
          "l.study, l.place, length(s.name), s.name, s.step",
      selection);
  for (const Grouping::Group& group : Grouping(rows, all_axes()).groups()) {
    Panel panel;
    panel.title = group.name;
    panel.categories = categories;
    for (const LabelledRow* row : group.rows) {
      const std::string title = "sample " + text_of(row->rest[0]);
      if (panel.curves.empty() || panel.curves.back().title != title) {
        panel.curves.push_back({title, {}});
      }
      const double step = number(*row, 1) - 1;
      if (!categories.empty() && step >= static_cast<double>(categories.size())) continue;
      panel.curves.back().points.push_back({step, number(*row, 2), {}, {}});
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

// A panel for every network and radius, a curve for every attack on it, of rows (x, y).
std::vector<Panel> panels_of_attacks(const std::vector<LabelledRow>& rows) {
  std::vector<std::string_view> panel_axes = kNetworkAxes;
  panel_axes.insert(panel_axes.end(), {"norm", "epsilon"});
  const auto curve_axes = axes_without(kAttackAxes, {"norm", "epsilon"});
  std::vector<Panel> panels;
  for (const Grouping::Group& group : Grouping(rows, panel_axes).groups()) {
    Panel panel;
    panel.title = group.name;
    const std::vector<LabelledRow> of_panel = rows_of(group);
    for (const Grouping::Group& attack : Grouping(of_panel, curve_axes).groups()) {
      Curve curve{attack.name, {}};
      if (curve.title.empty()) curve.title = attack.rows.front()->labels[axis_index("attack")];
      for (const LabelledRow* row : attack.rows) {
        curve.points.push_back({number(*row, 0), number(*row, 1), {}, {}});
      }
      panel.curves.push_back(std::move(curve));
    }
    panels.push_back(std::move(panel));
  }
  return panels;
}

}  // namespace

Figure cosines_figure(const store::Store& store, const Selection& selection) {
  Fields fields;
  for (int i = 1; i < 10; ++i) fields.edges.push_back((i - 5) / 5.0);
  for (const char* name : {"-1 to -0.8",
                           "-0.8 to -0.6",
                           "-0.6 to -0.4",
                           "-0.4 to -0.2",
                           "-0.2 to 0",
                           "0 to 0.2",
                           "0.2 to 0.4",
                           "0.4 to 0.6",
                           "0.6 to 0.8",
                           "0.8 to 1"}) {
    fields.names.emplace_back(name);
  }
  return histogram(
      store,
      selection,
      {"cosine between gradients", Shape::kBars, "cosine", kSamplesLabel, "", false, {}},
      "m.name IN ('batch_cosine', 'batch_cosine_margin') OR m.name GLOB 'cosine_*' OR "
      "m.name GLOB 'spsa_cosine_*'",
      fields);
}

Figure leaks_figure(const store::Store& store, const Selection& selection) {
  return histogram(store,
                   selection,
                   {"leak ratio",
                    Shape::kBars,
                    "what other images add to a gradient, over its own part",
                    kSamplesLabel,
                    "",
                    false,
                    {}},
                   "m.name IN ('leak_ratio', 'leak_ratio_margin')",
                   {{0.01, 0.1, 0.3, 1, 3, 10},
                    {"below 0.01",
                     "0.01 to 0.1",
                     "0.1 to 0.3",
                     "0.3 to 1",
                     "1 to 3",
                     "3 to 10",
                     "10 and more"}});
}

Figure differences_figure(const store::Store& store, const Selection& selection) {
  return sample_curves(store,
                       selection,
                       {"gradient against finite differences",
                        Shape::kLadder,
                        "step (share of the radius)",
                        "cosine",
                        "",
                        false,
                        {}},
                       "fd_agreement",
                       {"0.001", "0.01", "0.1"});
}

Figure line_figure(const store::Store& store, const Selection& selection) {
  return sample_curves(store,
                       selection,
                       {"loss along the gradient",
                        Shape::kCurves,
                        "segments from the image towards the ball's surface",
                        "loss",
                        "",
                        false,
                        {}},
                       "path_loss",
                       {});
}

Figure paths_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"margin along attacks",
                Shape::kCurves,
                "step of the attack",
                "mean margin (above 0: fooled)",
                "",
                false,
                {}};
  const std::vector<LabelledRow> rows = labelled_rows(
      store,
      "SELECT " + label_columns("l", "method") +
          ", s.step, avg(s.value) FROM labelled_cell l JOIN series s ON s.cell_id = l.cell_id "
          "AND s.name GLOB 'trace_margin.*' WHERE l.kind = 'attack' AND NOT l.is_alias AND s.value "
          "IS NOT NULL GROUP BY l.study, l.place, s.step ORDER BY l.study, l.place, s.step",
      selection);
  for (Panel& panel : panels_of_attacks(rows)) {
    // The first step is the start.
    for (Curve& curve : panel.curves) {
      for (Point& point : curve.points) point.x -= 1;
    }
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

Figure cost_figure(const store::Store& store, const Selection& selection) {
  Figure figure{"what attacks cost and find",
                Shape::kCurves,
                "samples passed forward and differentiated",
                "samples fooled",
                "",
                false,
                {}};
  const std::vector<LabelledRow> rows = labelled_rows(
      store,
      "SELECT " + label_columns("l", "method") +
          ", a.forwards + a.backwards, e.n_fooled FROM labelled_cell l JOIN attack_effort e ON "
          "e.cell_id = l.cell_id JOIN attempt a ON a.cell_id = l.cell_id AND a.state = 'done' "
          "WHERE l.kind = 'attack' AND l.epsilon > 0 AND NOT l.is_alias AND a.forwards + "
          "a.backwards > 0 ORDER BY l.study, l.place",
      selection);
  for (Panel& panel : panels_of_attacks(rows)) {
    double least = panel.curves.front().points.front().x, largest = least;
    for (const Curve& curve : panel.curves) {
      for (const Point& point : curve.points) {
        least = std::min(least, point.x);
        largest = std::max(largest, point.x);
      }
    }
    panel.is_log_x = largest >= 3 * least;
    figure.panels.push_back(std::move(panel));
  }
  return figure;
}

}  // namespace unmask::results
