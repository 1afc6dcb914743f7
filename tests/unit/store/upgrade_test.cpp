// Databases of schema versions 1 to 3 (tests/data/store/schema_v*.sql) open after an upgrade, and
// nothing of them is lost. Views, thresholds and named queries are this program's in any file.

#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "store/database.hpp"
#include "store/migrations.hpp"
#include "store/queries.hpp"
#include "store/store.hpp"
#include "store/views.hpp"
#include "unit/store/small_study.hpp"

namespace unmask::store::upgrade_test {
namespace {

std::string csv(Database& database, const std::string& sql) {
  return table::to_text(run_query(database, sql), table::Format::kCsv);
}

Database open(const std::filesystem::path& file) {
  return Database::open(file, Database::Mode::kWrite);
}

// A question for all rows of each table and view. What the program fills in or writes about the upgrade
// itself is another by right.
std::vector<std::string> every_row_of(Database& database) {
  const table::Table objects =
      run_query(database,
                "SELECT o.name, group_concat('\"' || c.name || '\"', ', ') FROM sqlite_schema o, "
                "pragma_table_xinfo(o.name) c WHERE o.type IN ('table', 'view') AND o.name NOT IN "
                "('meta', 'migration', 'threshold', 'named_query') AND o.name NOT LIKE 'sqlite%' "
                "GROUP BY o.name");
  std::vector<std::string> questions;
  for (const auto& row : objects.rows) {
    const std::string columns = std::get<std::string>(row[1]);
    questions.push_back("SELECT " + columns + " FROM " + std::get<std::string>(row[0]) +
                        " ORDER BY " + columns);
  }
  return questions;
}

class UpgradeTest : public ::testing::Test {
 protected:
  UpgradeTest() {
    Database database = open(file_);
    database.execute(
        "make version 1",
        base::read_file(std::string(UNMASK_SOURCE_DIR) + "/tests/data/store/schema_v1.sql"));
  }

