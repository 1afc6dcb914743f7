// What figures show, from the small study (compare_test.cpp lists its outcomes), and that no name
// becomes a command of gnuplot.

#include "results/figure.hpp"

#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::results::figure_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class FigureTest : public ::testing::Test {
 protected:
  FigureTest() { store::testing::run_small_study(store_); }

  Figure figure(const std::string& name, const std::vector<std::string>& filters = {}) const {
    return make_figure(find_figure(name), store_, parse_selection(filters));
  }

  void execute(const std::string& sql) { store_.database().execute("prepare a test", sql); }

  // Rows of a query as sets of texts, since figures have an order of their own.
  std::multiset<std::string> texts(const std::string& sql) const {
    std::multiset<std::string> result;
    for (const auto& row : store::run_query(store_, sql).rows) {
      std::string text;
      for (const table::Value& value : row) text += text_of(value) + " ";
      result.insert(text);
    }
    return result;
  }

  base::TempFolder folder_;
  store::Store store_ = store::Store::open_writer(folder_.path() / "x.sqlite");
};

// What a figure says, likewise: title of the panel or curve, x, y.
std::multiset<std::string> points_of(const Figure& figure, bool by_panel) {
  std::multiset<std::string> result;
  for (const Panel& panel : figure.panels) {
    for (const Curve& curve : panel.curves) {
      for (const Point& p : curve.points) {
        result.insert((by_panel ? panel.title : curve.title) + " " + text_of(p.x) + " " +
                      text_of(p.y) + " ");
      }
    }
  }
  return result;
}

const Curve& curve_of(const Panel& panel, std::string_view title) {
  for (const Curve& curve : panel.curves) {
    if (curve.title == title) return curve;
  }
  ADD_FAILURE() << "no curve " << title;
  return panel.curves.front();
}

TEST_F(FigureTest, BarsAreTheAccuraciesOfTheirNetworks) {
  const Figure bars = figure(
      "robustness", {"train_seed=0,solver=bosh3,seed=0,epsilon=8/255", "train_seed=0,attack=none"});

  ASSERT_EQ(bars.panels.size(), 1U);
  const Panel& panel = bars.panels.front();
  // rrrw without an attack, rrfw under pgd, fffw via rk4, rffw under spsa.
  ASSERT_EQ(panel.curves.size(), 4U);
  EXPECT_EQ(panel.curves[0].points.front().y, 0.75);
  EXPECT_EQ(panel.curves[1].points.front().y, 0.5);
  EXPECT_EQ(panel.curves[2].points.front().y, 0);
  EXPECT_EQ(panel.curves[3].points.front().y, 0.25);
  EXPECT_TRUE(panel.curves[1].points.front().lower.has_value());
}

TEST_F(FigureTest, WhatAllAttacksLeaveStandsBeforeTheSingleOnes) {
  const Figure bars = figure("robustness", {"train_seed=0,solver=bosh3,epsilon=8/255"});

  ASSERT_GE(bars.panels.front().curves.size(), 3U);
  EXPECT_THAT(bars.panels.front().curves[0].title, StartsWith("all attacks"));
  EXPECT_THAT(bars.panels.front().curves[1].title, Not(StartsWith("all attacks")));

  const Figure curves = figure("accuracy-epsilon", {"train_seed=0,solver=bosh3"});
  EXPECT_EQ(curves.panels.front().curves.front().title, "all attacks");
}

TEST_F(FigureTest, CurvesOverTheRadiusBeginWithoutAnAttack) {
  const Figure curves =
      figure("accuracy-epsilon", {"train_seed=0,solver=bosh3,seed=0,attack=pgd,gradient=@eval"});

  const Curve& pgd = curves.panels.at(0).curves.at(0);
  // 0: rrrw, 4/255: rrrw, 8/255: rrfw.
  ASSERT_EQ(pgd.points.size(), 3U);
  EXPECT_EQ(pgd.points[0].x, 0);
  EXPECT_EQ(pgd.points[0].y, 0.75);
  EXPECT_NEAR(pgd.points[1].x, 4.0 / 255, 1e-15);
  EXPECT_EQ(pgd.points[2].y, 0.5);
  // Wilson of 3 of 4, by its formula: centre (0.75 + z^2/8) / (1 + z^2/4).
  EXPECT_NEAR(*pgd.points[0].lower, 0.30064, 0.00001);
  EXPECT_NEAR(*pgd.points[0].upper, 0.95441, 0.00001);
}

