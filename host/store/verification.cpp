#include "store/verification.hpp"

#include <map>
#include <span>
#include <utility>
#include <variant>

#include "base/files.hpp"
#include "store/file_system.hpp"
#include "store/result_values.hpp"
#include "store/row_values.hpp"
#include "store/sql_values.hpp"
#include "store/stamps.hpp"
#include "store/store_impl.hpp"

namespace unmask::store {
namespace {

// A table of values and what tells its rows apart within a cell.
struct VerifiedTable {
  const char* name;
  const char* identity;  // columns, as in its primary key; "": one row
  const char* values;
};

// Without what tells of the process or of time alone.
constexpr VerifiedTable kVerifiedTables[] = {
    {"checkpoint", "", "sha256, bytes"},
    {"metric", "name", "value, flag, reason, n"},
    {"sample_outcome",
     "sample",
     "label, state, clean_prediction, prediction, distance, queries, passes"},
    {"sample_metric", "sample, name", "value, flag"},
    {"series", "name, step", "value, flag"},
    {"solve_stats",
     "phase, solve",
     "solves, nfe_min, nfe_median, nfe_max, nfe_total, accepted, rejected, failed, worst_status, "
     "step_min, step_max"},
    {"seed", "purpose", "seed"}};

std::optional<std::string> optional_text(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
  return to_text(value);
}

void note_difference(Comparison& comparison, ValueDifference difference) {
  ++comparison.count;
  if (comparison.differences.size() < Comparison::kDifferencesKept) {
    comparison.differences.push_back(std::move(difference));
  }
}

struct TableRows {
  std::vector<std::string> columns;
  std::map<Row, Row> by_identity;
  std::size_t n_identity = 0;
};

TableRows rows_in(Database& database, const VerifiedTable& table, std::int64_t cell) {
  const std::string identity = table.identity;
  // How fast a training went is no part of its result.
  const std::string where =
      std::string(table.name) == "series" ? " AND name <> 'images_per_s'" : "";
  Statement read =
      database.prepare(std::string("read ") + table.name,
                       "SELECT " + identity + (identity.empty() ? "" : ", ") + table.values +
                           " FROM " + table.name + " WHERE cell_id = ?" + where);
  TableRows rows;
  for (int column = 0; column < read.column_count(); ++column) {
    rows.columns.push_back(read.column_name(column));
  }
  if (!identity.empty()) rows.n_identity = 1;
  for (const char letter : identity) rows.n_identity += letter == ',' ? 1 : 0;
  read.bind(cell);
  while (read.step()) {
    Row row = row_of(read);
    const auto border = row.begin() + static_cast<std::ptrdiff_t>(rows.n_identity);
    Row id(row.begin(), border);
    row.erase(row.begin(), border);
    rows.by_identity.emplace(std::move(id), std::move(row));
  }
  return rows;
}

// A difference that names its row: the sample, and whatever else is in its identity.
ValueDifference at_row(const VerifiedTable& table, const TableRows& rows, const Row& identity) {
  ValueDifference difference;
  difference.source = table.name;
  for (std::size_t i = 0; i < identity.size(); ++i) {
    if (rows.columns[i] == "sample") {
      difference.sample = std::get<std::int64_t>(identity[i]);
      continue;
    }
    if (!difference.name.empty()) difference.name += rows.columns[i] == "step" ? " step " : " ";
    difference.name += to_text(identity[i]);
  }
  return difference;
}

void compare_rows(const VerifiedTable& table,
                  const TableRows& stored,
                  const TableRows& found,
                  Comparison& comparison) {
  const auto lacking = [&](const Row& identity, bool is_stored) {
    ValueDifference difference = at_row(table, stored, identity);
    difference.field = "row";
    (is_stored ? difference.stored : difference.found) = "there";
    note_difference(comparison, std::move(difference));
  };
  for (const auto& [identity, row] : stored.by_identity) {
    const auto other = found.by_identity.find(identity);
    if (other == found.by_identity.end()) {
      lacking(identity, true);
      continue;
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i] == other->second[i]) continue;
      ValueDifference difference = at_row(table, stored, identity);
      difference.field = stored.columns[stored.n_identity + i];
      difference.stored = optional_text(row[i]);
      difference.found = optional_text(other->second[i]);
      note_difference(comparison, std::move(difference));
    }
  }
  for (const auto& [identity, row] : found.by_identity) {
    if (!stored.by_identity.contains(identity)) lacking(identity, false);
  }
}

}  // namespace

