#include "store/database.hpp"

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <fstream>
#include <system_error>
#include <utility>

#include <sqlite3.h>

#include "text/shell_words.hpp"
#include "unmask/file_kind.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;

// Pages in memory: the index of the keys of 200,000 cells.
constexpr int kCacheKib = 16 * 1024;

constexpr int kBusyTimeoutMs = 10'000;
constexpr int kOldestSqlite = 3'037'000;  // STRICT tables

std::string not_a_database(const std::string& file) {
  std::string beginning(kFileKindBytes, '\0');
  std::ifstream in(file, std::ios::binary);
  in.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
  beginning.resize(static_cast<std::size_t>(in.gcount()));
  const std::string kind = file_kind(beginning);
  return " is not a SQLite database" + (kind.empty() ? "" : " but " + kind) +
         "; name another file with --db";
}

// What to do about an error, where there is something to do.
std::string advice(const std::string& file, int extended_code) {
  switch (extended_code & 0xff) {
    case SQLITE_NOTADB: return file + not_a_database(file);
    case SQLITE_CORRUPT:
      return file + " is damaged; restore it from a backup, or rescue what is readable with: " +
             words::shell_command({"sqlite3", file, ".recover"}) + " | sqlite3 rescued.sqlite";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return file + " is locked by another program; close it and run the same command again";
    case SQLITE_FULL:
      return file +
             " cannot grow: the disk is full, or a quota or limit of file sizes is reached; make "
             "room and run the same command again";
    case SQLITE_CANTOPEN:
      return file + " cannot be opened; check that its folder exists and that you may write there";
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return file + " may not be written; check the permissions of the file and its folder";
    case SQLITE_IOERR: return file + " cannot be read or written; check the disk";
    case SQLITE_CONSTRAINT: return file + " refuses a value that cannot be";
    default: return file + ": the database refuses a statement";
  }
}

// Why the last write to the database or to its log failed.
int errno_of_write(sqlite3* handle) {
  int error = 0;
  sqlite3_file* log = nullptr;
  if (sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
      log != nullptr && log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
  }
  if (error == 0) sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
  return error;
}

// For SQLite a disk is full when it says so; a quota that is used up, and a limit of file sizes, are
// faults of the disk to it. To us they are the same: room can be made.
int kind_of(int extended_code, sqlite3* handle) {
  // The index of the log cannot be made longer. Nobody keeps the reason; there is hardly another.
  if (extended_code == SQLITE_IOERR_SHMSIZE) return SQLITE_FULL;
  if (extended_code != SQLITE_IOERR_WRITE && extended_code != SQLITE_IOERR_FSYNC) {
    return extended_code;
  }
  const int error = errno_of_write(handle);
  const bool needs_room = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return needs_room ? SQLITE_FULL : extended_code;
}

[[noreturn]] void throw_error(const std::string& file,
                              const std::string& statement,
                              int code,
                              const std::string& text) {
  throw SqliteError(advice(file, code) + " (SQLite: " + text + ", code " +
                        std::to_string(code & 0xff) + "/" + std::to_string(code) +
                        ", while: " + statement + ")",
                    statement,
                    text,
                    code);
}

// Bytes with a meaning in a URI, percent-encoded.
std::string uri_path(const std::string& path) {
  std::string result;
  for (const char c : path) {
    if (c == '%') {
      result += "%25";
    } else if (c == '?') {
      result += "%3f";
    } else if (c == '#') {
      result += "%23";
    } else {
      result += c;
    }
  }
  return result;
}

// A reader of a WAL database needs the files "-wal" and "-shm" or must be able to make them. In a
// folder that is closed to us, without a log, the file alone is the whole database, and nobody like
// us can be writing to it: SQLite may read it as it stands.
bool is_sealed(const fs::path& file) {
  std::error_code error;
  fs::path log = file;
  log += "-wal";
  return ::access(file.parent_path().c_str(), W_OK) != 0 && !fs::exists(log, error);
}

