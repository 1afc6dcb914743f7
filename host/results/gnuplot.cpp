// A figure as a script for gnuplot (5.4 or newer). The script holds all data and every text as a
// quoted string; it names no file and reads none.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "base/child.hpp"
#include "results/figure.hpp"
#include "text/numbers.hpp"
#include "text/utf8.hpp"
#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

// Okabe and Ito (2008): told apart with every colour vision; yellow is left out, which is faint on
// white. The marks differ, too.
constexpr const char* kColours[] = {
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888"};
constexpr int kMarks[] = {7, 5, 9, 13, 11, 6, 4, 8, 12, 10};

// Dark to light, equal steps of lightness, for all colour visions.
constexpr const char* kPalette =
    "set palette defined (0 '#440154', 0.25 '#3b528b', 0.5 '#21908c', 0.75 '#5dc863', 1 "
    "'#fde725')\n";

constexpr std::size_t kLongestText = 60;

// More names than these do not fit above each of several panels; they get a place of their own.
constexpr std::size_t kMostTitlesAbove = 3;

std::string shortened(std::string_view text) {
  std::string result;
  std::size_t length = 0;
  for (std::size_t at = 0; at < text.size();) {
    const words::CodePoint point = words::code_point_at(text, at);
    if (length++ == kLongestText) return result + "...";
    const bool is_control = point.value < 0x20 || (point.value >= 0x7F && point.value < 0xA0);
    if (!point.is_valid) {
      result += '?';
    } else {
      result += is_control ? std::string(" ") : std::string(text.substr(at, point.bytes));
    }
    at += point.bytes;
  }
  return result;
}

// In single quotes gnuplot reads nothing but the quote itself, which is doubled.
std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : shortened(text)) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

// A name in as few lines as its parts, which ", " separates, allow: of at most `width` characters.
std::string lines_of_name(std::string_view text, std::size_t width) {
  std::string result;
  std::string line;
  const auto end_line = [&] {
    if (!result.empty()) result += ".\"\\n\".";
    result += in_quotes(line);
    line.clear();
  };
  for (std::size_t first = 0; first <= text.size();) {
    const std::size_t last = std::min(text.find(", ", first), text.size());
    const std::string_view part = text.substr(first, last - first);
    if (!line.empty() && line.size() + 2 + part.size() > width) end_line();
    line += (line.empty() ? "" : ", ") + std::string(part);
    first = last + 2;
  }
  end_line();
  return result;
}

// The label of a tic is a format of numbers. Its parts stand on lines of their own.
std::string tic_label(const std::string& text) {
  std::string escaped;
  for (const char c : text) escaped += c == '%' ? "%%" : std::string(1, c);
  return lines_of_name(escaped, 0);
}

std::string datum(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? words::number_text(*value) : "?";
}

// What curves are called, over all panels: one of them looks the same everywhere.
std::vector<std::string> titles_of(const Figure& figure) {
  std::vector<std::string> titles;
  for (const Panel& panel : figure.panels) {
    for (const Curve& curve : panel.curves) {
      if (std::find(titles.begin(), titles.end(), curve.title) == titles.end()) {
        titles.push_back(curve.title);
      }
    }
  }
  return titles;
}

struct Layout {
  std::size_t columns = 1, rows = 1;
  bool has_legend_panel = false;
  double width = 640, height = 420;  ///< of one panel, in units of 1/96 inch
};

class Script {
 public:
  Script(const Figure& figure, FigureFormat format) : figure_(figure), titles_(titles_of(figure)) {
    choose_layout();
    print_head(format);
    for (std::size_t i = 0; i < figure.panels.size(); ++i) print_panel(figure.panels[i], i);
    if (layout_.has_legend_panel) print_legend();
    out_ << "unset multiplot\nunset output\n";
  }

  std::string text() const { return out_.str(); }

 private:
  bool is_map() const { return figure_.shape == Shape::kTiles || figure_.shape == Shape::kSurface; }

