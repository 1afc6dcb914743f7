#include "store/queries.hpp"

#include <string>
#include <utility>

#include <sqlite3.h>

#include "store/database.hpp"

namespace unmask::store {
namespace {

constexpr const char* kName = "query";

// Pragmas that describe and cannot change.
bool is_describing_pragma(std::string_view name) {
  constexpr std::string_view kAllowed[] = {"table_info",
                                           "table_xinfo",
                                           "table_list",
                                           "index_list",
                                           "index_info",
                                           "index_xinfo",
                                           "foreign_key_list",
                                           "database_list",
                                           "function_list",
                                           "compile_options",
                                           "integrity_check",
                                           "quick_check",
                                           "foreign_key_check"};
  for (const std::string_view allowed : kAllowed) {
    if (allowed == name) return true;
  }
  return false;
}

// Pragmas that describe without an argument and change with one.
bool is_readable_setting(std::string_view name) {
  return name == "user_version" || name == "application_id" || name == "schema_version" ||
         name == "journal_mode" || name == "page_count" || name == "page_size";
}

// Called while a statement is prepared. What writes rows or tables is found afterwards, by
// sqlite3_stmt_readonly; here is what that function lets pass: other files, settings, transactions.
extern "C" int authorize(void* was_denied,
                         int action,
                         const char* first,
                         const char* second,
                         const char* /*database*/,
                         const char* /*view*/) noexcept {
  bool is_allowed = true;
  switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: is_allowed = false; break;
    case SQLITE_FUNCTION:
      is_allowed = second == nullptr || std::string_view(second) != "load_extension";
      break;
    case SQLITE_PRAGMA:
      is_allowed = first != nullptr && (is_describing_pragma(first) ||
                                        (is_readable_setting(first) && second == nullptr));
      break;
    default: break;
  }
  if (!is_allowed) *static_cast<bool*>(was_denied) = true;
  return is_allowed ? SQLITE_OK : SQLITE_DENY;
}

// Restricts a connection to reading while it lives.
class ReadingOnly {
 public:
  explicit ReadingOnly(sqlite3* handle) : handle_(handle) {
    sqlite3_set_authorizer(handle_, authorize, &was_denied_);
  }
  ~ReadingOnly() { sqlite3_set_authorizer(handle_, nullptr, nullptr); }
  ReadingOnly(const ReadingOnly&) = delete;
  ReadingOnly& operator=(const ReadingOnly&) = delete;

  bool was_denied() const { return was_denied_; }

 private:
  sqlite3* handle_;
  bool was_denied_ = false;
};

// RAII for the raw statement: run_query needs the tail of the text, which Statement hides.
class Prepared {
 public:
  Prepared(sqlite3* handle, const char* sql, const char** tail)
      : code_(sqlite3_prepare_v2(handle, sql, -1, &statement_, tail)) {}
  ~Prepared() { sqlite3_finalize(statement_); }
  Prepared(Prepared&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)), code_(other.code_) {}
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;
  Prepared& operator=(Prepared&&) = delete;

  int code() const { return code_; }
  sqlite3_stmt* get() const { return statement_; }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_;
};

[[noreturn]] void refuse(const std::string& reason) {
  throw StoreError(reason +
                   "; a query is one statement that only reads (SELECT, VALUES, WITH, EXPLAIN)");
}

std::string blob_text(const unsigned char* data, int size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string result = "X'";
  for (int i = 0; i < size; ++i) {
    result += kDigits[data[i] >> 4];
    result += kDigits[data[i] & 15];
  }
  return result + "'";
}

table::Value value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_NULL: return std::monostate{};
    case SQLITE_BLOB:
      return blob_text(static_cast<const unsigned char*>(sqlite3_column_blob(statement, column)),
                       sqlite3_column_bytes(statement, column));
    default: {
      const void* data = sqlite3_column_blob(statement, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
      return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
    }
  }
}

}  // namespace