TEST_F(FigureTest, TheMatrixHasARowForEachSolverAndAColumnForEachGradient) {
  const Figure matrix = figure("gradient-matrix", {"train_seed=0,seed=0,epsilon=8/255,attack=pgd"});

  ASSERT_EQ(matrix.panels.size(), 1U);
  EXPECT_THAT(matrix.panels[0].categories, ElementsAre("its own", "rk4"));
  EXPECT_THAT(matrix.panels[0].rows, ElementsAre("bosh3", "rk4"));
  ASSERT_EQ(matrix.panels[0].tiles.size(), 3U);
  EXPECT_EQ(matrix.panels[0].tiles[1].column, 1U);
  EXPECT_EQ(matrix.panels[0].tiles[1].value, 0);
}

TEST_F(FigureTest, TheLadderJoinsSolversOfTheSameWeights) {
  const Figure ladder = figure("solver-ladder", {"attack=pgd,seed=0,epsilon=8/255,gradient=@eval"});

  ASSERT_EQ(ladder.panels.size(), 1U);
  EXPECT_THAT(ladder.panels[0].categories, ElementsAre("bosh3", "rk4"));
  ASSERT_EQ(ladder.panels[0].curves.size(), 1U);
  EXPECT_EQ(ladder.panels[0].curves[0].points[0].y, 0.5);
  EXPECT_EQ(ladder.panels[0].curves[0].points[1].y, 0.25);
}

TEST_F(FigureTest, SeedsHaveTheirMeanAndRange) {
  const Figure seeds =
      figure("seeds", {"train_seed=0,solver=bosh3,attack=pgd,gradient=@eval,epsilon=8/255"});

  // Seeds 0 and 1: rrfw and rrrw.
  const Curve& mean = curve_of(seeds.panels.at(0), "mean and range");
  ASSERT_EQ(mean.points.size(), 1U);
  EXPECT_EQ(mean.points[0].y, 0.625);
  EXPECT_EQ(mean.points[0].lower, 0.5);
  EXPECT_EQ(mean.points[0].upper, 0.75);
  EXPECT_EQ(curve_of(seeds.panels[0], "one seed").points.size(), 2U);
}

TEST_F(FigureTest, TrainingsLeaveOutWhatIsNoNumber) {
  const Figure training = figure("training", {"train_seed=0"});

  // 2, NaN, 0.5.
  ASSERT_EQ(training.panels.size(), 1U);
  ASSERT_EQ(training.panels[0].curves[0].points.size(), 2U);
  EXPECT_EQ(training.panels[0].curves[0].points[1].x, 3);
  EXPECT_EQ(training.panels[0].curves[0].points[1].y, 0.5);
}

// Of the one probe cell of the study, by its number.
constexpr const char* kProbe = "(SELECT id FROM cell WHERE kind = 'probe')";

TEST_F(FigureTest, CosinesAndLeaksAreCountedByFields) {
  execute(std::string("INSERT INTO sample_metric(cell_id, sample, name, value, flag) SELECT ") +
          kProbe +
          ", column1, column2, column3, column4 FROM (VALUES (0, 'batch_cosine', 0.95, NULL), (1, "
          "'batch_cosine', 0.8, NULL), (2, 'batch_cosine', -1.0, NULL), (3, 'batch_cosine', NULL, "
          "'nan'), (0, 'leak_ratio', 0.005, NULL), (1, 'leak_ratio', 0.3, NULL), (2, 'leak_ratio', "
          "NULL, 'inf'))");

  const Figure cosines = figure("gradient-cosine");
  ASSERT_EQ(cosines.panels.size(), 1U);
  ASSERT_EQ(cosines.panels[0].categories.size(), 10U);
  const Curve& cosine = curve_of(cosines.panels[0], "batch_cosine");
  ASSERT_EQ(cosine.points.size(), 10U);
  EXPECT_EQ(cosine.points[0].y, 1);
  EXPECT_EQ(cosine.points[9].y, 2);
  EXPECT_EQ(cosine.points[5].y, 0);

  const Figure leaks = figure("leak-ratio");
  const Curve& leak = curve_of(leaks.panels.at(0), "leak_ratio");
  ASSERT_EQ(leak.points.size(), leaks.panels[0].categories.size());
  // Below 0.01, 0.3 to 1, and the infinite one: its own part is zero.
  EXPECT_EQ(leak.points.front().y, 1);
  EXPECT_EQ(leak.points[3].y, 1);
  EXPECT_EQ(leak.points.back().y, 1);
}

