#include "store/store.hpp"

#include <cstdlib>
#include <system_error>
#include <thread>
#include <utility>

#include <sqlite3.h>

#include "store/file_system.hpp"
#include "store/migrations.hpp"
#include "store/result_folders.hpp"
#include "store/sql_values.hpp"
#include "store/stamps.hpp"
#include "store/store_impl.hpp"
#include "store/views.hpp"
#include "store/writer_lock.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

// A writer looks for damage first in files up to this size: a fraction of a second.
constexpr std::uintmax_t kQuicklyCheckedBytes = std::uintmax_t{64} << 20;

// Attempts and runs that say "running" belong to a process that is gone: only one process writes,
// and that is this one now.
void mark_interrupted(Database& database) {
  Transaction transaction(database);
  database.execute("mark interrupted attempts",
                   "UPDATE attempt SET state = 'interrupted', ended_at = " UNMASK_NOW
                   ", message = 'its run ended without a word' WHERE state = 'running'");
  database.execute("mark interrupted runs",
                   "UPDATE run SET state = 'interrupted', ended_at = " UNMASK_NOW
                   " WHERE state = 'running'");
  transaction.commit();
}

void insert_meta(Database& database) {
  Transaction transaction(database);
  Statement meta = database.prepare(
      "insert meta", "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING");
  meta.bind("uuid").bind(make_uuid()).run();
  meta.bind("created_at").bind(utc_now()).run();
  meta.bind("created_by").bind("unmask " UNMASK_VERSION).run();
  transaction.commit();
}

// What may pass without anybody touching this program. Empty: nothing that waiting helps against.
std::string waiting_for(const SqliteError& error) {
  switch (error.primary_code()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return "is locked by another program; close it";
    case SQLITE_FULL:
      return "cannot grow: the disk is full, or a quota or limit of file sizes is reached; make "
             "room";
    default: return "";
  }
}

}  // namespace

RefusedResult::~RefusedResult() = default;

Store::Impl::Attempt Store::Impl::running_attempt(const std::string& id) {
  Statement find = database.prepare("find attempt",
                                    "SELECT a.cell_id, a.run_id, c.kind FROM attempt a "
                                    "JOIN cell c ON c.id = a.cell_id "
                                    "WHERE a.id = ? AND a.state = 'running'");
  find.bind(id);
  UNMASK_CHECK(find.step(), "attempt " + id + " is not running");
  Attempt attempt{find.integer(0), find.integer(1), find.text(2), 0};
  if (const auto start = started.find(id); start != started.end()) {
    attempt.wall_s = std::chrono::duration<double>(Clock::now() - start->second).count();
  }
  return attempt;
}

std::int64_t Store::Impl::cell_id(const std::string& key) {
  Statement find = database.prepare("find cell", "SELECT id FROM cell WHERE key = ?");
  find.bind(key);
  return only_integer(find, "cell " + key);
}