  base::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.sqlite";
};

TEST_F(UpgradeTest, AReaderIsToldWhatToDo) {
  try {
    Store::open_reader(file_);
    FAIL() << "no error";
  } catch (const StoreError& error) {
    EXPECT_NE(std::string(error.what()).find("schema version 1"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("`unmask db migrate` upgrades it"), std::string::npos);
  }
}

TEST_F(UpgradeTest, EveryRowIsKept) {
  Database before = open(file_);
  const std::vector<std::string> same = {
      "SELECT * FROM manifest",
      "SELECT * FROM environment",
      "SELECT * FROM plugin",
      "SELECT id, uuid, manifest_id, state, exit_code, argv FROM run",
      "SELECT * FROM run_plugin",
      "SELECT * FROM run_cell",
      // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one statement in two lines
      "SELECT id, cell_id, run_id, n, state, failure_class, message, log_tail, signal, exit_code, "
      "started_at, ended_at, wall_s, device, peak_bytes, forwards, backwards, nfe, worker_pid, "
      "checkpoint_sha256, source_sha256 FROM attempt",
      "SELECT id, key, kind, checkpoint_cell_id, source_cell_id, spec_json FROM cell",
      "SELECT * FROM cell_plugin",
      "SELECT * FROM checkpoint",
      "SELECT * FROM adversarials",
      "SELECT cell_id, name, value, flag, n FROM metric",
      "SELECT * FROM series",
      // NOLINTNEXTLINE(bugprone-suspicious-missing-comma): one statement in two lines
      "SELECT cell_id, phase, solve, solves, nfe_min, 1.0 * nfe_median AS nfe_median, nfe_max, "
      "nfe_total, accepted, rejected, failed, worst_status, step_min, step_max FROM solve_stats",
      "SELECT cell_id, sample, label, clean_prediction, prediction, distance, queries "
      "FROM sample_outcome",
      "SELECT * FROM sample_metric",
      "SELECT * FROM seed",
      // What the views showed: names, states, numbers.
      "SELECT study, kind, model, train_seed, solver, gradient, source, method, epsilon, seed, "
      "state, attempts FROM cells ORDER BY cell_id",
      "SELECT cell_id, n, clean_correct, robust_correct, lower, upper FROM accuracy ORDER BY 1",
      "SELECT cell_id, gap FROM gradient_matrix ORDER BY cell_id",
      "SELECT * FROM progress"};
  std::vector<std::string> former;
  former.reserve(same.size());
  for (const std::string& sql : same) former.push_back(csv(before, sql));

  const Store store = Store::open_writer(file_);

  for (std::size_t i = 0; i < same.size(); ++i) {
    EXPECT_EQ(csv(store.database(), same[i]), former[i]) << same[i];
  }
  EXPECT_EQ(store.database().integer("read", "PRAGMA user_version"), schema_version());
}

TEST_F(UpgradeTest, TheFormerFileIsKeptBeside) {
  { const Store store = Store::open_writer(file_); }

  Database backup = open(file_.string() + ".v1.bak");

  EXPECT_EQ(backup.integer("read", "PRAGMA user_version"), 1);
  EXPECT_EQ(backup.integer("count", "SELECT count(*) FROM study_cell"), 16);
}

TEST_F(UpgradeTest, UpgradedAndFreshFilesHaveTheSameSchema) {
  constexpr const char* kSchema = "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2";
  const Store upgraded = Store::open_writer(file_);
  const Store fresh = Store::open_writer(folder_.path() / "fresh.sqlite");

  EXPECT_EQ(csv(upgraded.database(), kSchema), csv(fresh.database(), kSchema));
}

// cw_l2 has no parameter that says so; version 1 took it for linf.
TEST_F(UpgradeTest, AttacksWithoutAParameterForItGetTheirNorm) {
  const Store store = Store::open_writer(file_);

  EXPECT_EQ(
      csv(store.database(),
          "SELECT norm, n_attacks, robust_correct FROM worst_case WHERE epsilon_text = '0.5'"),
      "norm,n_attacks,robust_correct\nl2,2,0\n");
}

TEST_F(UpgradeTest, TheNextRunRecordsItsOwnPlan) {
  Store store = Store::open_writer(file_);
  const testing::SmallStudy small;
  const auto run = store.begin_run(testing::make_study(), testing::make_info());
  store.register_cells(run, testing::make_catalog(), std::vector{small.train0, small.clean});

  EXPECT_EQ(csv(store.database(), "SELECT kind, state FROM cells ORDER BY place"),
            "kind,state\ntrain,done\nattack,missing\n");
  EXPECT_EQ(csv(store.database(), "SELECT run_id FROM earlier_run"), "run_id\n1\n");
}

TEST_F(UpgradeTest, AViewThatSomebodyAddedStays) {
  open(file_).execute("add", "CREATE VIEW mine AS SELECT count(*) AS n FROM metric");

  const Store store = Store::open_writer(file_);

  EXPECT_NE(csv(store.database(), "SELECT n FROM mine"), "n\n0\n");
}

// --- from a later version (tests/data/store/schema_v2.sql to schema_v4.sql) ---

class UpgradeFromTest : public ::testing::TestWithParam<int> {
 protected:
  UpgradeFromTest() {
    Database database = open(file_);
    database.execute("make the former version",
                     base::read_file(std::string(UNMASK_SOURCE_DIR) + "/tests/data/store/schema_v" +
                                     std::to_string(GetParam()) + ".sql"));
  }

  base::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.sqlite";
};

TEST_P(UpgradeFromTest, EveryRowOfEveryTableAndViewIsKept) {
  Database before = open(file_);
  const std::vector<std::string> same = every_row_of(before);
  std::vector<std::string> former;
  former.reserve(same.size());
  for (const std::string& sql : same) former.push_back(csv(before, sql));
  ASSERT_GT(same.size(), 30U);

  const Store store = Store::open_writer(file_);

  for (std::size_t i = 0; i < same.size(); ++i) {
    EXPECT_EQ(csv(store.database(), same[i]), former[i]) << same[i];
  }
  EXPECT_EQ(store.database().integer("read", "PRAGMA user_version"), schema_version());
  EXPECT_EQ(csv(store.database(), "SELECT DISTINCT thresholds FROM run"), "thresholds\n{}\n");
}

TEST_P(UpgradeFromTest, TheFormerFileIsKeptBesideAndTheSchemaIsAFreshOne) {
  constexpr const char* kSchema = "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2";
  const Store upgraded = Store::open_writer(file_);
  const Store fresh = Store::open_writer(folder_.path() / "fresh.sqlite");
  Database backup = open(file_.string() + ".v" + std::to_string(GetParam()) + ".bak");

  EXPECT_EQ(csv(upgraded.database(), kSchema), csv(fresh.database(), kSchema));
  EXPECT_EQ(backup.integer("read", "PRAGMA user_version"), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Versions, UpgradeFromTest, ::testing::Values(2, 3, 4));

// The file names definitions of this program already, if they did not change between two versions.
TEST_P(UpgradeFromTest, ViewsAreMadeAgainEvenWhenTheyDidNotChange) {
  open(file_).execute(
      "name definitions",
      "UPDATE meta SET value = '" + definitions_sha256() + "' WHERE key = 'definitions'");

  const Store store = Store::open_writer(file_);

  EXPECT_EQ(csv(store.database(), "SELECT count(*) AS n FROM current_run"), "n\n1\n");
}

// --- the tool's own definitions ---

class DefinitionsTest : public ::testing::Test {
 protected:
  DefinitionsTest() {
    Store store = Store::open_writer(file_);
    testing::run_small_study(store);
  }

  // As another version of the tool would have left the file.
  void spoil() {
    Database database = open(file_);
    database.execute("spoil",
                     "DROP VIEW accuracy; CREATE VIEW accuracy AS SELECT 1 AS other;"
                     "CREATE VIEW of_another_version AS SELECT 1 AS one;"
                     "UPDATE threshold SET value = 1e9;"
                     "UPDATE meta SET value = value || ',of_another_version' WHERE key = 'views';"
                     "UPDATE meta SET value = 'other' WHERE key = 'definitions'");
  }

  base::TempFolder folder_;
  std::filesystem::path file_ = folder_.path() / "x.sqlite";
};

TEST_F(DefinitionsTest, AWriterMakesThoseOfAnotherVersionAgain) {
  constexpr const char* kSchema = "SELECT name, sql FROM sqlite_schema ORDER BY 1";
  Database database = open(file_);
  const std::string before = csv(database, kSchema);
  const std::string thresholds = csv(database, "SELECT * FROM threshold");
  spoil();

  const Store store = Store::open_writer(file_);

  EXPECT_EQ(csv(database, kSchema), before);
  EXPECT_EQ(csv(database, "SELECT * FROM threshold"), thresholds);
}

TEST_F(DefinitionsTest, AReaderPutsItsOwnInFrontAndChangesNothing) {
  std::vector<table::Table> before;
  for (const NamedQuery& query : named_queries()) {
    before.push_back(run_query(Store::open_reader(file_), query.sql));
  }
  spoil();
  const std::string bytes = base::read_file(file_);

  const Store reader = Store::open_reader(file_);

  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(run_query(reader, named_queries()[i].sql).rows, before[i].rows)
        << named_queries()[i].name;
  }
  EXPECT_EQ(base::read_file(file_), bytes);
}

TEST_F(DefinitionsTest, NothingIsWrittenWhenTheyAreCurrent) {
  Database database = open(file_);
  const auto before = database.integer("read", "PRAGMA data_version");
  const auto changes = database.integer("read", "SELECT total_changes()");

  refresh_definitions(database);

  EXPECT_EQ(database.integer("read", "PRAGMA data_version"), before);
  EXPECT_EQ(database.integer("read", "SELECT total_changes()"), changes);
}

TEST_F(DefinitionsTest, NamedQueriesStandInTheFile) {
  const Store reader = Store::open_reader(file_);

  EXPECT_EQ(run_query(reader, "SELECT sql FROM named_query WHERE name = 'robustness'").rows,
            (std::vector<std::vector<table::Value>>{{std::string(find_query("robustness")->sql)}}));
  EXPECT_EQ(run_query(reader, "SELECT name FROM named_query").rows.size(), named_queries().size());
}

TEST_F(DefinitionsTest, AStudyCanBeSeenAsAnEarlierRunPlannedIt) {
  const testing::SmallStudy small;
  {
    Store store = Store::open_writer(file_);
    const auto run = store.begin_run(testing::make_study(), testing::make_info());
    store.register_cells(run, testing::make_catalog(), std::vector{small.train0, small.clean});
  }
  Store reader = Store::open_reader(file_);
  EXPECT_EQ(csv(reader.database(), "SELECT count(*) AS n FROM accuracy"), "n\n1\n");

  reader.look_from_run(1, std::nullopt);

  EXPECT_EQ(csv(reader.database(), "SELECT count(*) AS n FROM accuracy"), "n\n8\n");
  EXPECT_THROW(Store::open_reader(file_).look_from_run(7, std::nullopt), UsageError);
}

TEST_F(DefinitionsTest, TwoRunsAreComparedByTheirNames) {
  const testing::SmallStudy small;
  wire::Cell stronger = small.pgd;
  nlohmann::json attack_part = stronger.spec.at("attack");
  attack_part["params"]["steps"] = 100;
  stronger.spec.set("attack", attack_part);
  stronger.key = std::string(64, 'c');
  {
    Store store = Store::open_writer(file_);
    const auto run = store.begin_run(testing::make_study(), testing::make_info());
    const wire::Cell added = testing::attack_cell(small.train0, "rk4", "", "spsa", 0.1, "0.1");
    store.register_cells(
        run, testing::make_catalog(), std::vector{small.train0, small.clean, stronger, added});
    testing::finish(store, run, stronger, testing::attack_result("rffw"));
  }
  Store reader = Store::open_reader(file_);
  const std::string changes =
      "SELECT earlier_run, run, method, solver, epsilon_text, what, robust_accuracy_before, "
      "robust_accuracy, change FROM (" +
      std::string(find_query("changes")->sql) +
      ") WHERE kind = 'attack' AND model = 'so_resnet' AND what <> 'gone'";

  EXPECT_EQ(csv(reader.database(), changes),
            "earlier_run,run,method,solver,epsilon_text,what,robust_accuracy_before,"
            "robust_accuracy,change\n"
            "1,2,pgd,bosh3,8/255,other,0.5,0.25,-0.25\n"
            "1,2,spsa,rk4,0.1,new,,,\n");
  reader.look_from_run(1, 2);
  EXPECT_EQ(csv(reader.database(), changes),
            "earlier_run,run,method,solver,epsilon_text,what,robust_accuracy_before,"
            "robust_accuracy,change\n"
            "2,1,pgd,bosh3,8/255,other,0.25,0.5,0.25\n"
            "2,1,pgd,bosh3,8/255,new,,0,\n"
            "2,1,pgd,bosh3,8/255,new,,0.75,\n"
            "2,1,spsa,bosh3,8/255,new,,0.25,\n"
            "2,1,pgd,bosh3,4/255,new,,0.75,\n"
            "2,1,pgd,rk4,8/255,new,,0.25,\n"
            "2,1,square,bosh3,8/255,new,,,\n"
            "2,1,pgd,bosh3,8/255,new,,0.25,\n");
}

}  // namespace
}  // namespace unmask::store::upgrade_test