// A database of its own, in which what is to be compared passes the same way as what is stored.
struct ResultComparer::Scratch {
  base::TempFolder folder{"unmask-verify-"};
  Store store = Store::open_writer(folder.path() / "scratch.sqlite", {"scratch", false});
};

ResultComparer::ResultComparer(const Store& store)
    : store_(store), scratch_(std::make_unique<Scratch>()) {
  // There are values in it, and no cell that they belong to.
  scratch_->store.database().execute("leave cells out", "PRAGMA foreign_keys = OFF");
}

ResultComparer::~ResultComparer() = default;

Comparison ResultComparer::compare(const std::string& key, const wire::CellResult& now) {
  Comparison comparison;
  Statement find = store_.database().prepare(
      "find result",
      "SELECT c.id, coalesce(c.norm, ''), c.kind, a.forwards, a.backwards, a.nfe FROM cell c "
      "JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' WHERE c.key = ?");
  UNMASK_CHECK(find.bind(key).step(), "cell " + key + " has no result");
  const std::int64_t cell = find.integer(0);
  if (find.text(2) == "attack" && !now.norm.empty() && find.text(1) != now.norm) {
    note_difference(comparison, {"cell", "", std::nullopt, "norm", find.text(1), now.norm});
  }
  const std::pair<const char*, std::int64_t> counters[] = {{"forwards", now.counters.forwards},
                                                           {"backwards", now.counters.backwards},
                                                           {"nfe", now.counters.nfe}};
  for (int i = 0; i < 3; ++i) {
    const auto& [name, value] = counters[i];
    const std::int64_t stored = find.integer(3 + i);
    if (stored == value) continue;
    note_difference(
        comparison,
        {"attempt", name, std::nullopt, name, std::to_string(stored), std::to_string(value)});
  }
  Database& scratch = scratch_->store.database();
  const Transaction transaction(scratch);  // never committed
  constexpr std::int64_t kHere = 1;
  insert_values(scratch, kHere, now);
  for (const VerifiedTable& table : kVerifiedTables) {
    compare_rows(
        table, rows_in(store_.database(), table, cell), rows_in(scratch, table, kHere), comparison);
  }
  return comparison;
}

std::optional<StoredOrigin> origin_of(const Store& store, const std::string& key) {
  Statement find = store.database().prepare(
      "find origin of a result",
      "SELECT a.id, a.device, e.json, coalesce(a.wall_s, 0) FROM attempt a "
      "JOIN cell c ON c.id = a.cell_id JOIN run r ON r.id = a.run_id "
      "JOIN environment e ON e.id = r.environment_id WHERE c.key = ? AND a.state = 'done'");
  if (!find.bind(key).step()) return std::nullopt;
  return StoredOrigin{
      find.text(0), find.text(1), nlohmann::json::parse(find.text(2)), find.real(3)};
}

const char* VerificationRecord::outcome() const {
  if (failure) return "failed";
  return comparison.count > 0 ? "differs" : "equal";
}

void Store::record_verification(const VerificationRecord& record,
                                const nlohmann::json& environment) {
  impl_->write([&](Database& database) {
    const std::int64_t here = environment_id(database, environment);
    Statement insert = database.prepare(
        "insert verification",
        "INSERT INTO verification(uuid, cell_id, stored_environment_id, environment_id, "
        "stored_device, device, stored_attempt, outcome, n_differences, message, tool, "
        "verified_at) SELECT ?1, c.id, r.environment_id, ?2, a.device, ?3, a.id, ?4, ?5, ?6, "
        "?7, " UNMASK_NOW
        " FROM cell c JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
        "JOIN run r ON r.id = a.run_id WHERE c.key = ?8 RETURNING id");
    insert.bind(make_uuid()).bind(here).bind(record.device).bind(record.outcome());
    insert.bind(static_cast<std::int64_t>(record.failure ? 0 : record.comparison.count));
    insert.bind(record.failure).bind(UNMASK_VERSION).bind(record.key);
    const std::int64_t id = only_integer(insert, "verification of " + record.key);
    if (record.failure) return;
    Statement value = database.prepare(
        "insert verification_difference",
        "INSERT INTO verification_difference(verification_id, place, source, name, sample, field, "
        "stored, found) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    std::int64_t place = 0;
    for (const ValueDifference& d : record.comparison.differences) {
      value.bind(id).bind(++place).bind(d.source).bind(d.name).bind(d.sample).bind(d.field);
      value.bind(d.stored).bind(d.found).run();
    }
  });
}

}  // namespace unmask::store
