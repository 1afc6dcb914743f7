#pragma once
// The whole of a database, or what a filter leaves of it, as files for other programs: one file per
// table or view of interest, and metadata.json, which Datasette reads.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "results/selection.hpp"
#include "store/store.hpp"

namespace unmask::results {

/// What one file holds: the table or view of the same name, with labels where that has none.
struct Export {
  std::string_view name;
  std::string_view title;
  std::string_view description;
  std::string_view sql;    ///< without conditions
  std::string_view order;  ///< of its rows
};

std::span<const Export> exports();

/// What a column holds, once for all tables in which it means the same.
struct ColumnText {
  std::string_view column;
  std::string_view unit;  ///< empty: it has none
  std::string_view meaning;
  std::string_view only_in = "";  ///< the one export in which it means this; empty: in all others
};

std::span<const ColumnText> column_texts();

/// The text of a column of an export. @throws InternalError when there is none
const ColumnText& column_text(std::string_view in, std::string_view column);

enum class ExportFormat { kCsv, kJsonLines };

struct WrittenFile {
  std::string name;
  std::size_t rows = 0;
};

struct LeftOut {
  std::string name;
  std::string reason;
};

struct ExportReport {
  std::vector<WrittenFile> files;
  std::vector<LeftOut> left_out;
};

/// Write all files and metadata.json into `folder`, which must not exist or be empty: it is there
/// whole in the end, or not at all. Rows are never all in memory.
/// @throws UsageError when the folder holds something, DataError when it cannot be written, StoreError
ExportReport write_exports(const store::Store& store,
                           const Selection& selection,
                           ExportFormat format,
                           const std::filesystem::path& folder);

/// metadata.json for a database file of this name: titles, descriptions, units.
nlohmann::ordered_json datasette_metadata(
    const std::string& database,
    const std::vector<std::pair<std::string, std::vector<std::string>>>& tables);

}  // namespace unmask::results
