// The report against the queries that it names, and what hostile names make of it.

#include "report/report.hpp"

#include <png.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "report/pictures.hpp"
#include "report/report_data.hpp"
#include "results/figure.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "store/result_folders.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::report::report_test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
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

  // Images of a cell as the engine keeps them: 4 samples of 2 x 3 grey pixels, all 0.25, attacked ones
  // with one pixel moved by 0.25 and one by -0.125.
  void keep_images(const std::string& method, const std::string& name) {
    std::vector<float> clean(24, 0.25F);
    std::vector<float> adversarial = clean;
    for (std::size_t i = 0; i < 4; ++i) {
      adversarial[6 * i + 1] = 0.5F;
      adversarial[6 * i + 5] = 0.125F;
    }
    const std::string header =
        R"({"images":{"dtype":"F32","shape":[4,1,2,3],"data_offsets":[0,96]},)"
        R"("adversarials":{"dtype":"F32","shape":[4,1,2,3],"data_offsets":[96,192]}})";
    std::string bytes(8, '\0');
    bytes[0] = static_cast<char>(header.size());
    bytes += header;
    for (const auto& values : {clean, adversarial}) {
      bytes.append(reinterpret_cast<const char*>(values.data()), 4 * values.size());
    }
    const auto folder = store::ResultFolders::of(folder_.path() / "x.sqlite").adversarials;
    std::filesystem::create_directories(folder);
    base::write_file_atomically(folder / name, bytes);
    store_.database()
        .prepare(
            "keep images",
            "INSERT OR REPLACE INTO adversarials SELECT cell_id, ?, 1, ? FROM accuracy WHERE "
            "attack = ? "
            "AND epsilon_text = '8/255' AND train_seed = 0 AND solver = 'bosh3' AND gradient = "
            "'@eval' AND seed = 0")
        .bind(std::string(64, '0'))
        .bind(name)
        .bind(method)
        .run();
  }

  base::TempFolder folder_;
  store::Store store_ = store::Store::open_writer(folder_.path() / "x.sqlite");
};

std::string bytes_of(const std::string& base64) {
  std::string bytes;
  unsigned bits = 0, count = 0;
  for (const char c : base64) {
    const std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (c == '=') break;
    bits = bits << 6 | static_cast<unsigned>(letters.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255);
  }
  return bytes;
}

// The grey pixels of a PNG file.
std::vector<int> pixels_of(const std::string& png) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(png_image_begin_read_from_memory(&image, png.data(), png.size()), 0);
  image.format = PNG_FORMAT_GRAY;
  std::vector<png_byte> bytes(PNG_IMAGE_SIZE(image));
  EXPECT_NE(png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr), 0);
  return {bytes.begin(), bytes.end()};
}

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
      EXPECT_THROW(results::make_figure(kind, store_, {}, results::Excess::kLeaveOut), UsageError)
          << kind.name;
      continue;
    }
    const results::Figure expected =
        results::make_figure(kind, store_, {}, results::Excess::kLeaveOut);
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

// Table member by column.
json value_in(const json& table, std::size_t row, const std::string& column) {
  const auto columns = table.at("columns").get<std::vector<std::string>>();
  const auto at = std::find(columns.begin(), columns.end(), column) - columns.begin();
  return table.at("rows").at(row).at(static_cast<std::size_t>(at));
}