  void choose_layout() {
    const std::size_t n = figure_.panels.size();
    layout_.has_legend_panel = n > 1 && titles_.size() > kMostTitlesAbove;
    const std::size_t cells = n + (layout_.has_legend_panel ? 1 : 0);
    layout_.columns = cells == 1 ? 1 : cells <= 4 ? 2 : cells <= 9 ? 3 : 4;
    layout_.rows = (cells + layout_.columns - 1) / layout_.columns;
    std::size_t categories = 0;
    for (const Panel& panel : figure_.panels) {
      categories = std::max(categories, panel.categories.size());
    }
    layout_.width = n == 1 ? 640 : 400;
    layout_.height = n == 1 ? 420 : 330;
    if (figure_.shape == Shape::kBars || figure_.shape == Shape::kDots) {
      const auto marks = static_cast<double>(
          categories *
          (figure_.shape == Shape::kBars ? std::max<std::size_t>(titles_.size(), 2) : 4));
      layout_.width = std::min(1600.0, std::max(layout_.width, 260 + 16 * marks));
    }
  }

  void print_head(FigureFormat format) {
    const double width = layout_.width * static_cast<double>(layout_.columns);
    const double height = layout_.height * static_cast<double>(layout_.rows);
    const auto size = [&](double scale) {
      return words::number_text(std::round(width * scale * 100) / 100) + "," +
             words::number_text(std::round(height * scale * 100) / 100);
    };
    out_ << "set encoding utf8\nset terminal ";
    switch (format) {
      case FigureFormat::kSvg:
        out_ << "svg noenhanced size " << size(1)
             << " font 'Helvetica,12' background rgb 'white'\n";
        break;
      case FigureFormat::kPdf:
        out_ << "pdfcairo noenhanced size " << size(1.0 / 96) << " font 'Helvetica,9'\n";
        break;
      case FigureFormat::kPng:
        out_ << "pngcairo noenhanced size " << size(2)
             << " font 'Helvetica,9' fontscale 2 linewidth 2"
             << " pointscale 2 background rgb 'white'\n";
        break;
    }
    out_ << "set datafile missing '?'\nset minussign\nset border 3 lw 0.8\nset tics nomirror out\n"
         << "set grid ytics lw 0.5 lc rgb '#DDDDDD'\nset style fill solid 0.85 noborder\n"
         << kPalette << "set multiplot layout " << layout_.rows << "," << layout_.columns << "\n";
  }

  std::size_t style_of(const Curve& curve) const {
    return static_cast<std::size_t>(std::find(titles_.begin(), titles_.end(), curve.title) -
                                    titles_.begin());
  }

  static std::string colour(std::size_t style) {
    return std::string("lc rgb '") + kColours[style % std::size(kColours)] + "'";
  }
  static std::string mark(std::size_t style) {
    return "pt " + std::to_string(kMarks[style % std::size(kMarks)]);
  }
  // Curves that share a colour differ in their dashes.
  static std::string dash(std::size_t style) {
    return style < std::size(kColours) ? "dt 1" : "dt 2";
  }

  void print_axes(const Panel& panel) {
    out_ << "set title " << lines_of_name(panel.title, static_cast<std::size_t>(layout_.width / 8))
         << " offset 0,-0.4\n";
    out_ << "set xlabel " << in_quotes(panel.x_label.empty() ? figure_.x_label : panel.x_label)
         << "\n";
    out_ << "set ylabel " << in_quotes(panel.y_label.empty() ? figure_.y_label : panel.y_label)
         << "\n";
    out_ << "unset logscale\nset bmargin\nset xtics auto norotate\nset ytics auto\nset autoscale\n";
    if (panel.is_log_x) out_ << "set logscale x\n";
    if (figure_.is_share && !is_map()) out_ << "set yrange [0:1.02]\n";
    if (!panel.categories.empty()) print_categories(panel.categories);
    if (figure_.shape == Shape::kSurface) out_ << "set xrange [-1:1]\nset yrange [-1:1]\n";
    if (is_map()) {
      out_ << "set cblabel " << in_quotes(figure_.value_label) << "\nunset grid\n";
      out_ << (figure_.is_share ? "set cbrange [0:1]\n" : "set cbrange [*:*]\n");
    }
    if (is_map() || titles_.size() < 2 || layout_.has_legend_panel) {
      out_ << "unset key\n";
    } else if (figure_.panels.size() > 1) {
      out_ << "set key above center horizontal samplen 2\n";
    } else {
      out_ << "set key outside right top Left reverse samplen 2 spacing 1.2\n";
    }
  }