// SQLite notices when whole pages are missing, but not when the last one is cut short. While there
// is a log, the file may rightly be shorter than the database.
void check_length(Database& database, const fs::path& file) {
  std::error_code error;
  fs::path log = file;
  log += "-wal";
  const auto logged = fs::file_size(log, error);
  if (!error && logged > 0) return;
  const auto length = fs::file_size(file, error);
  if (error) return;  // it was just made, or it vanished: the next statement will tell
  const std::int64_t pages = database.integer("read page_count", "PRAGMA page_count");
  const std::int64_t size = database.integer("read page_size", "PRAGMA page_size");
  if (length < static_cast<std::uintmax_t>(pages * size)) {
    throw_error(file.string(), "check the length", SQLITE_CORRUPT, "the file is truncated");
  }
}

}  // namespace

SqliteError::SqliteError(const std::string& message,
                         std::string statement,
                         std::string text,
                         int extended_code)
    : StoreError(message),
      statement_(std::move(statement)),
      text_(std::move(text)),
      extended_(extended_code) {}

SqliteError::~SqliteError() = default;

Statement::Statement(sqlite3_stmt* statement, std::string name)
    : statement_(statement), name_(std::move(name)) {}

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      name_(std::move(other.name_)),
      bound_(other.bound_) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    statement_ = std::exchange(other.statement_, nullptr);
    name_ = std::move(other.name_);
    bound_ = other.bound_;
  }
  return *this;
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::check_bind(int code) {
  if (code == SQLITE_OK) return;
  throw InternalError("value " + std::to_string(bound_) + " of statement \"" + name_ +
                      "\" cannot be bound: " + sqlite3_errstr(code));
}