void Store::Impl::write(const std::function<void(Database&)>& body) {
  UNMASK_CHECK(is_writer, "the store was opened for reading: " + database.file().string());
  const Clock::time_point start = Clock::now();
  for (bool has_told = false;; has_told = true) {
    try {
      Transaction transaction(database);
      body(database);
      transaction.commit();
      return;
    } catch (const SqliteError& error) {
      const std::string what = waiting_for(error);
      if (what.empty() || Clock::now() - start >= patience.limit) throw;
      if (patience.gives_up && patience.gives_up()) throw;
      if (!has_told && patience.tell) {
        const auto limit = std::chrono::duration_cast<std::chrono::seconds>(patience.limit);
        patience.tell(
            database.file().string() + " " + what + " (waiting up to " +
            std::to_string(limit.count()) +
            " s; then this run ends, and the same command goes on: what is recorded and a "
            "finished training are kept, an evaluation that has just ended runs again)");
      }
    }
    std::this_thread::sleep_for(patience.pause);
  }
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

namespace {

// SQLite keeps its log beside the name under which a file was opened, and we the lock: writers under
// two names of one file would not see each other, and damage it.
void expect_one_name(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t names = fs::hard_link_count(file, error);
  if (error || names <= 1) return;
  throw StoreError(file.string() + " is one of " + std::to_string(names) +
                   " hard links to one file, which may be written under one name only; remove the "
                   "others, or make it a file of its own: unmask db backup COPY");
}

}  // namespace

Store Store::open_writer(const fs::path& given) {
  return open_writer(given, file_system_of(ResultFolders::of(given).database));
}

Store Store::open_writer(const fs::path& given, const FileSystem& system) {
  // One name per file, so that there is one lock per file.
  const fs::path file = ResultFolders::of(given).database;
  const Journal journal = journal_for(file, system, std::getenv(kNetworkVariable));  // NOLINT
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) {
    throw StoreError("folder " + file.parent_path().string() +
                     " cannot be made: " + error.message() + "; name another file with --db");
  }
  // Look before touching anything: a file that is not ours gets neither a lock beside it nor a log.
  if (fs::exists(file, error)) {
    Database look = Database::open(file, Database::Mode::kRead);
    check_writable(look, schema_version());
    expect_one_name(file);
  }
  base::UniqueFd lock = take_writer_lock(file);
  Database database = Database::open(file, Database::Mode::kWrite);
  check_writable(database, schema_version());
  database.check_quickly(kQuicklyCheckedBytes);
  if (journal == Journal::kWriteAhead) {
    database.enable_wal();
  } else {
    database.enable_rollback();
  }
  migrate(database, migrations());
  refresh_definitions(database);
  insert_meta(database);
  mark_interrupted(database);
  return Store(std::make_unique<Impl>(Impl{std::move(lock), std::move(database), true}));
}

Store Store::open_reader(const fs::path& given) {
  const fs::path file = ResultFolders::of(given).database;
  Database database = Database::open(file, Database::Mode::kRead);
  const int version = check_identity(database);
  if (version == 0) {
    throw StoreError(
        database.file().string() +
        " is empty: nothing was recorded in it; `unmask run` fills it, --db names another");
  }
  if (version < schema_version()) {
    throw StoreError(database.file().string() + " has schema version " + std::to_string(version) +
                     ", this unmask reads version " + std::to_string(schema_version()) +
                     "; `unmask db migrate` upgrades it, and so does `unmask run`, after a backup");
  }
  // What a newer unmask put into its file fits its tables; what this one would put in front may not.
  if (version > schema_version()) {
    return Store(std::make_unique<Impl>(Impl{{}, std::move(database), false}));
  }
  if (!has_current_definitions(database)) shadow_definitions(database);
  return Store(std::make_unique<Impl>(Impl{{}, std::move(database), false}));
}

const fs::path& Store::file() const noexcept {
  return impl_->database.file();
}
std::string Store::newer_than_this() const {
  const int version = check_identity(impl_->database);
  if (version <= schema_version()) return "";
  return file().string() + " was written by a newer unmask (schema version " +
         std::to_string(version) + ", this one knows " + std::to_string(schema_version()) +
         "): it is only read, through its own views";
}
bool Store::is_writer() const noexcept {
  return impl_->is_writer;
}
std::string Store::uuid() const {
  return impl_->database.text("read uuid", "SELECT value FROM meta WHERE key = 'uuid'");
}
Database& Store::database() const noexcept {
  return impl_->database;
}

void Store::set_patience(Patience patience) {
  // SQLite's own waiting cannot be interrupted: it gets the short part, this class the long one.
  sqlite3_busy_timeout(impl_->database.handle(), static_cast<int>(patience.pause.count()));
  impl_->patience = std::move(patience);
}

void Store::look_from_run(std::optional<std::int64_t> run, std::optional<std::int64_t> earlier) {
  UNMASK_CHECK(!impl_->is_writer, "a writer looks from the latest run");
  for (const auto& id : {run, earlier}) {
    if (!id) continue;
    Statement find = impl_->database.prepare(
        "find run", "SELECT 1 FROM run WHERE id = ? AND plan_id IS NOT NULL");
    if (!find.bind(*id).step()) {
      throw UsageError("there is no run " + std::to_string(*id) +
                       " with a plan in this database; unmask query runs lists them");
    }
  }
  shadow_definitions(impl_->database, run, earlier);
}

const char* sqlite_version() {
  return sqlite3_libversion();
}

}  // namespace unmask::store