namespace {

// Prepared, and known to be one statement that only reads.
Prepared prepare_reading(Database& database, const std::string& text, ReadingOnly& reading_only) {
  if (text.find('\0') != std::string::npos) refuse("the query holds a zero byte");
  sqlite3* handle = database.handle();
  const char* tail = nullptr;
  Prepared statement(handle, text.c_str(), &tail);
  if (reading_only.was_denied()) refuse("the query would do more than read");
  if ((statement.code() & 0xff) == SQLITE_ERROR) {
    const std::string reason = sqlite3_errmsg(handle);
    throw SqliteError("the query is wrong: " + reason, kName, reason, statement.code());
  }
  if (statement.code() != SQLITE_OK) database.fail(kName, statement.code());
  if (statement.get() == nullptr) refuse("the query is empty");
  const Prepared rest(handle, tail, nullptr);
  if (rest.code() != SQLITE_OK || rest.get() != nullptr) {
    refuse("the query is more than one statement");
  }
  if (sqlite3_stmt_readonly(statement.get()) == 0) refuse("the query would change the database");
  return statement;
}

std::vector<std::string> columns_of(sqlite3_stmt* statement) {
  std::vector<std::string> columns;
  const int count = sqlite3_column_count(statement);
  columns.reserve(static_cast<std::size_t>(count));
  for (int c = 0; c < count; ++c) columns.emplace_back(sqlite3_column_name(statement, c));
  return columns;
}

// The query with conditions on its columns around it. The one question behind FROM keeps its order.
std::string with_conditions(std::string_view sql, std::span<const ColumnFilter> filters) {
  sql = sql.substr(0, sql.find_last_not_of("; \t\r\n") + 1);
  std::string text = "SELECT * FROM (" + std::string(sql) + "\n)";
  for (std::size_t i = 0; i < filters.size(); ++i) {
    std::string name;
    for (const char c : filters[i].column) name += c == '"' ? "\"\"" : std::string(1, c);
    text += (i == 0 ? " WHERE CAST(\"" : " AND CAST(\"") + name + "\" AS TEXT) GLOB ?";
  }
  return text;
}

}  // namespace

std::vector<std::string> query_columns(const Store& store, std::string_view sql) {
  ReadingOnly reading_only(store.database().handle());
  const Prepared statement = prepare_reading(store.database(), std::string(sql), reading_only);
  return columns_of(statement.get());
}

namespace {

void read_answer(Database& database,
                 std::string_view sql,
                 std::span<const ColumnFilter> filters,
                 const RowReader& reader) {
  sqlite3* handle = database.handle();
  ReadingOnly reading_only(handle);
  if (!filters.empty()) prepare_reading(database, std::string(sql), reading_only);
  const Prepared statement = prepare_reading(
      database, filters.empty() ? std::string(sql) : with_conditions(sql, filters), reading_only);
  for (std::size_t i = 0; i < filters.size(); ++i) {
    const std::string& pattern = filters[i].pattern;
    sqlite3_bind_text(statement.get(),
                      static_cast<int>(i) + 1,
                      pattern.data(),
                      static_cast<int>(pattern.size()),
                      SQLITE_STATIC);
  }

  const std::vector<std::string> columns = columns_of(statement.get());
  reader.columns(columns);
  std::vector<table::Value> row(columns.size());
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      row[c] = value_of(statement.get(), static_cast<int>(c));
    }
    reader.row(row);
  }
  if ((code & 0xff) == SQLITE_ERROR) {
    const std::string reason = sqlite3_errmsg(handle);
    throw SqliteError("the query failed: " + reason, kName, reason, code);
  }
  if (code != SQLITE_DONE) database.fail(kName, code);
}

}  // namespace

void read_rows(const Store& store, std::string_view sql, const RowReader& reader) {
  read_answer(store.database(), sql, {}, reader);
}

table::Table run_query(Database& database,
                       std::string_view sql,
                       std::span<const ColumnFilter> filters) {
  table::Table table;
  read_answer(database,
              sql,
              filters,
              {[&](const std::vector<std::string>& columns) { table.columns = columns; },
               [&](const std::vector<table::Value>& row) { table.rows.push_back(row); }});
  return table;
}

table::Table run_query(const Store& store,
                       std::string_view sql,
                       std::span<const ColumnFilter> filters) {
  return run_query(store.database(), sql, filters);
}

}  // namespace unmask::store
