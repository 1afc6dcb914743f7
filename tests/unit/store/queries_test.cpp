#include "store/queries.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/verification.hpp"
#include "unit/store/small_study.hpp"
#include "unmask/sha256.hpp"
#include "wire/labels.hpp"

namespace unmask::store::queries_test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

using nlohmann::json;

// PGD with this many steps and restarts on the first network of the small study.
wire::Cell pgd_cell(std::int64_t steps, std::int64_t restarts, double epsilon = 0.1) {
  wire::Cell cell = testing::attack_cell(
      testing::train_cell("so_resnet", 0), "bosh3", "", "pgd", epsilon, std::to_string(epsilon));
  json attack_part = cell.spec.at("attack");
  attack_part["params"] = {{"norm", "linf"}, {"steps", steps}, {"restarts", restarts}};
  cell.spec.set("attack", attack_part);
  cell.key = sha256_hex(cell.spec.dump());
  cell.labels.method = "pgd." + std::to_string(steps) + "." + std::to_string(restarts);
  return cell;
}

// An ensemble of these plugins, called m0, m1, ...
wire::Cell ensemble_cell(const std::vector<std::string>& plugins) {
  wire::Cell cell = pgd_cell(1, 1);
  json attack = {{"members", json::array()}, {"names", json::array()}};
  for (const std::string& id : plugins) {
    attack["members"].push_back({{"plugin", id},
                                 {"fingerprint", sha256_hex("attack " + id)},
                                 {"params", {{"norm", "l2"}}}});
    attack["names"].push_back("m" + std::to_string(attack["names"].size()));
  }
  cell.spec.set("attack", attack);
  cell.key = sha256_hex(cell.spec.dump());
  cell.labels.method = "worst";
  return cell;
}

class QueriesTest : public ::testing::Test {
 protected:
  QueriesTest() {
    testing::run_small_study(store_);
    const std::int64_t run = store_.begin_run(testing::make_study(), testing::make_info());
    std::vector<wire::Cell> cells = testing::SmallStudy().cells();
    std::vector<std::pair<wire::Cell, wire::CellResult>> results;
    const auto add = [&](const wire::Cell& cell,
                         const std::string& outcomes,
                         const std::vector<wire::Metric>& metrics = {}) {
      cells.push_back(cell);
      results.emplace_back(cell, testing::attack_result(outcomes));
      results.back().second.metrics = metrics;
      results.back().second.norm = cell.labels.method == "worst" ? "l2" : "linf";
    };
    add(pgd_cell(10, 1), "rrrw", {{"check.randomised", 1e-3, 4}, {"check.zero_gradient", 0, 4}});
    add(pgd_cell(100, 1), "rrfw", {{"check.randomised", 2e-3, 4}});
    add(pgd_cell(50, 1), "rrrw", {{"check.zero_gradient", 0.25, 4}});
    add(pgd_cell(100, 2), "rffw", {{"check.zero_gradient", std::nan(""), 0}});
    add(pgd_cell(200, 4, 0.2), "ffff");
    add(ensemble_cell({"pgd", "square"}),
        "rrfw",
        {{"fooled_first_by.m0.mean", 0.5, 4}, {"fooled_first_by.m1.mean", 0.25, 4}});
    add(ensemble_cell({"square", "pgd"}),
        "rrfw",
        {{"fooled_first_by.m0.mean", 0.5, 4}, {"fooled_first_by.m1.mean", 0.25, 4}});
    results.back().second.remarks = {"a remark"};
    store_.register_cells(run, testing::make_catalog(), cells);
    for (const auto& [cell, result] : results) testing::finish(store_, run, cell, result);
    store_.end_run(run, 0);
    store_.record_verification({cells.back().key, "cpu", {}, std::nullopt},
                               testing::make_info().environment);
  }

  table::Table ask(const std::string& name, const std::string& columns) const {
    return run_query(store_,
                     "SELECT " + columns + " FROM (" + std::string(find_query(name)->sql) + ")");
  }

  std::string refusal(const std::string& sql) const {
    try {
      run_query(store_, sql);
    } catch (const StoreError& error) {
      return error.what();
    }
    return "(no error)";
  }

  base::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.sqlite";
  Store store_ = Store::open_writer(file_);
};

TEST_F(QueriesTest, EveryNamedQueryYieldsRows) {
  for (const NamedQuery& query : named_queries()) {
    EXPECT_FALSE(run_query(store_, query.sql).rows.empty()) << query.name;
  }
}

TEST_F(QueriesTest, ReaderCanAskThemToo) {
  const Store reader = Store::open_reader(file_);

  for (const NamedQuery& query : named_queries()) {
    EXPECT_EQ(run_query(reader, query.sql).rows, run_query(store_, query.sql).rows) << query.name;
  }
}

TEST_F(QueriesTest, NamesAreDistinctAndFound) {
  std::set<std::string_view> names;
  for (const NamedQuery& query : named_queries()) {
    EXPECT_TRUE(names.insert(query.name).second) << query.name;
    EXPECT_EQ(find_query(query.name), &query);
  }
  EXPECT_EQ(find_query("no such query"), nullptr);
}

