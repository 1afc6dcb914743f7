#include "store/queries.hpp"

#include <functional>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store {
namespace {

using ::testing::HasSubstr;

class QueriesTest : public ::testing::Test {
 protected:
  QueriesTest() { testing::run_small_study(store_); }

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

TEST_F(QueriesTest, ValuesKeepTheirTypes) {
  const report::Table table =
      run_query(store_, "SELECT 1 AS i, 0.5 AS r, 'x' AS s, NULL AS n, X'00ff' AS b");

  EXPECT_EQ(table.columns, (std::vector<std::string>{"i", "r", "s", "n", "b"}));
  EXPECT_EQ(table.rows[0],
            (std::vector<report::Value>{std::int64_t{1}, 0.5, "x", std::monostate{}, "X'00ff'"}));
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
}  // namespace unmask::store