TEST_F(FigureTest, CurvesOfSamplesAreTheStoredSeries) {
  execute(std::string("INSERT INTO series(cell_id, name, step, value) SELECT ") + kProbe +
          ", column1, column2, column3 FROM (VALUES ('fd_agreement.0', 1, 0.9), ('fd_agreement.0', "
          "2, 0.8), ('fd_agreement.0', 3, 0.1), ('path_loss.0', 1, 1.5), ('path_loss.0', 2, 2.5), "
          "('path_loss.10', 1, 7.5))");

  EXPECT_THAT(points_of(figure("finite-differences"), false),
              ElementsAre("sample 0 0 0.9 ", "sample 0 1 0.8 ", "sample 0 2 0.1 "));
  EXPECT_THAT(points_of(figure("loss-line"), false),
              ElementsAre("sample 0 0 1.5 ", "sample 0 1 2.5 ", "sample 10 0 7.5 "));
}

TEST_F(FigureTest, PathsAreTheMeansOfTracedSamples) {
  execute(
      "INSERT INTO series(cell_id, name, step, value) SELECT cell_id, column1, column2, column3 "
      "FROM labelled_cell, (VALUES ('trace_margin.0', 1, 2.0), ('trace_margin.1', 1, 4.0), "
      "('trace_margin.0', 2, 0.0), ('trace_margin.1', 2, -2.0), ('trace_loss.0', 1, 9.0)) WHERE "
      "method = 'spsa'");

  EXPECT_THAT(points_of(figure("attack-path"), false), ElementsAre("spsa 0 3 ", "spsa 1 -1 "));
  // A traced margin is the largest other logit minus that of the class (kit/attack/trace.hpp).
  EXPECT_EQ(figure("attack-path").y_label, "mean margin (above 0: fooled)");
}

TEST_F(FigureTest, CostsAreThoseOfTheQueryEffort) {
  execute("UPDATE attempt SET forwards = 100 * cell_id, backwards = cell_id WHERE state = 'done'");
  const std::string effort(store::find_query("effort")->sql);

  EXPECT_FALSE(figure("attack-cost").panels.empty());
  std::multiset<std::string> drawn;
  for (const std::string& point : points_of(figure("attack-cost"), false)) {
    drawn.insert(
        point.substr(point.find_last_of(' ', point.find_last_of(' ', point.size() - 2) - 1) + 1));
  }
  EXPECT_EQ(drawn, texts("SELECT forwards + backwards, n_fooled FROM (" + effort + ")"));
}

// Attacks on one network that differ in their steps alone.
TEST_F(FigureTest, ElasticityIsThatOfItsQuery) {
  execute(
      "UPDATE cell SET spec_json = '{\"attack\":{\"params\":{\"steps\":' || (10 * (id - 3)) || "
      "'}}}' "
      "WHERE id IN (SELECT cell_id FROM labelled_cell WHERE kind = 'attack' AND train_seed = 0 AND "
      "model = 'so_resnet' AND solver = 'bosh3' AND method IN ('pgd', 'spsa'))");
  const std::string query(store::find_query("elasticity")->sql);

  const Figure drawn = figure("elasticity");

  ASSERT_EQ(drawn.panels.size(), 1U);
  EXPECT_GE(points_of(drawn, true).size(), 4U);
  EXPECT_EQ(points_of(drawn, true),
            texts("SELECT parameter, value, robust_accuracy FROM (" + query + ")"));
}

TEST_F(FigureTest, LandscapesAreTheStoredSeriesRowByRow) {
  execute(std::string("INSERT INTO series(cell_id, name, step, value) WITH RECURSIVE n(k) AS "
                      "(SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 9) SELECT ") +
          kProbe + ", 'landscape.0', k, k * k FROM n");

  const Figure drawn = figure("landscape");

  ASSERT_EQ(drawn.panels.size(), 1U);
  EXPECT_EQ(drawn.panels[0].size, 3U);
  std::multiset<std::string> tiles;
  for (const Tile& tile : drawn.panels[0].tiles) {
    tiles.insert(std::to_string(3 * tile.row + tile.column + 1) + " " + text_of(tile.value) + " ");
  }
  EXPECT_EQ(tiles, texts("SELECT step, value FROM series WHERE name = 'landscape.0'"));
}