// pgd: rrfw, of four attacks; sample 1 falls to via rk4 and spsa, so the kept pgd image does not show it.
TEST_F(ReportTest, KeptImagesAreShownWithTheirDifference) {
  keep_images("pgd", "pgd.safetensors");

  const json shown = data();

  const json& table = shown.at("tables").at("pictured-samples");
  ASSERT_EQ(table.at("rows").size(), 1u) << table;
  EXPECT_EQ(value_in(table, 0, "sample"), 2);
  EXPECT_EQ(value_in(table, 0, "class"), "several attacks fool it");
  EXPECT_EQ(value_in(table, 0, "attack"), "pgd");
  EXPECT_EQ(value_in(table, 0, "fooled_by"), "pgd, pgd via rk4, spsa");
  const json& picture = shown.at("pictures").at(0);
  EXPECT_EQ(picture.at("width"), 3);
  EXPECT_EQ(picture.at("height"), 2);
  const auto pixels = [&](const char* what) {
    return pixels_of(bytes_of(picture.at(what).get<std::string>()));
  };
  // 255 times 0.25, 0.5 and 0.125; the largest change, 0.25, is white, -0.125 halfway to black.
  EXPECT_THAT(pixels("clean"), ElementsAre(64, 64, 64, 64, 64, 64));
  EXPECT_THAT(pixels("adversarial"), ElementsAre(64, 128, 64, 64, 64, 32));
  EXPECT_THAT(pixels("difference"), ElementsAre(128, 255, 128, 128, 128, 64));
}

TEST_F(ReportTest, LargeImagesAreShownSmaller) {
  keep_images("pgd", "pgd.safetensors");
  const KeptImages images(store::ResultFolders::of(store_.file()).adversarials / "pgd.safetensors");

  // Fields of 2 x 2 pixels: the mean of an image, the largest change.
  const Shots shots = images.shots(0, 2);

  EXPECT_EQ(shots.width, 2u);
  EXPECT_EQ(shots.height, 1u);
  // (0.25 + 0.5 + 0.25 + 0.25) / 4 = 0.3125, (0.25 + 0.125) / 2 = 0.1875.
  EXPECT_THAT(pixels_of(shots.adversarial), ElementsAre(80, 48));
  EXPECT_THAT(pixels_of(shots.difference), ElementsAre(255, 64));
  EXPECT_THROW(images.shots(4), DataError);
  EXPECT_THROW(images.shots(-1), DataError);
}

TEST_F(ReportTest, WhatIsNoFileOfImagesIsSaidAndNothingOutsideIsOpened) {
  keep_images("pgd", "pgd.safetensors");
  const auto folder = store::ResultFolders::of(store_.file()).adversarials;
  const auto lacks = [&](const std::string& name) {
    store_.database().prepare("rename", "UPDATE adversarials SET path = ?").bind(name).run();
    const json shown = data();
    return shown.at("pictures").at(0).contains("lacks");
  };
  EXPECT_FALSE(lacks("pgd.safetensors"));
  EXPECT_TRUE(lacks("gone.safetensors"));
  EXPECT_TRUE(lacks("../" + folder.filename().string() + "/pgd.safetensors"));
  EXPECT_TRUE(lacks((folder / "pgd.safetensors").string()));
  const std::string whole = base::read_file(folder / "pgd.safetensors");
  std::string huge = whole;
  huge.replace(huge.find("[4,1,2,3]"), 9, "[4,1,2,9]");
  const std::string far(8, '\xff');
  for (const std::string& bytes :
       {std::string(), whole.substr(0, whole.size() - 1), far + whole, huge, whole.substr(8)}) {
    base::write_file_atomically(folder / "bad.safetensors", bytes);
    EXPECT_TRUE(lacks("bad.safetensors")) << bytes.size();
  }
}

TEST_F(ReportTest, OfManySamplesTheFirstAreShownAndTheRestCounted) {
  // As many again, as if the split were larger.
  store_.database()
      .prepare("more samples",
               "INSERT INTO sample_outcome SELECT cell_id, sample + 4 * k, label, state, "
               "clean_prediction, prediction, distance, queries, passes FROM sample_outcome, (WITH "
               "RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 150) SELECT k "
               "FROM n)")
      .run();

  const json all = data().at("tables").at("worst-case-samples");
  const json one = data({"train_seed=1"}).at("tables").at("worst-case-samples");

  // Four radii of networks with results, 604 samples of each.
  EXPECT_EQ(all.at("rows").size(), kMostSampleRows);
  EXPECT_EQ(all.at("left_out"), 4 * 604 - kMostSampleRows);
  EXPECT_EQ(one.at("left_out"), 604 - kMostSampleRows);
  EXPECT_EQ(value_in(one, 0, "train_seed"), 1);
  EXPECT_EQ(value_in(one, 499, "sample"), 499);
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