  void print_categories(const std::vector<std::string>& categories) {
    std::size_t longest = 0;
    std::size_t lines = 1;
    for (const std::string& name : categories) {
      longest = std::max(longest, name.size());
      std::size_t of_name = 1;
      for (std::size_t at = name.find(", "); at != std::string::npos;
           at = name.find(", ", at + 2)) {
        ++of_name;
      }
      lines = std::max(lines, of_name);
    }
    const double room = layout_.width * 0.75 / static_cast<double>(categories.size());
    const bool turn = static_cast<double>(std::min<std::size_t>(longest, 14)) * 6.5 > room;
    // gnuplot leaves room for a turned name, but for one line only of one that is not.
    out_ << "set xlabel offset 0,0\n";
    if (!turn)
      out_ << "set bmargin " << lines + 3 << "\nset xlabel offset 0,-" << lines - 1 << "\n";
    out_ << "set xrange [-0.6:" << static_cast<double>(categories.size()) - 0.4 << "]\nset xtics "
         << (turn ? "rotate by 35 right " : "norotate center ") << "(";
    for (std::size_t i = 0; i < categories.size(); ++i) {
      out_ << (i > 0 ? ", " : "") << tic_label(categories[i]) << " " << i;
    }
    out_ << ")\n";
  }

  // The rows of a curve: x, y, lower, upper.
  std::string block(const std::string& name, const Curve& curve, double shift) {
    out_ << name << " << EOD\n";
    for (const Point& p : curve.points) {
      out_ << words::number_text(p.x + shift) << " " << words::number_text(p.y) << " "
           << datum(p.lower) << " " << datum(p.upper) << "\n";
    }
    out_ << "EOD\n";
    return name;
  }

  static bool has_interval(const Curve& curve) {
    return std::any_of(curve.points.begin(), curve.points.end(), [](const Point& p) {
      return p.lower && p.upper;
    });
  }

  void print_panel(const Panel& panel, std::size_t index) {
    print_axes(panel);
    if (is_map()) return print_map(panel, index);
    std::vector<std::string> plots;
    const auto n = static_cast<double>(panel.curves.size());
    for (std::size_t c = 0; c < panel.curves.size(); ++c) {
      const Curve& curve = panel.curves[c];
      const double middle = static_cast<double>(c) - (n - 1) / 2;
      const double shift = figure_.shape == Shape::kBars     ? middle * 0.8 / n
                           : figure_.shape == Shape::kLadder ? middle * 0.05
                           : figure_.shape == Shape::kDots   ? middle * 0.16
                                                             : 0;
      const std::string name =
          block("$p" + std::to_string(index) + "c" + std::to_string(c), curve, shift);
      add_plots(curve, name, 0.8 / n, plots);
    }
    out_ << "plot ";
    for (std::size_t i = 0; i < plots.size(); ++i) out_ << (i > 0 ? ", \\\n  " : "") << plots[i];
    out_ << "\n";
  }

  void add_plots(const Curve& curve,
                 const std::string& name,
                 double bar,
                 std::vector<std::string>& plots) const {
    const std::size_t style = style_of(curve);
    const std::string title = " title " + in_quotes(curve.title);
    const std::string bars =
        name + " using 1:3:(0):($4-$3) with vectors heads size graph 0.008,90 lw 1 ";
    if (figure_.shape == Shape::kBars) {
      plots.push_back(name + " using 1:2:(" + words::number_text(bar * 0.9) + ") with boxes " +
                      colour(style) + title);
      if (has_interval(curve)) plots.push_back(bars + "lc rgb '#333333' notitle");
      return;
    }
    if (figure_.shape == Shape::kCurves) {
      if (has_interval(curve)) {
        plots.push_back(name +
                        " using 1:3:4 with filledcurves fs transparent solid 0.15 noborder " +
                        colour(style) + " notitle");
      }
      // Marks on a long curve would hide it.
      const bool is_long = curve.points.size() > 40;
      plots.push_back(name + " using 1:2 with " +
                      (is_long ? "lines " : "linespoints " + mark(style)) + " ps 0.7 lw 1.6 " +
                      dash(style) + " " + colour(style) + title);
      return;
    }
    if (has_interval(curve)) plots.push_back(bars + colour(style) + " notitle");
    plots.push_back(name + " using 1:2 with " +
                    (figure_.shape == Shape::kLadder ? "linespoints " : "points ") + mark(style) +
                    " ps 0.9 lw 1.2 " + dash(style) + " " + colour(style) + title);
  }

