#include "store/migrations.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::migrations_test {
namespace {

using testing::run_small_study;

// A made-up next version: a new column and a new table.
Migration next() {
  return {schema_version() + 1,
          "made up",
          "ALTER TABLE metric ADD COLUMN unit TEXT;"
          "CREATE TABLE made_up (i INTEGER PRIMARY KEY) STRICT;"};
}

std::vector<Migration> with_next() {
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  steps.push_back(next());
  return steps;
}

Database open(const std::filesystem::path& file) {
  return Database::open(file, Database::Mode::kWrite);
}

std::string schema(Database& database) {
  return table::to_text(
      run_query(database, "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"),
      table::Format::kCsv);
}

class MigrationsTest : public ::testing::Test {
 protected:
  base::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.sqlite";
  std::filesystem::path backup_ =
      folder_.path() / ("x.sqlite.v" + std::to_string(schema_version()) + ".bak");
};

TEST_F(MigrationsTest, EmptyFileReachesTheNewestVersion) {
  Database database = open(file_);

  migrate(database, migrations());

  EXPECT_EQ(database.integer("read", "PRAGMA user_version"), schema_version());
  EXPECT_EQ(database.integer("read", "PRAGMA application_id"), kApplicationId);
}

TEST_F(MigrationsTest, EmptyFileIsNotBackedUp) {
  Database database = open(file_);

  migrate(database, migrations());

  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "x.sqlite.v0.bak"));
}

TEST_F(MigrationsTest, SecondTimeChangesNothing) {
  Database database = open(file_);
  migrate(database, migrations());
  const auto before = database.integer("read", "SELECT total_changes()");

  migrate(database, migrations());

  EXPECT_EQ(database.integer("read", "SELECT total_changes()"), before);
}

TEST_F(MigrationsTest, PreviousVersionReachesTheNextAndKeepsItsRows) {
  {
    auto store = Store::open_writer(file_);
    run_small_study(store);
  }
  Database database = open(file_);
  const auto outcomes = database.integer("count", "SELECT count(*) FROM sample_outcome");

  migrate(database, with_next());

  EXPECT_EQ(database.integer("read", "PRAGMA user_version"), schema_version() + 1);
  EXPECT_EQ(database.integer("count", "SELECT count(*) FROM sample_outcome"), outcomes);
  EXPECT_EQ(database.integer("read", "PRAGMA foreign_keys"), 1);
}

TEST_F(MigrationsTest, UpgradedSchemaEqualsAFreshOne) {
  Database upgraded = open(file_);
  migrate(upgraded, migrations());
  Database fresh = open(folder_.path() / "fresh.sqlite");

  migrate(upgraded, with_next());
  migrate(fresh, with_next());

  EXPECT_EQ(schema(upgraded), schema(fresh));
}

TEST_F(MigrationsTest, EveryStepIsRecorded) {
  Database database = open(file_);

  migrate(database, with_next());

  EXPECT_EQ(
      database.text("read", "SELECT group_concat(version || ' ' || name) FROM migration"),
      "1 initial schema,2 whole plans, undecided samples,3 verdicts,4 verifications, parts of "
      "unfinished cells,5 memory of GPUs,6 made up");
}

TEST_F(MigrationsTest, BackupHoldsTheFormerVersion) {
  {
    auto store = Store::open_writer(file_);
    run_small_study(store);
  }
  Database database = open(file_);
  migrate(database, with_next());

  const Store backup = Store::open_reader(backup_);

  EXPECT_EQ(run_query(backup, "SELECT count(*) FROM sample_outcome").rows,
            run_query(database, "SELECT count(*) FROM sample_outcome").rows);
}

TEST_F(MigrationsTest, StepThatFailsLeavesTheFormerVersion) {
  Database database = open(file_);
  migrate(database, migrations());
  const std::string before = schema(database);
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  steps.push_back(
      {schema_version() + 1, "broken", "CREATE TABLE half (i INTEGER) STRICT; NONSENSE;"});

  EXPECT_THROW(migrate(database, steps), SqliteError);

  EXPECT_EQ(schema(database), before);
  EXPECT_EQ(database.integer("read", "PRAGMA user_version"), schema_version());
}

TEST_F(MigrationsTest, StepThatBreaksAReferenceIsRefused) {
  {
    auto store = Store::open_writer(file_);
    run_small_study(store);
  }
  Database database = open(file_);
  std::vector<Migration> steps(migrations().begin(), migrations().end());
  steps.push_back({schema_version() + 1, "careless", "DELETE FROM cell WHERE kind = 'probe';"});

  EXPECT_THROW(migrate(database, steps), StoreError);

  EXPECT_EQ(database.integer("count", "SELECT count(*) FROM cell WHERE kind = 'probe'"), 1);
}

TEST(Schema, EveryTableIsStrict) {
  const base::TempFolder folder;
  const Store store = Store::open_writer(folder.path() / "x.sqlite");

  const auto loose = run_query(store,
                               "SELECT name FROM pragma_table_list WHERE schema = 'main' AND "
                               "type = 'table' AND NOT strict AND name <> 'sqlite_schema'");

  EXPECT_TRUE(loose.rows.empty()) << table::to_text(loose, table::Format::kTable);
}

}  // namespace
}  // namespace unmask::store::migrations_test
