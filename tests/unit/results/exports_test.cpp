// Exports against the views that they come from, and their texts against docs/database.md.

#include "results/exports.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/child.hpp"
#include "base/files.hpp"
#include "store/database.hpp"
#include "store/queries.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/errors.hpp"

namespace unmask::results::exports_test {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ExportTest : public ::testing::Test {
 protected:
  ExportTest() { store::testing::run_small_study(store_); }

  ExportReport write(const std::string& name,
                     const std::vector<std::string>& filters = {},
                     ExportFormat format = ExportFormat::kCsv) const {
    return write_exports(store_, parse_selection(filters), format, path(name));
  }
  fs::path path(const std::string& name) const { return folder_.path() / name; }
  std::string text(const std::string& name) const { return base::read_file(path(name)); }
  static std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  base::TempFolder folder_;
  store::Store store_ = store::Store::open_writer(folder_.path() / "x.sqlite");
};

TEST_F(ExportTest, EveryFileHoldsTheRowsOfItsView) {
  const ExportReport report = write("out");

  EXPECT_THAT(report.left_out, IsEmpty());
  for (const char* view : {"accuracy", "cells", "worst_case_sample", "metrics", "verdict_rule"}) {
    const auto rows = static_cast<std::size_t>(
        store_.database().integer("count", "SELECT count(*) FROM " + std::string(view)));
    EXPECT_EQ(lines(text("out/" + std::string(view) + ".csv")), rows + 1) << view;
  }
  // Eight attacks with a result on four images each.
  EXPECT_EQ(lines(text("out/sample_outcome.csv")), 33U);
  EXPECT_THAT(text("out/accuracy.csv"), HasSubstr("0.5,"));
}

TEST_F(ExportTest, JsonLinesParseAndNaNIsNullWithItsFlag) {
  write("out", {}, ExportFormat::kJsonLines);

  std::istringstream file(text("out/metrics.jsonl"));
  bool found = false;
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    if (row.at("name") != "broken") continue;
    found = true;
    EXPECT_TRUE(row.at("value").is_null());
    EXPECT_EQ(row.at("flag"), "nan");
  }
  EXPECT_TRUE(found);
}

TEST_F(ExportTest, AFilterLeavesItsRowsAndTablesWithoutItsAxisAreNamed) {
  const ExportReport report = write("out", {"attack=spsa", "attack=square"});

  EXPECT_EQ(lines(text("out/accuracy.csv")), 2U);
  EXPECT_EQ(lines(text("out/cells.csv")), 3U);
  EXPECT_THAT(report.left_out, Contains(Field(&LeftOut::name, "worst_case")));
  EXPECT_FALSE(fs::exists(path("out/worst_case.csv")));
}

TEST_F(ExportTest, PatternsAreNoSql) {
  const ExportReport report =
      write("out", {"model=x' OR 1=1 --", "model=[a-z]*", "model=so?resnet"});

  EXPECT_EQ(lines(text("out/accuracy.csv")), 1U);
  EXPECT_EQ(lines(text("out/cells.csv")), 1U);
}

TEST_F(ExportTest, AFolderWithFilesIsLeftAlone) {
  fs::create_directory(path("full"));
  base::write_file_atomically(path("full/mine.txt"), "mine");

  EXPECT_THROW(write("full"), UsageError);

  EXPECT_EQ(text("full/mine.txt"), "mine");
  EXPECT_FALSE(fs::exists(path("full/cells.csv")));
}

TEST_F(ExportTest, AnEmptyFolderIsFilledAndNothingElseStays) {
  fs::create_directory(path("empty"));

  write("empty");

  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    if (entry.path().filename().string().rfind("x.sqlite", 0) != 0)
      names.insert(entry.path().filename());
  }
  EXPECT_THAT(names, ::testing::ElementsAre("empty"));
  EXPECT_TRUE(fs::exists(path("empty/metadata.json")));
}

TEST_F(ExportTest, AnEmptyDatabaseGivesHeadersAlone) {
  const store::Store empty = store::Store::open_writer(folder_.path() / "empty.sqlite");

  write_exports(empty, {}, ExportFormat::kCsv, path("none"));

  EXPECT_EQ(lines(text("none/accuracy.csv")), 1U);
}

TEST_F(ExportTest, MetadataDescribesEveryColumnOfEveryFile) {
  write("out");
  const nlohmann::json metadata = nlohmann::json::parse(text("out/metadata.json"));

  const nlohmann::json& tables = metadata.at("databases").at("x").at("tables");
  EXPECT_EQ(tables.size(), exports().size());
  for (const Export& each : exports()) {
    const nlohmann::json& columns = tables.at(std::string(each.name)).at("columns");
    for (const std::string& column : store::query_columns(store_, each.sql)) {
      EXPECT_TRUE(columns.contains(column)) << each.name << "." << column;
    }
  }
  EXPECT_EQ(tables.at("cost").at("units").at("wall_s"), "s");
}

TEST_F(ExportTest, DocumentationListsEveryColumnWithTheSameWords) {
  const std::string document =
      base::read_file(std::string(UNMASK_SOURCE_DIR) + "/docs/database.md");
  for (const ColumnText& column : column_texts()) {
    const std::string where =
        column.only_in.empty() ? "" : " (in `" + std::string(column.only_in) + "`)";
    const std::string row = "| `" + std::string(column.column) + "`" + where + " | " +
                            std::string(column.unit) + " | " + std::string(column.meaning) + " |\n";
    EXPECT_THAT(document, HasSubstr(row));
  }
}

TEST_F(ExportTest, EveryTextIsOfAColumnThatIsThere) {
  std::set<std::string> columns;
  for (const Export& each : exports()) {
    for (const std::string& column : store::query_columns(store_, each.sql)) columns.insert(column);
  }
  for (const ColumnText& text : column_texts()) {
    EXPECT_TRUE(columns.contains(std::string(text.column))) << text.column;
  }
}

// The recipe of docs/results.md, as it stands there.
TEST_F(ExportTest, ThePandasRecipeRuns) {
  // The one on PATH may be another than Debian's, which has Debian's packages.
  std::string python;
  for (const char* candidate : {"python3", "/usr/bin/python3"}) {
    const auto tried = base::run_child({"/usr/bin/env", candidate, "-c", "import pandas"}, 120);
    if (tried.status.is_success()) python = candidate;
  }
  if (python.empty()) {
    GTEST_SKIP() << "python3 with pandas is not installed (Debian: python3-pandas)";
  }
  write("export");
  const std::string document = base::read_file(std::string(UNMASK_SOURCE_DIR) + "/docs/results.md");
  const std::size_t begin = document.find("```python\n");
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = document.find("```\n", begin + 10);
  const std::string recipe = document.substr(begin + 10, end - begin - 10);

  const base::ChildOutput output =
      base::run_child({"/usr/bin/env",
                       python,
                       "-c",
                       "import os, sys\nos.chdir(sys.argv[1])\n" + recipe,
                       folder_.path().string()},
                      120);

  EXPECT_TRUE(output.status.is_success()) << output.err;
  // pgd of train0 under bosh3 at 8/255: rrfw and rrrw.
  EXPECT_THAT(output.out, HasSubstr("0.625"));
}

}  // namespace
}  // namespace unmask::results::exports_test
