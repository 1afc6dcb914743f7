#include "store/database.hpp"

#include <cmath>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "base/files.hpp"

namespace unmask::store::database_test {
namespace {

class DatabaseTest : public ::testing::Test {
 protected:
  base::TempFolder folder_;
  Database database_ = Database::open(folder_.path() / "x.sqlite", Database::Mode::kWrite);
};

TEST_F(DatabaseTest, EnforcesForeignKeys) {
  EXPECT_EQ(database_.integer("read", "PRAGMA foreign_keys"), 1);
}

TEST_F(DatabaseTest, DoesNotTrustTheSchemaOfAFile) {
  EXPECT_EQ(database_.integer("read", "PRAGMA trusted_schema"), 0);
}

TEST_F(DatabaseTest, ChecksTheSizeOfCells) {
  EXPECT_EQ(database_.integer("read", "PRAGMA cell_size_check"), 1);
}

TEST_F(DatabaseTest, WaitsTenSecondsForALock) {
  EXPECT_EQ(database_.integer("read", "PRAGMA busy_timeout"), 10'000);
}

TEST_F(DatabaseTest, WalSynchronisesFully) {
  database_.enable_wal();

  EXPECT_EQ(database_.text("read", "PRAGMA journal_mode"), "wal");
  EXPECT_EQ(database_.integer("read", "PRAGMA synchronous"), 2);
}

TEST_F(DatabaseTest, StatementRoundTripsEveryType) {
  database_.execute("make", "CREATE TABLE t (i INTEGER, r REAL, s TEXT, n TEXT) STRICT");

  database_.prepare("insert", "INSERT INTO t VALUES (?, ?, ?, ?)")
      .bind(std::int64_t{1} << 62)
      .bind(0.1)
      .bind(std::string("a\0b", 3))
      .bind_null()
      .run();

  Statement select = database_.prepare("select", "SELECT * FROM t");
  ASSERT_TRUE(select.step());
  EXPECT_EQ(select.integer(0), std::int64_t{1} << 62);
  EXPECT_EQ(select.real(1), 0.1);
  EXPECT_EQ(select.text(2), std::string("a\0b", 3));
  EXPECT_TRUE(select.is_null(3));
}

TEST_F(DatabaseTest, EmptyTextIsNotNull) {
  Statement select = database_.prepare("select", "SELECT ? IS NULL");

  ASSERT_TRUE(select.bind(std::string_view()).step());

  EXPECT_EQ(select.integer(0), 0);
}

TEST_F(DatabaseTest, NanIsRefusedBecauseSqliteWouldMakeItNull) {
  Statement select = database_.prepare("select", "SELECT ?");

  EXPECT_THROW(select.bind(std::nan("")), StoreError);
}

TEST_F(DatabaseTest, ErrorNamesStatementAndBothCodes) {
  database_.execute("make", "CREATE TABLE t (i INTEGER PRIMARY KEY) STRICT");
  database_.execute("fill", "INSERT INTO t VALUES (1)");

  try {
    database_.prepare("insert twice", "INSERT INTO t VALUES (1)").run();
    FAIL() << "no error";
  } catch (const SqliteError& error) {
    EXPECT_EQ(error.primary_code(), SQLITE_CONSTRAINT);
    EXPECT_EQ(error.extended_code(), SQLITE_CONSTRAINT_PRIMARYKEY);
    EXPECT_EQ(error.statement(), "insert twice");
    EXPECT_NE(std::string(error.what()).find("code 19/1555, while: insert twice"),
              std::string::npos)
        << error.what();
  }
}

TEST_F(DatabaseTest, ErrorsLeadToTheExitCodeOfTheStore) {
  try {
    database_.execute("nonsense", "NONSENSE");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::kStore);
  }
}

TEST_F(DatabaseTest, StatementIsReadyAgainAfterAnError) {
  database_.execute("make", "CREATE TABLE t (i INTEGER PRIMARY KEY) STRICT");
  Statement insert = database_.prepare("insert", "INSERT INTO t VALUES (?)");
  insert.bind(1).run();
  EXPECT_THROW(insert.bind(1).run(), SqliteError);

  insert.bind(2).run();

  EXPECT_EQ(database_.integer("count", "SELECT count(*) FROM t"), 2);
}

TEST_F(DatabaseTest, TransactionRollsBackUnlessCommitted) {
  database_.execute("make", "CREATE TABLE t (i INTEGER) STRICT");

  {
    Transaction transaction(database_);
    database_.execute("insert", "INSERT INTO t VALUES (1)");
  }

  EXPECT_EQ(database_.integer("count", "SELECT count(*) FROM t"), 0);
}

TEST_F(DatabaseTest, TransactionKeepsWhatWasCommitted) {
  database_.execute("make", "CREATE TABLE t (i INTEGER) STRICT");

  {
    Transaction transaction(database_);
    database_.execute("insert", "INSERT INTO t VALUES (1)");
    transaction.commit();
  }

  EXPECT_EQ(database_.integer("count", "SELECT count(*) FROM t"), 1);
}

TEST_F(DatabaseTest, MovesWithItsConnection) {
  Database moved = std::move(database_);

  EXPECT_EQ(moved.integer("read", "SELECT 1"), 1);
}

TEST(DatabaseOpen, NameOfAFileHasNoSpecialMeaning) {
  const base::TempFolder folder;
  const auto file = folder.path() / "file:a?mode=memory#%41.sqlite";

  Database::open(file, Database::Mode::kWrite).execute("make", "CREATE TABLE t (i)");

  EXPECT_TRUE(std::filesystem::exists(file));
  EXPECT_NO_THROW(Database::open(file, Database::Mode::kRead));
}

TEST(DatabaseOpen, ReaderCannotWrite) {
  const base::TempFolder folder;
  const auto file = folder.path() / "x.sqlite";
  Database::open(file, Database::Mode::kWrite).execute("make", "CREATE TABLE t (i)");
  Database reader = Database::open(file, Database::Mode::kRead);

  EXPECT_THROW(reader.execute("insert", "INSERT INTO t VALUES (1)"), StoreError);
}

}  // namespace
}  // namespace unmask::store::database_test