// Two networks that differ in one word only must not look alike.
TEST_F(QueriesTest, RowsOfNamedQueriesTellNetworksApart) {
  for (const NamedQuery& query : named_queries()) {
    if (query.name == "status" || query.name == "runs" || query.name == "plugins") continue;
    EXPECT_THAT(run_query(store_, query.sql).columns,
                IsSupersetOf({"study", "dataset", "model", "objective", "solver"}))
        << query.name;
    if (query.name == "seeds") continue;
    EXPECT_THAT(run_query(store_, query.sql).columns, Contains("train_seed")) << query.name;
  }
}

using Row = std::vector<table::Value>;

// The cells with two restarts differ in steps from none, those at the other radius from none.
// A new axis is a row of wire::kLabelAxes; the view and the list of labels are written by hand.
TEST_F(QueriesTest, EveryAxisIsALabelOfCells) {
  const std::vector<std::string> cells = query_columns(store_, "SELECT * FROM cells");
  const auto labels = label_columns();

  for (const wire::LabelAxis& axis : wire::kLabelAxes) {
    EXPECT_THAT(cells, Contains(axis.column));
    EXPECT_NE(std::find(labels.begin(), labels.end(), axis.column), labels.end()) << axis.column;
  }
}

TEST_F(QueriesTest, ElasticityComparesAttacksThatDifferInOneParameter) {
  const table::Table table =
      ask("elasticity", "parameter, value, robust_accuracy, drop_to_smallest");

  EXPECT_EQ(table.rows,
            (std::vector<Row>{{"restarts", std::int64_t{1}, 0.5, 0.0},
                              {"restarts", std::int64_t{2}, 0.25, 0.25},
                              {"steps", std::int64_t{10}, 0.75, 0.0},
                              {"steps", std::int64_t{50}, 0.75, 0.0},
                              {"steps", std::int64_t{100}, 0.5, 0.25}}));
}

// A member without gradients warns when it comes after one with gradients. What is at most its
// threshold does not warn, nor does what is no number. What several attacks found out about the
// same network is one warning, with the largest value.
TEST_F(QueriesTest, WarningsAreChecksAboveTheirThreshold) {
  const table::Table table = ask("warnings", "attack, warning, value, threshold, cells");
  constexpr std::monostate kNone;

  EXPECT_EQ(table.rows,
            (std::vector<Row>{{kNone, "check.randomised", 2e-3, 1e-4, std::int64_t{2}},
                              {"pgd.50.1", "check.zero_gradient", 0.25, 0.0, std::int64_t{1}},
                              {"worst", "fooled_first_by.m1.mean", 0.25, 0.002, std::int64_t{1}}}));
}

// Nobody knows what a check would have found that could not be made.
TEST_F(QueriesTest, ACheckThatFailedIsAWarning) {
  store_.database()
      .prepare("add",
               "INSERT INTO metric(cell_id, name, flag, reason) SELECT cell_id, "
               "'check.batch_dependence', 'nan', 'too many attempts' FROM labelled_cell "
               "WHERE method = 'worst'")
      .run();

  const table::Table table = run_query(store_,
                                       "SELECT attack, value, cells, note FROM (" +
                                           std::string(find_query("warnings")->sql) +
                                           ") WHERE warning = 'check.batch_dependence'");

  constexpr std::monostate kNone;
  EXPECT_EQ(table.rows,
            (std::vector<Row>{{kNone, kNone, std::int64_t{2}, "not measured: too many attempts"}}));
}

TEST_F(QueriesTest, TheNormOfAnEnsembleIsThatOfItsMembers) {
  EXPECT_EQ(run_query(store_, "SELECT DISTINCT norm FROM accuracy WHERE attack = 'worst'").rows,
            (std::vector<Row>{{"l2"}}));
}

TEST_F(QueriesTest, PluginsOfAnEnsembleHaveTheRolesOfItsMembers) {
  EXPECT_EQ(run_query(store_,
                      "SELECT DISTINCT c.role, p.name FROM cell_plugin c JOIN plugin p ON p.id = "
                      "c.plugin_id WHERE c.role GLOB 'attack.*' ORDER BY 1, 2")
                .rows,
            (std::vector<Row>{{"attack.0", "pgd"},
                              {"attack.0", "square"},
                              {"attack.1", "pgd"},
                              {"attack.1", "square"}}));
}

TEST_F(QueriesTest, FiltersKeepMatchingRowsInTheirOrder) {
  const std::string_view sql = find_query("accuracy")->sql;
  const std::vector<ColumnFilter> filters = {{"attack", "pgd.*"}, {"seed", "0"}};
  std::vector<Row> expected;
  const table::Table all = run_query(store_, sql);
  const auto column = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(all.columns.begin(), all.columns.end(), name) -
                                    all.columns.begin());
  };
  for (const Row& row : all.rows) {
    if (std::get<std::string>(row[column("attack")]).starts_with("pgd.") &&
        row[column("seed")] == table::Value(std::int64_t{0})) {
      expected.push_back(row);
    }
  }

  EXPECT_EQ(run_query(store_, sql, filters).rows, expected);
  EXPECT_EQ(expected.size(), 5U);
  EXPECT_EQ(query_columns(store_, sql), all.columns);
}

