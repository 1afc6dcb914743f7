#pragma once
// Figures of a study for papers: what they show (figure.cpp and figure_*.cpp, from the database), and
// how gnuplot draws it (gnuplot.cpp). The data behind a figure is a table of its own.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/selection.hpp"
#include "store/store.hpp"
#include "table/table.hpp"

namespace unmask::results {

/// A point with its interval; without one both ends are empty.
struct Point {
  double x = 0;
  double y = 0;
  std::optional<double> lower, upper;
};

struct Curve {
  std::string title;
  std::vector<Point> points;
};

/// A field of a heat map.
struct Tile {
  std::size_t row = 0, column = 0;
  double value = 0;
};

enum class Shape {
  kBars,  ///< groups of bars with intervals: `categories` are the groups, a point's x is its group
  kCurves,  ///< lines with bands
  kDots,    ///< marks with intervals over categories
  kLadder,  ///< marks joined by lines over categories
  kTiles,   ///< a heat map of named rows and columns with its numbers
  kSurface  ///< a heat map of two axes from -1 to 1, with contour lines of a colour scale
};

/// One drawing of a figure.
struct Panel {
  std::string title;
  std::string x_label, y_label;         ///< with units; empty: those of the figure
  std::vector<Curve> curves;            ///< of all shapes but heat maps
  std::vector<std::string> categories;  ///< names along x; of tiles: columns
  std::vector<std::string> rows;        ///< of tiles
  std::vector<Tile> tiles;              ///< of heat maps
  std::size_t size = 0;                 ///< of a surface: points of each side
  bool is_log_x = false;
};

struct Figure {
  std::string title;
  Shape shape = Shape::kCurves;
  std::string x_label, y_label, value_label;  ///< value_label: of the colour scale of heat maps
  bool is_share = false;                      ///< y (or the colour) lies in [0, 1]
  std::vector<Panel> panels;
  std::string excess = {};  ///< why this is a part of it; empty: this is all
};

/// A figure by name.
struct FigureKind {
  std::string_view name;
  std::string_view shows;  ///< one line
  Figure (*make)(const store::Store& store, const Selection& selection);
};

/// In the order in which to list them.
std::span<const FigureKind> figure_kinds();

/// @throws UsageError that lists the names
const FigureKind& find_figure(const std::string& name);

/// What becomes of more than can be told apart: 12 panels, 16 curves each, 60 categories.
enum class Excess {
  kRefuse,
  kLeaveOut  ///< the first ones are shown, `excess` says that there are more
};

/// Read what a figure shows.
/// @throws UsageError when nothing matches, or too much does
Figure make_figure(const FigureKind& kind,
                   const store::Store& store,
                   const Selection& selection,
                   Excess excess = Excess::kRefuse);

/// The data of a figure: a row for each point or tile.
table::Table figure_table(const Figure& figure);

enum class FigureFormat { kSvg, kPdf, kPng };

/// Draw with gnuplot, which must be on PATH.
/// @return the bytes of the file
/// @throws UsageError when there is no gnuplot, DataError with its words when it fails
std::string draw(const Figure& figure, FigureFormat format);

/// What draw() gives gnuplot on its standard input; the picture comes from its standard output. Names
/// stand there in quotes, as printable characters, shortened: whatever a name is, it is no command.
std::string gnuplot_script(const Figure& figure, FigureFormat format);

}  // namespace unmask::results
