#include "store/migrations.hpp"

#include <filesystem>
#include <string>
#include <system_error>

#include "store/schema_v1.hpp"
#include "store/schema_v2.hpp"
#include "store/schema_v3.hpp"
#include "store/schema_v4.hpp"
#include "store/schema_v5.hpp"
#include "store/views.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store {
namespace {

constexpr Migration kMigrations[] = {{1, "initial schema", kSchemaV1},
                                     {2, "whole plans, undecided samples", kSchemaV2},
                                     {3, "verdicts", kSchemaV3},
                                     {4, "verifications, parts of unfinished cells", kSchemaV4},
                                     {5, "memory of GPUs", kSchemaV5}};

// A copy of the file as it is now. VACUUM INTO sees a consistent state even while others read. The
// copy gets its name when it is whole, so that a backup that exists can be relied on.
std::filesystem::path back_up(Database& database, int version) {
  std::filesystem::path target = database.file();
  target += ".v" + std::to_string(version) + ".bak";
  std::filesystem::path partial = target;
  partial += ".partial";
  std::error_code error;
  std::filesystem::remove(partial, error);
  database.prepare("back up before upgrading", "VACUUM INTO ?").bind(partial.string()).run();
  std::filesystem::rename(partial, target, error);
  if (error) {
    throw StoreError("backup " + target.string() + " cannot be made: " + error.message() +
                     "; the database was not upgraded");
  }
  return target;
}

void apply(Database& database, const Migration& step) {
  Transaction transaction(database);
  // Views look at tables that a step may rename, and are made again afterwards.
  drop_views(database);
  database.execute("upgrade to schema version " + std::to_string(step.version),
                   std::string(step.sql));
  if (step.version == 1) {
    database.execute("mark the file as ours",
                     "PRAGMA application_id = " + std::to_string(kApplicationId));
  }
  database
      .prepare("record the upgrade",
               "INSERT INTO migration(version, name, applied_at, tool, sql_sha256) "
               "VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?, ?)")
      .bind(step.version)
      .bind(step.name)
      .bind(UNMASK_VERSION)
      .bind(sha256_hex(step.sql))
      .run();
  // Foreign keys are off during a step, because rebuilding a table needs it; so look now.
  if (Statement check = database.prepare("check foreign keys", "PRAGMA foreign_key_check");
      check.step()) {
    throw StoreError(database.file().string() + " cannot be upgraded to schema version " +
                     std::to_string(step.version) + ": a row of table " + check.text(0) +
                     " refers to a row of table " + check.text(2) +
                     " that does not exist; the file was left as it was");
  }
  database.execute("set the schema version",
                   "PRAGMA user_version = " + std::to_string(step.version));
  transaction.commit();
}

}  // namespace

std::span<const Migration> migrations() {
  return kMigrations;
}

int schema_version() {
  return kMigrations[std::size(kMigrations) - 1].version;
}

int check_identity(Database& database) {
  const std::string file = database.file().string();
  const auto application = database.integer("read application_id", "PRAGMA application_id");
  const auto version = database.integer("read user_version", "PRAGMA user_version");
  const auto objects = database.integer("read schema", "SELECT count(*) FROM sqlite_schema");
  if (application == 0 && version == 0 && objects == 0) return 0;
  if (application != kApplicationId) {
    throw StoreError(file +
                     " is a SQLite database of another application, not a results database; "
                     "name another file with --db");
  }
  if (version < 1) {
    throw StoreError(file + " has schema version " + std::to_string(version) +
                     ", which no unmask writes; restore it from a backup");
  }
  return static_cast<int>(version);
}

int check_writable(Database& database, int newest) {
  const int version = check_identity(database);
  const std::string file = database.file().string();
  if (version > newest) {
    throw StoreError(file + " has schema version " + std::to_string(version) +
                     ", this unmask writes versions up to " + std::to_string(newest) +
                     "; use the newer unmask that wrote it, or name another file with --db "
                     "(queries work with this one, too)");
  }
  if (version == 0) return version;
  const std::string sealed =
      database.text("look for a seal", "SELECT value FROM meta WHERE key = 'sealed_at'");
  if (!sealed.empty()) {
    throw StoreError(file + " was sealed at " + sealed +
                     " and stays as it is; name another file with --db, or make a copy that can be "
                     "written: unmask db backup COPY --db " +
                     file);
  }
  return version;
}

void migrate(Database& database, std::span<const Migration> steps) {
  UNMASK_CHECK(!steps.empty(), "no schema steps");
  const int newest = steps.back().version;
  const int version = check_writable(database, newest);
  if (version == newest) return;
  if (version > 0) back_up(database, version);
  database.execute("suspend foreign keys", "PRAGMA foreign_keys = OFF");
  // Somebody may have put a view of their own into the file: renaming a table must not trip over it.
  database.execute("leave foreign views alone", "PRAGMA legacy_alter_table = ON");
  int reached = version;
  for (const Migration& step : steps) {
    if (step.version <= version) continue;
    UNMASK_CHECK(step.version == reached + 1, "schema steps are not numbered in order");
    apply(database, step);
    reached = step.version;
  }
  database.execute("look at views again", "PRAGMA legacy_alter_table = OFF");
  database.execute("resume foreign keys", "PRAGMA foreign_keys = ON");
}

}  // namespace unmask::store
