#include "results/exports.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "base/files.hpp"
#include "store/queries.hpp"
#include "table/table.hpp"
#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kRowsAtOnce = 1000;

std::string sql_text(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

// A pattern in which '*' alone is special, as GLOB reads it.
std::string glob_text(std::string_view pattern) {
  std::string result;
  for (const char c : pattern) {
    result += c == '[' ? "[[]" : c == '?' ? "[?]" : std::string(1, c);
  }
  return sql_text(result);
}

bool has_column(const std::vector<std::string>& columns, std::string_view name) {
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

// What an export calls an axis; empty: it has no such axis.
std::string column_of_axis(const std::vector<std::string>& columns, std::string_view axis) {
  std::string name = axis == "epsilon" ? "epsilon_text" : std::string(axis);
  if (has_column(columns, name)) return name;
  return axis == "attack" && has_column(columns, "method") ? "method" : "";
}

// The condition that a selection puts on an export. @return nullopt: it has not all of its axes
std::optional<std::string> condition_of(const Selection& selection,
                                        const std::vector<std::string>& columns,
                                        std::string& missing_axis) {
  std::string condition;
  for (const Conditions& filter : selection.filters) {
    std::string all;
    for (const words::Condition& part : filter) {
      const std::string column = column_of_axis(columns, part.axis);
      if (column.empty()) {
        missing_axis = part.axis;
        return std::nullopt;
      }
      all += (all.empty() ? "" : " AND ") + ("coalesce(CAST(" + column + " AS TEXT), '') GLOB ") +
             glob_text(part.pattern);
    }
    condition += (condition.empty() ? "(" : " OR (") + all + ")";
  }
  return condition;
}

// Rows into a file, some at a time.
class FileWriter {
 public:
  FileWriter(const fs::path& file, ExportFormat format)
      : file_(file), format_(format), out_(file, std::ios::binary) {}

  void begin(const std::vector<std::string>& columns) {
    table_.columns = columns;
    if (format_ == ExportFormat::kCsv) table::print(out_, table_, table::Format::kCsv);
  }

  void add(const std::vector<table::Value>& row) {
    table_.rows.push_back(row);
    ++rows_;
    if (table_.rows.size() == kRowsAtOnce) flush();
  }

  std::size_t finish() {
    flush();
    out_.close();
    if (!out_) {
      throw DataError("cannot write " + file_.string() + ": " + std::strerror(errno));
    }
    return rows_;
  }

 private:
  void flush() {
    if (table_.rows.empty()) return;
    if (format_ == ExportFormat::kCsv) {
      const std::string text = table::to_text(table_, table::Format::kCsv);
      const std::string head = table::to_text({table_.columns, {}}, table::Format::kCsv);
      out_ << std::string_view(text).substr(head.size());
    } else {
      table::print(out_, table_, table::Format::kJsonLines);
    }
    table_.rows.clear();
  }

  fs::path file_;
  ExportFormat format_;
  std::ofstream out_;
  table::Table table_;
  std::size_t rows_ = 0;
};

std::size_t write_rows(const store::Store& store,
                       const std::string& sql,
                       const fs::path& file,
                       ExportFormat format) {
  FileWriter writer(file, format);
  store::read_rows(store,
                   sql,
                   {[&](const std::vector<std::string>& columns) { writer.begin(columns); },
                    [&](const std::vector<table::Value>& row) { writer.add(row); }});
  return writer.finish();
}

void expect_free(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) {
    throw UsageError("--out " + folder.string() + " is a file; name a folder");
  }
  if (!fs::is_empty(folder, error) || error) {
    throw UsageError("--out " + folder.string() +
                     " is there and holds files; name a folder that is not, or empty it");
  }
}

// What was written beside it takes its place.
void move_into_place(const fs::path& from, const fs::path& to) {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  std::error_code error;
  fs::permissions(from, static_cast<fs::perms>(0777 & ~mask), error);
  if (!error) fs::rename(from, to, error);  // an empty folder is replaced
  if (error) throw DataError("cannot make " + to.string() + ": " + error.message());
  base::sync_folder(to.parent_path());
}

}  // namespace

nlohmann::ordered_json datasette_metadata(
    const std::string& database,
    const std::vector<std::pair<std::string, std::vector<std::string>>>& tables) {
  nlohmann::ordered_json of_tables = nlohmann::ordered_json::object();
  for (const auto& [of_table, columns] : tables) {
    const std::string& name = of_table;
    const auto found = std::find_if(
        exports().begin(), exports().end(), [&](const Export& e) { return e.name == name; });
    UNMASK_CHECK(found != exports().end(), name + " is no export");
    nlohmann::ordered_json texts = nlohmann::ordered_json::object();
    nlohmann::ordered_json units = nlohmann::ordered_json::object();
    for (const std::string& column : columns) {
      const ColumnText& text = column_text(name, column);
      texts[column] = std::string(text.meaning) +
                      (text.unit.empty() ? "" : " [" + std::string(text.unit) + "]");
      if (!text.unit.empty()) units[column] = text.unit;
    }
    of_tables[name] = {{"title", found->title},
                       {"description", found->description},
                       {"columns", texts},
                       {"units", units}};
  }
  return {{"title", "unmask results"},
          {"description",
           "Accuracy of classifiers under attack, sample by sample, and what says whether their "
           "gradients are masked"},
          {"databases", {{database, {{"tables", of_tables}}}}}};
}

ExportReport write_exports(const store::Store& store,
                           const Selection& selection,
                           ExportFormat format,
                           const fs::path& folder) {
  expect_free(folder);
  const fs::path target = fs::absolute(folder).lexically_normal();
  // "results/" and "results" are one folder.
  const fs::path place = target.has_filename() ? target : target.parent_path();
  std::error_code error;
  fs::create_directories(place.parent_path(), error);
  if (error)
    throw DataError("cannot make " + place.parent_path().string() + ": " + error.message());
  const base::TempFolder work(".unmask-export-", place.parent_path());
  ExportReport report;
  std::vector<std::pair<std::string, std::vector<std::string>>> tables;
  for (const Export& each : exports()) {
    const std::vector<std::string> columns = store::query_columns(store, each.sql);
    std::string missing_axis;
    const auto condition = condition_of(selection, columns, missing_axis);
    if (!condition) {
      report.left_out.push_back(
          {std::string(each.name),
           "the filter names \"" + missing_axis + "\", which it does not have"});
      continue;
    }
    const std::string sql = "SELECT * FROM (" + std::string(each.sql) + ")" +
                            (condition->empty() ? "" : " WHERE " + *condition) + " ORDER BY " +
                            std::string(each.order);
    const std::string file =
        std::string(each.name) + (format == ExportFormat::kCsv ? ".csv" : ".jsonl");
    report.files.push_back({file, write_rows(store, sql, work.path() / file, format)});
    tables.emplace_back(each.name, columns);
  }
  const std::string text =
      datasette_metadata(store.file().stem().string(), tables)
          .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  base::write_file_atomically(work.path() / "metadata.json", text + "\n");
  report.files.push_back({"metadata.json", tables.size()});
  move_into_place(work.path(), place);
  return report;
}

}  // namespace unmask::results