Statement& Statement::bind(std::int64_t value) {
  check_bind(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::bind(double value) {
  if (std::isnan(value)) {
    throw StoreError(
        "a number is not a number (NaN) where the database needs one (statement: " + name_ + ")");
  }
  check_bind(sqlite3_bind_double(statement_, ++bound_, value));
  return *this;
}

Statement& Statement::bind(std::string_view value) {
  // A null pointer would bind NULL; an empty view may have one.
  const char* data = value.data() == nullptr ? "" : value.data();
  check_bind(sqlite3_bind_text64(statement_,
                                 ++bound_,
                                 data,
                                 value.size(),
                                 SQLITE_TRANSIENT,  // NOLINT: macro of SQLite
                                 SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_null() {
  check_bind(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  sqlite3* handle = sqlite3_db_handle(statement_);
  const int extended = kind_of(sqlite3_extended_errcode(handle), handle);
  const std::string text = sqlite3_errmsg(handle);
  reset();
  throw_error(sqlite3_db_filename(handle, "main"), name_, extended, text);
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bound_ = 0;
}

int Statement::column_count() const {
  return sqlite3_column_count(statement_);
}

std::string Statement::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_, column);
  return name == nullptr ? "" : name;
}

int Statement::column_type(int column) const {
  return sqlite3_column_type(statement_, column);
}

bool Statement::is_null(int column) const {
  return column_type(column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string Statement::text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

Database::Database(sqlite3* handle, std::filesystem::path file) noexcept
    : handle_(handle), file_(std::move(file)) {}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), file_(std::move(other.file_)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    sqlite3_close_v2(handle_);
    handle_ = std::exchange(other.handle_, nullptr);
    file_ = std::move(other.file_);
  }
  return *this;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

void Database::fail(const std::string& statement, int code) const {
  throw_error(file_.string(), statement, kind_of(code, handle_), sqlite3_errmsg(handle_));
}

Database Database::connect(const fs::path& file, const std::string& name, int flags) {
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database(handle, file);
  if (opened != SQLITE_OK) database.fail("open", opened);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  // Files travel between people: a schema must not be able to do more than hold data.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  int has_foreign_keys = 0;
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, &has_foreign_keys);
  if (has_foreign_keys != 1) {
    throw StoreError("this SQLite library cannot enforce foreign keys; use one built with them");
  }
  database.execute("configure", "PRAGMA cell_size_check = ON");
  // Keys are random, so looking up those of a plan touches all pages of their index again and again.
  database.execute("configure", "PRAGMA cache_size = -" + std::to_string(kCacheKib));
  // The first look into the file: it may be anything.
  database.integer("read the schema", "SELECT count(*) FROM sqlite_schema");
  check_length(database, file);
  return database;
}

Database Database::open(const fs::path& given, Mode mode) {
  if (sqlite3_libversion_number() < kOldestSqlite) {
    throw StoreError(std::string("SQLite ") + sqlite3_libversion() +
                     " is too old; version 3.37 or newer is needed");
  }
  // Absolute, so that no name has a meaning of its own to SQLite (":memory:", "file:...").
  const fs::path file = fs::absolute(given);
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw StoreError(file.string() + " is not a file; name another one with --db");
  }
  if (mode == Mode::kWrite) {
    return connect(file, file.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  }
  if (!fs::exists(status)) {
    throw StoreError("there is no results database " + file.string() +
                     "; `unmask run` makes one, --db names another");
  }
  if (is_sealed(file)) {
    return connect(file,
                   "file:" + uri_path(file.string()) + "?mode=ro&immutable=1",
                   SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  }
  return connect(file, file.string(), SQLITE_OPEN_READONLY);
}

void Database::enable_wal() {
  const std::string mode = text("set journal_mode", "PRAGMA journal_mode = WAL");
  if (mode != "wal") {
    throw StoreError(file_.string() + " cannot use a write-ahead log (journal mode is \"" + mode +
                     "\"); put it on a local disk, with --db");
  }
  execute("set synchronous", "PRAGMA synchronous = FULL");
}

void Database::enable_rollback() {
  const std::string mode = text("set journal_mode", "PRAGMA journal_mode = DELETE");
  if (mode != "delete") {
    throw StoreError(file_.string() + " cannot leave its journal mode \"" + mode +
                     "\"; close what reads it and run the same command again");
  }
  execute("set synchronous", "PRAGMA synchronous = FULL");
}

void Database::check_quickly(std::uintmax_t most_bytes) {
  std::error_code error;
  const auto bytes = fs::file_size(file_, error);
  if (error || bytes > most_bytes) return;
  const std::string found = text("check", "PRAGMA quick_check(1)");
  if (found != "ok") throw_error(file_.string(), "check", SQLITE_CORRUPT, found);
}

Statement Database::prepare(const std::string& name, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) fail(name, code);
  return {statement, name};
}

void Database::execute(const std::string& name, const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(name, code);
}

std::int64_t Database::integer(const std::string& name, std::string_view sql) {
  Statement statement = prepare(name, sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const std::string& name, std::string_view sql) {
  Statement statement = prepare(name, sql);
  return statement.step() ? statement.text(0) : "";
}

std::int64_t Database::changes() const {
  return sqlite3_changes(handle_);
}

ReadTransaction::ReadTransaction(Database& database) {
  if (sqlite3_get_autocommit(database.handle()) == 0) return;
  database.execute("begin reading", "BEGIN");
  database_ = &database;
}

ReadTransaction::~ReadTransaction() {
  if (database_ == nullptr) return;
  // Nothing was written: whatever goes wrong here loses nothing, and the connection lets go.
  sqlite3_exec(database_->handle(), "COMMIT", nullptr, nullptr, nullptr);
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.execute("begin", "BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // SQLite may have rolled back already (disk full); then there is nothing left to do.
  if (is_open_ && sqlite3_get_autocommit(database_.handle()) == 0) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.execute("commit", "COMMIT");
  is_open_ = false;
}

}  // namespace unmask::store