TEST_F(FigureTest, OfTooMuchTheFirstPartIsShownWhereThatIsWanted) {
  std::string rows;
  for (int i = 0; i < 20; ++i) {
    rows += (i > 0 ? ", " : "") + std::string("('path_loss.") + std::to_string(i) + "')";
  }
  execute(std::string("INSERT INTO series(cell_id, name, step, value) SELECT ") + kProbe +
          ", column1, 1, 1.0 FROM (VALUES " + rows + ")");

  EXPECT_THROW(figure("loss-line"), UsageError);
  const Figure part = make_figure(find_figure("loss-line"), store_, {}, Excess::kLeaveOut);
  EXPECT_EQ(part.panels.at(0).curves.size(), 16U);
  EXPECT_THAT(part.excess, HasSubstr("20 curves"));
}

TEST_F(FigureTest, WhatIsNotThereIsSaidAndUnknownNamesAreSuggested) {
  EXPECT_THROW(figure("landscape"), UsageError);
  EXPECT_THROW(figure("robustness", {"model=nobody"}), UsageError);
  try {
    std::ignore = find_figure("robustnes");
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("robustness"));
  }
}

TEST_F(FigureTest, TheDataHasARowForEachPoint) {
  const table::Table table =
      figure_table(figure("solver-ladder", {"attack=pgd,seed=0,epsilon=8/255,gradient=@eval"}));

  EXPECT_THAT(table.columns, ElementsAre("panel", "curve", "x", "y", "lower", "upper"));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[1][2], table::Value(std::string("rk4")));
  EXPECT_EQ(table.rows[1][3], table::Value(0.25));
}

const std::string kHostile =
    "x'; system(\"touch pwned\") `touch pwned`\n!touch pwned\n%s%n \\ <b>&";

Figure hostile_figure(Shape shape) {
  Panel panel;
  panel.title = panel.x_label = panel.y_label = kHostile;
  panel.categories = {kHostile, "b"};
  panel.rows = {kHostile};
  panel.curves = {{kHostile, {{0, 0.5, 0.25, 0.75}, {1, 1, {}, {}}}}};
  panel.tiles = {{0, 0, 0.25}, {0, 1, 0.75}};
  panel.size = 2;
  return {kHostile, shape, kHostile, kHostile, kHostile, true, {panel, panel}};
}

constexpr Shape kShapes[] = {
    Shape::kBars, Shape::kCurves, Shape::kDots, Shape::kLadder, Shape::kTiles, Shape::kSurface};

TEST(Gnuplot, NamesStandInQuotesAndNowhereElse) {
  for (const Shape shape : kShapes) {
    const std::string script = gnuplot_script(hostile_figure(shape), FigureFormat::kSvg);

    // Without what stands in single quotes, which double their own kind, nothing of the name is left.
    const std::string rest = std::regex_replace(script, std::regex("'([^'\n]|'')*'"), "");
    EXPECT_THAT(rest, Not(HasSubstr("pwned"))) << static_cast<int>(shape);
    EXPECT_THAT(rest, Not(HasSubstr("`"))) << static_cast<int>(shape);
    EXPECT_THAT(rest, Not(HasSubstr("'"))) << static_cast<int>(shape);
  }
}

TEST(Gnuplot, DrawsEveryShapeWithHostileNames) {
  std::vector<std::string> pictures;
  try {
    for (const Shape shape : kShapes) {
      pictures.push_back(draw(hostile_figure(shape), FigureFormat::kSvg));
    }
    pictures.push_back(draw(hostile_figure(Shape::kCurves), FigureFormat::kPng));
    pictures.push_back(draw(hostile_figure(Shape::kCurves), FigureFormat::kPdf));
  } catch (const UsageError& error) {
    GTEST_SKIP() << error.what();
  }

  for (std::size_t i = 0; i < std::size(kShapes); ++i) {
    EXPECT_THAT(pictures[i], HasSubstr("</svg>"));
    EXPECT_THAT(pictures[i], Not(HasSubstr("<b>")));
  }
  EXPECT_THAT(pictures[6], StartsWith("\x89PNG"));
  EXPECT_THAT(pictures[7], StartsWith("%PDF"));
  EXPECT_FALSE(std::filesystem::exists("pwned"));
}

}  // namespace
}  // namespace unmask::results::figure_test