TEST_F(QueriesTest, FiltersTakeAnyColumnNameAndNoValueMatchesNothing) {
  const std::vector<ColumnFilter> filters = {{"a \"b\"", "*"}};

  EXPECT_EQ(
      run_query(store_, "VALUES (1), (NULL); ", std::vector<ColumnFilter>{{"column1", "?"}}).rows,
      (std::vector<Row>{{std::int64_t{1}}}));
  EXPECT_EQ(run_query(store_, "SELECT 'x' AS \"a \"\"b\"\"\" -- a comment", filters).rows,
            (std::vector<Row>{{"x"}}));
}

TEST_F(QueriesTest, AFilteredQueryStillOnlyReads) {
  const std::vector<ColumnFilter> filters = {{"n", "1"}};

  EXPECT_THROW(run_query(store_, "DELETE FROM cell RETURNING 1 AS n", filters), StoreError);
  EXPECT_THROW(run_query(store_, "SELECT 1 AS n) UNION SELECT * FROM (SELECT 2", filters),
               StoreError);
}

TEST_F(QueriesTest, ValuesKeepTheirTypes) {
  const table::Table table =
      run_query(store_, "SELECT 1 AS i, 0.5 AS r, 'x' AS s, NULL AS n, X'00ff' AS b");

  EXPECT_EQ(table.columns, (std::vector<std::string>{"i", "r", "s", "n", "b"}));
  EXPECT_EQ(table.rows[0],
            (std::vector<table::Value>{std::int64_t{1}, 0.5, "x", std::monostate{}, "X'00ff'"}));
}

TEST_F(QueriesTest, NoRowsStillHaveColumns) {
  EXPECT_EQ(run_query(store_, "SELECT key FROM cell WHERE false").columns,
            std::vector<std::string>{"key"});
}

TEST_F(QueriesTest, TrailingCommentsAndSemicolonsAreFine) {
  EXPECT_EQ(run_query(store_, "-- how many\nSELECT 1; -- one\n /* really */ ;").rows.size(), 1U);
}

TEST_F(QueriesTest, SchemaCanBeDescribed) {
  EXPECT_FALSE(run_query(store_, "PRAGMA table_info(cell)").rows.empty());
  EXPECT_FALSE(run_query(store_, "SELECT * FROM pragma_table_xinfo('environment')").rows.empty());
  EXPECT_FALSE(run_query(store_, "EXPLAIN QUERY PLAN SELECT * FROM accuracy").rows.empty());
  EXPECT_EQ(run_query(store_, "PRAGMA user_version").rows.size(), 1U);
}

TEST_F(QueriesTest, StatementsThatDoMoreThanReadAreRefused) {
  const std::string other = (folder_.path() / "other.sqlite").string();
  for (const std::string& sql : {std::string("DELETE FROM cell"),
                                 std::string("INSERT INTO meta VALUES ('a', 'b')"),
                                 std::string("CREATE TABLE t (i)"),
                                 std::string("CREATE TEMP TABLE t (i)"),
                                 std::string("DROP VIEW accuracy"),
                                 std::string("ATTACH '" + other + "' AS other"),
                                 std::string("VACUUM INTO '" + other + "'"),
                                 std::string("BEGIN"),
                                 std::string("PRAGMA user_version = 7"),
                                 std::string("PRAGMA journal_mode = DELETE"),
                                 std::string("PRAGMA foreign_keys = OFF"),
                                 std::string("SELECT load_extension('x')"),
                                 std::string("WITH a AS (SELECT 1) DELETE FROM cell")}) {
    EXPECT_THAT(refusal(sql), HasSubstr("one statement that only reads")) << sql;
  }
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(QueriesTest, WriterStillWritesAfterAQuery) {
  run_query(store_, "SELECT 1");

  EXPECT_NO_THROW(store_.begin_run(testing::make_study(), testing::make_info()));
}

TEST_F(QueriesTest, MoreThanOneStatementIsRefused) {
  EXPECT_THAT(refusal("SELECT 1; SELECT 2"), HasSubstr("more than one statement"));
  EXPECT_THAT(refusal("SELECT 1; DROP TABLE cell"), HasSubstr("more than one statement"));
}

TEST_F(QueriesTest, EmptyQueryIsRefused) {
  EXPECT_THAT(refusal(" -- nothing\n"), HasSubstr("the query is empty"));
}

TEST_F(QueriesTest, WrongSqlShowsTheTextOfSqlite) {
  EXPECT_EQ(refusal("SELECT nowhere FROM accuracy"), "the query is wrong: no such column: nowhere");
  EXPECT_EQ(refusal("SELEC 1"), "the query is wrong: near \"SELEC\": syntax error");
}

TEST_F(QueriesTest, ErrorWhileRunningShowsTheTextOfSqlite) {
  EXPECT_EQ(refusal("SELECT json_extract(argv || '}', '$') FROM run"),
            "the query failed: malformed JSON");
}

}  // namespace
}  // namespace unmask::store::queries_test
