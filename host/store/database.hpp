#pragma once
// SQLite as C++ values: a connection, a statement, a transaction. Only this room uses them.
//
//   Transaction transaction(database);
//   Statement insert =
//       database.prepare("insert meta", "INSERT INTO meta(key, value) VALUES (?, ?)");
//   insert.bind("uuid").bind(uuid).run();
//   transaction.commit();

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "unmask/errors.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace unmask::store {

/// SQLite refused something. The message holds the name of the statement, SQLite's text and both
/// result codes.
// NOLINTNEXTLINE(cppcoreguidelines-special-member-functions): copies are the compiler's
class SqliteError : public StoreError {
 public:
  SqliteError(const std::string& message,
              std::string statement,
              std::string text,
              int extended_code);
  ~SqliteError() override;

  int primary_code() const noexcept { return extended_ & 0xff; }
  int extended_code() const noexcept { return extended_; }
  const std::string& statement() const noexcept { return statement_; }
  const std::string& text() const noexcept { return text_; }  ///< SQLite's own words

 private:
  std::string statement_;
  std::string text_;
  int extended_;
};

/// A prepared statement. Parameters are bound from left to right; run() and the end of the rows
/// make it ready for the next set.
class Statement {
 public:
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& bind(std::int64_t value);
  Statement& bind(int value) { return bind(std::int64_t{value}); }
  Statement& bind(bool value) { return bind(std::int64_t{value ? 1 : 0}); }
  /// @throws StoreError for NaN, which SQLite would silently turn into NULL
  Statement& bind(double value);
  Statement& bind(std::string_view value);
  Statement& bind(const char* value) { return bind(std::string_view(value)); }
  Statement& bind(const std::string& value) { return bind(std::string_view(value)); }
  Statement& bind_null();
  template <typename T>
  Statement& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind_null();
  }

  /// Next row: true when there is one. @throws SqliteError
  bool step();
  /// Execute to the end, ignoring rows, and forget the bindings. @throws SqliteError
  void run();
  /// Forget the row and the bindings.
  void reset();

  int column_count() const;
  std::string column_name(int column) const;
  int column_type(int column) const;  ///< SQLITE_INTEGER, SQLITE_FLOAT, ...
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string text(int column) const;  ///< bytes of a text or a blob

  sqlite3_stmt* handle() const noexcept { return statement_; }
  const std::string& name() const noexcept { return name_; }

 private:
  friend class Database;
  Statement(sqlite3_stmt* statement, std::string name);
  void check_bind(int code);

  sqlite3_stmt* statement_ = nullptr;
  std::string name_;
  int bound_ = 0;
};

/// A connection with the settings of docs/database.md: foreign keys on, untrusted schema, a busy
/// timeout of 10 s, and for writers WAL with full synchronisation.
class Database {
 public:
  enum class Mode { kRead, kWrite };

  /// Open a file; kWrite makes it when it is missing, kRead never does.
  /// @throws StoreError that says what is wrong with the file and what to do
  static Database open(const std::filesystem::path& file, Mode mode);

  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  /// Write-ahead log with full synchronisation: readers never wait, a commit survives power
  /// failure. Changes the file, so only once it is known to be ours.
  void enable_wal();

  /// A rollback journal with full synchronisation, where there can be no write-ahead log.
  void enable_rollback();

  /// Look for damage in a file of at most `most_bytes`: pages, indices and constraints, but not
  /// whether an index agrees with its table. @throws SqliteError that names the first damage
  void check_quickly(std::uintmax_t most_bytes);

  /// @param name for messages: what the statement does
  Statement prepare(const std::string& name, std::string_view sql);
  /// Execute any number of statements without parameters.
  void execute(const std::string& name, const std::string& sql);
  /// First column of the first row as an integer; 0 without a row.
  std::int64_t integer(const std::string& name, std::string_view sql);
  std::string text(const std::string& name, std::string_view sql);
  /// Rows changed by the latest statement.
  std::int64_t changes() const;

  const std::filesystem::path& file() const noexcept { return file_; }
  sqlite3* handle() const noexcept { return handle_; }

  /// Throw the error that the connection reports now.
  [[noreturn]] void fail(const std::string& statement, int code) const;

 private:
  Database(sqlite3* handle, std::filesystem::path file) noexcept;
  static Database connect(const std::filesystem::path& file, const std::string& name, int flags);

  sqlite3* handle_ = nullptr;
  std::filesystem::path file_;
};

/// One view of the database for many statements: without it each of them takes and gives back a lock of
/// the file. Does nothing inside another transaction.
class ReadTransaction {
 public:
  explicit ReadTransaction(Database& database);
  ~ReadTransaction();
  ReadTransaction(const ReadTransaction&) = delete;
  ReadTransaction& operator=(const ReadTransaction&) = delete;

 private:
  Database* database_ = nullptr;  // null: it is somebody else's
};

/// BEGIN IMMEDIATE ... COMMIT. Rolls back at the end of its scope unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  void commit();

 private:
  Database& database_;
  bool is_open_ = true;
};

}  // namespace unmask::store
