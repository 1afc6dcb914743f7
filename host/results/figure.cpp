#include "results/figure.hpp"

#include <algorithm>
#include <cmath>

#include "results/figure_parts.hpp"
#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

constexpr FigureKind kFigureKinds[] = {
    {"robustness",
     "accuracy without and under each attack, a group of bars per network",
     robustness_figure},
    {"accuracy-epsilon",
     "accuracy over the radius of the attack, with 95 % Wilson bands",
     epsilon_figure},
    {"gradient-matrix",
     "accuracy under an attack by evaluation solver and gradient solver",
     gradients_figure},
    {"elasticity",
     "accuracy over steps, step size, queries or restarts of an attack",
     elasticity_figure},
    {"solver-ladder",
     "accuracy of the same weights under several evaluation solvers",
     ladder_figure},
    {"seeds", "accuracy of each seed, with mean and range", seeds_figure},
    {"training", "loss, accuracy and learning rate over epochs", training_figure},
    {"landscape",
     "the loss around images, along the gradient and a random direction",
     landscape_figure},
    {"gradient-cosine",
     "samples by the cosine between their gradient and another one: alone, of other rules, of "
     "queries",
     cosines_figure},
    {"leak-ratio",
     "samples by how much of their gradient in a batch belongs to other images",
     leaks_figure},
    {"finite-differences",
     "cosine between the gradient and differences of the loss, over the step of these",
     differences_figure},
    {"loss-line", "the loss from an image along its gradient", line_figure},
    {"attack-path", "mean margin of traced samples over the steps of attacks", paths_figure},
    {"attack-cost", "samples that each attack fooled over the passes that it took", cost_figure}};

constexpr std::size_t kMostPanels = 12;
constexpr std::size_t kMostCurves = 16;
constexpr std::size_t kMostCategories = 60;

// Too much for one figure, in words; empty: it can be drawn.
std::string excess(const Figure& figure) {
  const auto too_many = [](std::size_t n, const std::string& what, std::size_t most) {
    return n <= most
               ? std::string()
               : "the figure would have " + std::to_string(n) + " " + what + ", of which at most " +
                     std::to_string(most) + " can be told apart: narrow it with a FILTER";
  };
  std::string reason = too_many(figure.panels.size(), "panels", kMostPanels);
  for (const Panel& panel : figure.panels) {
    if (reason.empty()) reason = too_many(panel.curves.size(), "curves", kMostCurves);
    const std::size_t categories = std::max(panel.categories.size(), panel.rows.size());
    if (reason.empty()) reason = too_many(categories, "names", kMostCategories);
  }
  return reason;
}

template <typename T>
void keep_first(std::vector<T>& values, std::size_t most) {
  if (values.size() > most)
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(most), values.end());
}

void leave_out_excess(Figure& figure) {
  keep_first(figure.panels, kMostPanels);
  for (Panel& panel : figure.panels) {
    keep_first(panel.curves, kMostCurves);
    keep_first(panel.categories, kMostCategories);
    keep_first(panel.rows, kMostCategories);
    if (!panel.categories.empty()) {
      for (Curve& curve : panel.curves) {
        std::erase_if(curve.points, [&](const Point& p) {
          return p.x >= static_cast<double>(panel.categories.size());
        });
      }
    }
    if (!panel.rows.empty()) {
      std::erase_if(panel.tiles, [&](const Tile& tile) {
        return tile.row >= panel.rows.size() || tile.column >= panel.categories.size();
      });
    }
  }
}

bool has_marks(const Panel& panel) {
  return !panel.tiles.empty() || std::any_of(panel.curves.begin(),
                                             panel.curves.end(),
                                             [](const Curve& c) { return !c.points.empty(); });
}

// SQLite has no NaN, but an infinite value would leave the picture.
void drop_what_is_not_finite(Figure& figure) {
  for (Panel& panel : figure.panels) {
    for (Curve& curve : panel.curves) {
      std::erase_if(curve.points,
                    [](const Point& p) { return !std::isfinite(p.x) || !std::isfinite(p.y); });
    }
    std::erase_if(panel.curves, [](const Curve& curve) { return curve.points.empty(); });
    std::erase_if(panel.tiles, [](const Tile& tile) { return !std::isfinite(tile.value); });
  }
  std::erase_if(figure.panels, [](const Panel& panel) { return !has_marks(panel); });
}

table::Value optional_real(const std::optional<double>& value) {
  return value ? table::Value(*value) : table::Value();
}

std::string name_at(const std::vector<std::string>& names, double index) {
  const auto i = static_cast<std::size_t>(std::max(0.0, std::floor(index)));
  return i < names.size() ? names[i] : "";
}

table::Table tiles_table(const Figure& figure) {
  table::Table table{{"panel", "row", "column", "value"}, {}};
  for (const Panel& panel : figure.panels) {
    const auto place = [&](std::size_t i, const std::vector<std::string>& names) {
      if (i < names.size()) return table::Value(names[i]);
      // A surface: from -1 to 1.
      return table::Value(2.0 * static_cast<double>(i) / static_cast<double>(panel.size - 1) - 1);
    };
    for (const Tile& tile : panel.tiles) {
      table.rows.push_back({panel.title,
                            place(tile.row, panel.rows),
                            place(tile.column, panel.categories),
                            tile.value});
    }
  }
  return table;
}

}  // namespace

std::span<const FigureKind> figure_kinds() {
  return kFigureKinds;
}

const FigureKind& find_figure(const std::string& name) {
  std::vector<std::string> names;
  for (const FigureKind& kind : kFigureKinds) {
    if (kind.name == name) return kind;
    names.emplace_back(kind.name);
  }
  throw UsageError("no figure is named \"" + name + "\"\n" +
                   words::help_for_unknown(name, names, "figures"));
}

Figure make_figure(const FigureKind& kind,
                   const store::Store& store,
                   const Selection& selection,
                   Excess what_of_it) {
  Figure figure = kind.make(store, selection);
  drop_what_is_not_finite(figure);
  if (figure.panels.empty()) {
    throw UsageError("nothing of the database that matches the filter can be shown as \"" +
                     std::string(kind.name) + "\" (" + std::string(kind.shows) + ")");
  }
  figure.excess = excess(figure);
  if (what_of_it == Excess::kRefuse && !figure.excess.empty()) throw UsageError(figure.excess);
  leave_out_excess(figure);
  return figure;
}

table::Table figure_table(const Figure& figure) {
  if (figure.shape == Shape::kTiles || figure.shape == Shape::kSurface) return tiles_table(figure);
  table::Table table{{"panel", "curve", "x", "y", "lower", "upper"}, {}};
  const bool has_categories = figure.shape != Shape::kCurves;
  for (const Panel& panel : figure.panels) {
    for (const Curve& curve : panel.curves) {
      for (const Point& p : curve.points) {
        table.rows.push_back(
            {panel.title,
             curve.title,
             has_categories ? table::Value(name_at(panel.categories, p.x)) : table::Value(p.x),
             p.y,
             optional_real(p.lower),
             optional_real(p.upper)});
      }
    }
  }
  return table;
}

}  // namespace unmask::results