  void print_map(const Panel& panel, std::size_t index) {
    const std::string name = "$p" + std::to_string(index);
    const bool is_surface = figure_.shape == Shape::kSurface;
    const double step = is_surface ? 2.0 / static_cast<double>(panel.size - 1) : 1;
    const auto place = [&](std::size_t i) {
      return words::number_text(is_surface ? static_cast<double>(i) * step - 1
                                           : static_cast<double>(i));
    };
    double least = panel.tiles.front().value;
    double largest = least;
    out_ << name << " << EOD\n";
    for (const Tile& tile : panel.tiles) {
      least = std::min(least, tile.value);
      largest = std::max(largest, tile.value);
      out_ << place(tile.column) << " " << place(tile.row) << " " << words::number_text(tile.value)
           << "\n";
    }
    out_ << "EOD\n";
    if (!is_surface) {
      out_ << "set yrange [" << static_cast<double>(panel.rows.size()) - 0.5
           << ":-0.5]\nset xrange [-0.5:" << static_cast<double>(panel.categories.size()) - 0.5
           << "]\nset ytics (";
      for (std::size_t i = 0; i < panel.rows.size(); ++i) {
        out_ << (i > 0 ? ", " : "") << tic_label(panel.rows[i]) << " " << i;
      }
      out_ << ")\n";
    }
    // A scale without extent is refused; a flat landscape is one.
    if (is_surface && least == largest) {
      out_ << "set cbrange [" << words::number_text(least - 1) << ":"
           << words::number_text(largest + 1) << "]\n";
    }
    const std::string half = "(" + words::number_text(step / 2) + ")";
    out_ << "plot " << name << " using 1:2:" << half << ":" << half
         << ":3 with boxxyerror fs solid 1 noborder lc palette notitle";
    if (!is_surface) {
      // Light numbers on dark tiles.
      const double middle = figure_.is_share ? 0.6 : least + 0.6 * (largest - least);
      const std::string at = words::number_text(middle);
      out_ << ", \\\n  " << name << " using 1:2:($3 < " << at
           << " ? sprintf('%.3f', $3) : '') with labels tc rgb 'white' notitle, \\\n  " << name
           << " using 1:2:($3 < " << at
           << " ? '' : sprintf('%.3f', $3)) with labels tc rgb 'black' notitle";
    }
    out_ << "\n";
  }

  // A place of its own for what the curves of all panels are called.
  void print_legend() {
    out_ << "unset title\nunset xlabel\nunset ylabel\nunset border\nunset tics\nunset grid\nunset "
            "logscale\n"
         << "set xrange [0:1]\nset yrange [0:1]\nset key inside center center Left reverse samplen "
            "2 "
            "spacing 1.3\nplot ";
    for (std::size_t i = 0; i < titles_.size(); ++i) {
      const bool has_line = figure_.shape == Shape::kCurves || figure_.shape == Shape::kLadder;
      out_ << (i > 0 ? ", \\\n  " : "") << "NaN with " << (has_line ? "linespoints" : "points")
           << " " << mark(i) << " ps 0.9 lw 1.6 " << dash(i) << " " << colour(i) << " title "
           << in_quotes(titles_[i]);
    }
    out_ << "\n";
  }

  const Figure& figure_;
  std::vector<std::string> titles_;
  Layout layout_;
  std::ostringstream out_;
};

bool is_on_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string file = (folder.empty() ? "." : folder) + "/" + program;
    if (::access(file.c_str(), X_OK) == 0) return true;
  }
  return false;
}

constexpr double kDrawingSeconds = 120;
constexpr std::size_t kLargestPicture = std::size_t{64} << 20;

}  // namespace

std::string gnuplot_script(const Figure& figure, FigureFormat format) {
  return Script(figure, format).text();
}

std::string draw(const Figure& figure, FigureFormat format) {
  if (!is_on_path("gnuplot")) {
    throw UsageError(
        "figures are drawn by gnuplot, which is not on PATH: install it (Debian: apt install "
        "gnuplot-nox), or give --out a name that ends in .csv for the data alone");
  }
  // -d: no settings of the user.
  const base::ChildOutput output = base::run_child(
      {"gnuplot", "-d"}, kDrawingSeconds, kLargestPicture, {}, gnuplot_script(figure, format));
  if (!output.status.is_success() || output.timed_out || output.is_truncated ||
      output.out.empty()) {
    throw DataError("gnuplot did not draw the figure (" + base::describe(output.status) +
                    (output.timed_out ? ", its time was up" : "") +
                    (output.is_truncated ? ", the picture is too large" : "") + "): " + output.err);
  }
  return output.out;
}

}  // namespace unmask::results
