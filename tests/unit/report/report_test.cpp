// The report against the queries that it names, and what hostile names make of it.

#include "report/report.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "report/report_data.hpp"
#include "results/figure.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::report::report_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// What stands between the tags of the data, as a browser hands it to JSON.parse.
json data_in(const std::string& page) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const std::size_t at = page.find(begin) + begin.size();
  return json::parse(page.substr(at, page.find("</script>", at) - at));
}

class ReportTest : public ::testing::Test {
 protected:
  ReportTest() { store::testing::run_small_study(store_); }

  json data(const std::vector<std::string>& filters = {}) const {
    return report_data(store_, {results::parse_selection(filters, filter_axes()), {"unmask"}});
  }

  base::TempFolder folder_;
  store::Store store_ = store::Store::open_writer(folder_.path() / "x.sqlite");
};

// Value for value, the numbers of NaN and infinity by their names.
TEST_F(ReportTest, EveryTableIsTheAnswerOfItsQuery) {
  const json shown = data();
  std::size_t compared = 0;
  for (const auto& [name, table] : shown.at("tables").items()) {
    if (!table.at("is_query").get<bool>()) continue;
    const store::NamedQuery* query = store::find_query(name);
    ASSERT_NE(query, nullptr) << name;
    const table::Table answer = store::run_query(store_, query->sql);
    EXPECT_EQ(table.at("columns").get<std::vector<std::string>>(), answer.columns) << name;
    ASSERT_EQ(table.at("rows").size(), answer.rows.size()) << name;
    EXPECT_EQ(table.at("left_out"), 0) << name;
    for (std::size_t i = 0; i < answer.rows.size(); ++i) {
      for (std::size_t c = 0; c < answer.columns.size(); ++c) {
        const json& cell = table.at("rows")[i][c];
        const std::string text = cell.is_null()     ? ""
                                 : cell.is_string() ? cell.get<std::string>()
                                 : cell.is_number_float()
                                     ? results::text_of(cell.get<double>())
                                     : results::text_of(cell.get<std::int64_t>());
        EXPECT_EQ(text, results::text_of(answer.rows[i][c]))
            << name << ", row " << i << ", " << answer.columns[c];
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 200u);
}

TEST_F(ReportTest, EveryFigureHasThePointsThatAreDrawnElsewhere) {
  const json shown = data();
  std::size_t points = 0;
  for (const results::FigureKind& kind : results::figure_kinds()) {
    const json& figure = shown.at("figures").at(std::string(kind.name));
    if (figure.contains("lacks")) {
      EXPECT_THROW(results::make_figure(kind, store_, {}), UsageError) << kind.name;
      continue;
    }
    const results::Figure expected = results::make_figure(kind, store_, {});
    ASSERT_EQ(figure.at("panels").size(), expected.panels.size()) << kind.name;
    for (std::size_t p = 0; p < expected.panels.size(); ++p) {
      const json& panel = figure.at("panels")[p];
      ASSERT_EQ(panel.at("tiles").size(), expected.panels[p].tiles.size());
      ASSERT_EQ(panel.at("curves").size(), expected.panels[p].curves.size());
      for (std::size_t c = 0; c < expected.panels[p].curves.size(); ++c) {
        const results::Curve& curve = expected.panels[p].curves[c];
        EXPECT_EQ(panel.at("curves")[c].at("title"), curve.title);
        ASSERT_EQ(panel.at("curves")[c].at("points").size(), curve.points.size());
        for (std::size_t i = 0; i < curve.points.size(); ++i, ++points) {
          EXPECT_EQ(panel.at("curves")[c].at("points")[i][1], curve.points[i].y) << kind.name;
        }
      }
    }
  }
  EXPECT_GT(points, 0u);
}

TEST_F(ReportTest, AFilterKeepsTheNetworksThatItNames) {
  const json table = data({"train_seed=1"}).at("tables").at("accuracy");
  const auto columns = table.at("columns").get<std::vector<std::string>>();
  const auto seed = static_cast<std::size_t>(
      std::find(columns.begin(), columns.end(), "train_seed") - columns.begin());
  ASSERT_FALSE(table.at("rows").empty());
  for (const json& row : table.at("rows")) EXPECT_EQ(row[seed], 1);

  EXPECT_THROW(data({"study=absent"}), UsageError);
  EXPECT_THROW(data({"attack=pgd"}), UsageError) << "reports are about networks";
}

TEST_F(ReportTest, WhatStandsInTheDatabaseStaysData) {
  const std::string evil =
      "</script><script>alert(1)</script><img src=x onerror=alert(2)>&amp;<!--";
  store_.database()
      .prepare("make it hostile", "UPDATE manifest SET text = ?, description = ?")
      .bind(evil)
      .bind(evil + "\xe2\x80\xa8\xff")
      .run();

  const std::string page = page_of(data());

  // The scripts of the page, its data, and nothing that came from the database.
  EXPECT_EQ(count(page, "<script"), 4u);
  EXPECT_EQ(count(page, "</script"), 4u);
  EXPECT_THAT(page, Not(HasSubstr("onerror=alert(2)>")));
  const json table = data_in(page).at("tables").at("latest-runs");
  EXPECT_EQ(table.at("data")[2].at("words")[0], evil);
}

// What the page does with it: the rows of a compact table are those of the table.
TEST_F(ReportTest, CompactTablesHoldTheSameRows) {
  const json tables = data().at("tables");
  const json packed = compact(data()).at("tables");
  for (const auto& [name, table] : tables.items()) {
    const json& small = packed.at(name);
    ASSERT_EQ(small.at("n"), table.at("rows").size()) << name;
    for (std::size_t c = 0; c < table.at("columns").size(); ++c) {
      const json& column = small.at("data")[c];
      for (std::size_t i = 0; i < table.at("rows").size(); ++i) {
        json value = column.is_array() ? column[i] : column.at("places")[i];
        if (column.is_object() && !value.is_null()) {
          value = column.at("words")[value.get<std::size_t>()];
        }
        EXPECT_EQ(value, table.at("rows")[i][c]) << name << ", row " << i << ", column " << c;
      }
    }
  }
}

TEST(Report, CompactTablesHoldEachTextOnce) {
  const std::string name(100, 'x');
  json rows = json::array();
  for (int i = 0; i < 50; ++i) rows.push_back({name, i});

  const json packed = compact(
      {{"tables", {{"t", {{"columns", {"name", "number"}}, {"rows", rows}, {"left_out", 0}}}}}});

  EXPECT_EQ(count(packed.dump(), name), 1u);
}

TEST_F(ReportTest, ThePageAsksNobodyForAnything) {
  const std::string page = page_of(data());

  EXPECT_THAT(page, HasSubstr("default-src 'none'; script-src 'sha256-"));
  EXPECT_EQ(count(page, " src="), 0u);
  EXPECT_EQ(count(page, "<link"), 0u);
  EXPECT_EQ(count(page, "@import"), 0u);
  EXPECT_EQ(count(page, "unsafe-eval"), 0u);
}

TEST(Report, AnEmptyDatabaseIsToldApartFromAStudy) {
  const base::TempFolder folder;
  const auto store = store::Store::open_writer(folder.path() / "empty.sqlite");

  EXPECT_THROW(report_data(store, {}), UsageError);
}

}  // namespace
}  // namespace unmask::report::report_test
