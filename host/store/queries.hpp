#pragma once
// Questions to the store: SQL that only reads, and a list of ready-made questions by name
// (`unmask query NAME`). The views behind them are described in docs/database.md.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"
#include "table/table.hpp"

namespace unmask::store {

struct NamedQuery {
  std::string_view name;         ///< as typed: "worst-case"
  std::string_view description;  ///< one line
  std::string_view sql;
};

/// In the order in which to list them.
std::span<const NamedQuery> named_queries();

/// The query with this name, or nullptr.
const NamedQuery* find_query(std::string_view name);

/// Which of its columns are the better the larger or smaller they are, and among which rows.
table::Style style_of(const NamedQuery& query);

/// The columns of named queries that say what a row is about, not what came out.
std::span<const std::string_view> label_columns();

/// Those of them that tell networks apart.
std::span<const std::string_view> network_columns();

/// Rows whose value in a column, as text, matches a pattern: * stands for anything, ? for one
/// character. No value matches nothing.
struct ColumnFilter {
  std::string column;
  std::string pattern;
};

/// The columns that a query yields, without executing it. @throws StoreError as run_query does
std::vector<std::string> query_columns(const Store& store, std::string_view sql);

/// Gets the columns of an answer, once, and then each of its rows.
struct RowReader {
  std::function<void(const std::vector<std::string>&)> columns;
  std::function<void(const std::vector<table::Value>&)> row;
};

/// The same as run_query, without keeping the rows: for answers that are larger than memory.
void read_rows(const Store& store, std::string_view sql, const RowReader& reader);

/// Execute one statement that only reads: SELECT, VALUES, WITH, EXPLAIN, or a PRAGMA that describes
/// the schema. Blobs come as text X'...'.
/// @param filters  must name columns of the query; only SELECT, VALUES and WITH can have any
/// @throws StoreError with SQLite's text when the SQL is wrong, or when it is not one statement, or
///         when it would change anything (also ATTACH and transactions)
table::Table run_query(Database& database,
                       std::string_view sql,
                       std::span<const ColumnFilter> filters = {});
table::Table run_query(const Store& store,
                       std::string_view sql,
                       std::span<const ColumnFilter> filters = {});

}  // namespace unmask::store
