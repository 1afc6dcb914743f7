#include "results/pivot.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "text/suggest.hpp"
#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

constexpr PivotValue kPivotValues[] = {
    {"accuracy", "share of samples right with and without the attack", 1},
    {"clean_accuracy", "share of samples right without the attack", 1},
    {"worst_case", "share of samples that every attack of a radius leaves right", 1},
    {"cumulative_worst_case", "the same with all smaller radii", 1},
    {"fooled", "samples that the attack turned", 0},
    {"queries", "median of answers asked for per attacked sample", 0},
    {"seconds", "time of the cell [s]", 0},
    {"gap", "what the own gradient leaves minus what this gradient leaves [share]", 0}};

// What all these queries yield behind the labels.
constexpr std::string_view kColumns[] = {
    "epsilon", "cell", "value", "lower", "upper", "is_bound", "is_missing"};

std::string sql_of_attacks(const std::string& value, const std::string& interval) {
  return "SELECT " + label_columns("a", "method") + ", a.epsilon, a.cell_id, " + value + ", " +
         interval +
         ", 0, r.cell_id IS NULL FROM cells a LEFT JOIN accuracy r ON r.cell_id = a.cell_id "
         "AND r.study = a.study AND r.is_alias = 0 "
         "LEFT JOIN attack_effort e ON e.cell_id = a.cell_id "
         "LEFT JOIN attempt t ON t.cell_id = a.cell_id AND t.state = 'done' "
         "WHERE a.kind = 'attack' ORDER BY a.study, a.place";
}

// A worst case is over attacks, their gradients, sources and seeds: it has none of these axes.
std::string sql_of_worst_case(const std::string& column, const std::string& interval) {
  return "SELECT a.study, a.dataset, a.model, a.objective, a.train_solver, a.train_seed, a.solver, "
         "NULL, NULL, NULL, a.norm, a.epsilon_text, NULL, a.epsilon, row_number() OVER (), a." +
         column + ", " + interval +
         ", a.n_missing > 0, a.n = 0 FROM worst_case a "
         "ORDER BY a.study, a.checkpoint_cell_id, a.solver, a.norm, a.epsilon";
}

std::string sql_of_metric(const std::string& name) {
  std::string quoted;
  for (const char c : name) quoted += c == '\'' ? "''" : std::string(1, c);
  return "SELECT " + label_columns("a", "method") +
         ", a.epsilon, a.cell_id, a.value, NULL, NULL, 0, a.value IS NULL FROM metrics a "
         "WHERE a.name = '" +
         quoted + "' ORDER BY a.study, a.cell_id";
}

std::string sql_of_gap() {
  return "SELECT " + label_columns("a", "attack") +
         ", a.epsilon, a.cell_id, a.gap, NULL, NULL, 0, a.gap IS NULL FROM gradient_matrix a "
         "ORDER BY a.study, a.cell_id";
}

constexpr const char* kNoInterval = "NULL, NULL";

std::string sql_of_value(const std::string& value) {
  if (value == "accuracy") return sql_of_attacks("r.robust_accuracy", "r.lower, r.upper");
  if (value == "clean_accuracy") return sql_of_attacks("r.clean_accuracy", kNoInterval);
  if (value == "worst_case") return sql_of_worst_case("robust_accuracy", "a.lower, a.upper");
  if (value == "cumulative_worst_case")
    return sql_of_worst_case("cumulative_accuracy", kNoInterval);
  if (value == "fooled") return sql_of_attacks("e.n_fooled", kNoInterval);
  if (value == "queries") return sql_of_attacks("e.queries_median", kNoInterval);
  if (value == "seconds") return sql_of_attacks("t.wall_s", kNoInterval);
  if (value == "gap") return sql_of_gap();
  if (value.rfind("metric:", 0) == 0 && value.size() > 7) return sql_of_metric(value.substr(7));
  std::vector<std::string> names = {"metric:NAME"};
  for (const PivotValue& known : kPivotValues) names.emplace_back(known.name);
  throw UsageError("--value \"" + value + "\" is none\n" +
                   words::help_for_unknown(value, names, "values"));
}

// One number with its labels.
struct Entry {
  Labels labels;
  std::optional<double> epsilon;
  std::int64_t cell = 0;
  std::optional<double> value, lower, upper;
  bool is_bound = false, is_missing = false;
};

std::vector<Entry> entries_of(const store::Store& store, const PivotQuestion& question) {
  std::vector<Entry> entries;
  for (LabelledRow& row : labelled_rows(store, sql_of_value(question.value), question.selection)) {
    UNMASK_CHECK(row.rest.size() == std::size(kColumns), "a query of the pivot has other columns");
    Entry entry;
    entry.labels = std::move(row.labels);
    entry.epsilon = real_of(row.rest[0]);
    entry.cell = std::get<std::int64_t>(row.rest[1]);
    entry.value = real_of(row.rest[2]);
    entry.lower = real_of(row.rest[3]);
    entry.upper = real_of(row.rest[4]);
    entry.is_bound = real_of(row.rest[5]).value_or(0) != 0;
    entry.is_missing = real_of(row.rest[6]).value_or(0) != 0 || !entry.value;
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) {
    throw UsageError("nothing of the database has the value " + question.value +
                     " and matches the filter; \"unmask query cells\" lists what there is");
  }
  return entries;
}

using PivotAxes = std::vector<std::size_t>;

PivotAxes parse_axes(const std::vector<std::string>& names, const char* option) {
  PivotAxes axes;
  const std::vector<std::string> known(kAxes.begin(), kAxes.end());
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw UsageError(std::string(option) + ": unknown axis \"" + name + "\"\n" +
                       words::help_for_unknown(name, known, "axes"));
    }
    axes.push_back(axis_index(name));
  }
  return axes;
}

// An axis that no entry has says nothing: a worst case is over attacks, and has no attack.
void expect_axes(const std::vector<Entry>& entries,
                 const PivotAxes& axes,
                 const std::string& value) {
  for (const std::size_t axis : axes) {
    if (std::all_of(entries.begin(), entries.end(), [&](const Entry& entry) {
          return entry.labels[axis].empty();
        })) {
      throw UsageError("the value " + value + " has no axis \"" + std::string(kAxes[axis]) +
                       "\": leave it out, or ask for another --value");
    }
  }
}

using PivotKey = std::vector<std::string>;

PivotKey pivot_key(const Entry& entry, const PivotAxes& axes) {
  PivotKey key;
  for (const std::size_t axis : axes) key.push_back(entry.labels[axis]);
  return key;
}

// Radii and seeds by their size, everything else as the plan has it.
std::vector<PivotKey> ordered_keys(const std::vector<Entry>& entries, const PivotAxes& axes) {
  std::map<std::pair<std::size_t, std::string>, double> rank;  // of a label of an axis
  for (const Entry& entry : entries) {
    for (const std::size_t axis : axes) {
      const std::string& label = entry.labels[axis];
      const auto next = static_cast<double>(rank.size());
      double value = next;
      if (kAxes[axis] == "epsilon") value = entry.epsilon.value_or(-1);
      if (kAxes[axis] == "seed" || kAxes[axis] == "train_seed") {
        value = label.empty() ? -1 : std::strtod(label.c_str(), nullptr);
      }
      rank.try_emplace({axis, label}, value);
    }
  }
  std::set<std::pair<std::vector<double>, PivotKey>> sorted;
  for (const Entry& entry : entries) {
    std::vector<double> place;
    for (const std::size_t axis : axes) place.push_back(rank.at({axis, entry.labels[axis]}));
    sorted.insert({place, pivot_key(entry, axes)});
  }
  std::vector<PivotKey> keys;
  keys.reserve(sorted.size());
  for (const auto& [place, key] : sorted) keys.push_back(key);
  return keys;
}

void expect_explained(const std::vector<const Entry*>& entries,
                      const PivotAxes& over,
                      const PivotKey& where) {
  std::string text;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    if (std::count(over.begin(), over.end(), axis) > 0) continue;
    std::set<std::string> values;
    for (const Entry* entry : entries) values.insert(entry->labels[axis]);
    if (values.size() < 2) continue;
    text += "\n  " + std::string(kAxes[axis]) + ":";
    for (const std::string& value : values) text += " " + (value.empty() ? "(none)" : value);
  }
  if (text.empty()) return;
  std::string field;
  for (const std::string& label : where) field += (field.empty() ? "" : ", ") + label;
  throw UsageError("the field (" + field + ") has " + std::to_string(entries.size()) +
                   " cells that differ in" + text +
                   "\nput these axes to --rows or --cols, narrow with a FILTER, or name them with "
                   "--over");
}

PivotField field_of(const std::vector<const Entry*>& entries, Aggregate aggregate) {
  PivotField field;
  double sum = 0;
  field.least = std::numeric_limits<double>::infinity();
  field.largest = -field.least;
  for (const Entry* entry : entries) {
    field.is_bound = field.is_bound || entry->is_bound;
    if (entry->is_missing) {
      ++field.n_missing;
      continue;
    }
    ++field.n;
    sum += *entry->value;
    field.least = std::min(field.least, *entry->value);
    field.largest = std::max(field.largest, *entry->value);
    field.lower = entry->lower;
    field.upper = entry->upper;
  }
  if (field.n != 1) field.lower = field.upper = std::nullopt;
  if (field.n == 0) return field;
  field.value = aggregate == Aggregate::kMin   ? field.least
                : aggregate == Aggregate::kMax ? field.largest
                                               : sum / static_cast<double>(field.n);
  return field;
}

std::string common_text(const std::vector<Entry>& entries, const PivotAxes& shown) {
  PivotAxes axes;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    const std::string& first = entries.front().labels[axis];
    if (std::count(shown.begin(), shown.end(), axis) == 0 &&
        std::all_of(entries.begin(), entries.end(), [&](const Entry& entry) {
          return entry.labels[axis] == first;
        })) {
      axes.push_back(axis);
    }
  }
  return describe(entries.front().labels, axes);
}

int better_of(const std::string& value) {
  for (const PivotValue& known : kPivotValues) {
    if (known.name == value) return known.better;
  }
  return 0;
}

}  // namespace

std::span<const PivotValue> pivot_values() {
  return kPivotValues;
}

Aggregate parse_aggregate(const std::string& text) {
  if (text == "mean") return Aggregate::kMean;
  if (text == "min") return Aggregate::kMin;
  if (text == "max") return Aggregate::kMax;
  throw UsageError("--aggregate \"" + text + "\" is none of mean, min, max");
}

Pivot make_pivot(const store::Store& store, const PivotQuestion& question) {
  const PivotAxes rows = parse_axes(question.rows, "--rows");
  const PivotAxes columns = parse_axes(question.columns, "--cols");
  const PivotAxes over = parse_axes(question.over, "--over");
  for (const std::size_t axis : rows) {
    if (std::count(columns.begin(), columns.end(), axis) > 0) {
      throw UsageError("axis \"" + std::string(kAxes[axis]) + "\" is in --rows and in --cols");
    }
  }
  const std::vector<Entry> entries = entries_of(store, question);
  expect_axes(entries, rows, question.value);
  expect_axes(entries, columns, question.value);

  Pivot pivot;
  pivot.row_axes = question.rows;
  pivot.column_axes = question.columns;
  pivot.row_labels = ordered_keys(entries, rows);
  pivot.column_labels = ordered_keys(entries, columns);
  pivot.better = better_of(question.value);
  PivotAxes shown = rows;
  shown.insert(shown.end(), columns.begin(), columns.end());
  pivot.common = common_text(entries, shown);

  std::map<std::pair<PivotKey, PivotKey>, std::vector<const Entry*>> groups;
  std::set<std::tuple<PivotKey, PivotKey, std::int64_t>>
      seen;  // a cell of two names counts once in a field
  for (const Entry& entry : entries) {
    const auto key = std::pair(pivot_key(entry, rows), pivot_key(entry, columns));
    if (seen.insert({key.first, key.second, entry.cell}).second) groups[key].push_back(&entry);
  }
  for (const PivotKey& row : pivot.row_labels) {
    auto& fields = pivot.fields.emplace_back();
    for (const PivotKey& column : pivot.column_labels) {
      const auto found = groups.find({row, column});
      if (found == groups.end()) {
        fields.emplace_back();
        continue;
      }
      PivotKey where = row;
      where.insert(where.end(), column.begin(), column.end());
      expect_explained(found->second, over, where);
      fields.push_back(field_of(found->second, question.aggregate));
    }
  }
  return pivot;
}

namespace {

std::string column_name(const PivotKey& labels) {
  std::string name;
  for (const std::string& label : labels) {
    if (!label.empty()) name += (name.empty() ? "" : " ") + label;
  }
  return name.empty() ? "(none)" : name;
}

std::string pivot_number(double value) {
  char text[40];
  // Shares with three decimals, larger numbers with as many digits as they need.
  std::snprintf(text, sizeof text, value > -10 && value < 10 ? "%.3f" : "%.6g", value);
  return text;
}

std::string field_text(const PivotField& field, bool intervals) {
  if (field.n == 0) return field.n_missing == 0 ? "-" : "missing";
  std::string text = std::string(field.is_bound ? "\u2264 " : "") + pivot_number(field.value);
  const auto range = [](double from, double to) {
    return pivot_number(from) + " to " + pivot_number(to);
  };
  if (field.n > 1) {
    text += " (n = " + std::to_string(field.n) + ", " + range(field.least, field.largest) + ")";
  } else if (intervals && field.lower && field.upper) {
    text += " (" + range(*field.lower, *field.upper) + ")";
  }
  if (field.n_missing > 0) text += " + " + std::to_string(field.n_missing) + " missing";
  return text;
}

std::vector<table::Value> row_start(const Pivot& pivot, std::size_t row) {
  std::vector<table::Value> values;
  for (const std::string& label : pivot.row_labels[row]) values.emplace_back(label);
  return values;
}

bool any_field(const Pivot& pivot, std::size_t column, bool (*holds)(const PivotField&)) {
  return std::any_of(pivot.fields.begin(), pivot.fields.end(), [&](const auto& row) {
    return holds(row[column]);
  });
}

// What stands beside a number for machines: its suffix, when it is needed, and the value.
struct Beside {
  const char* suffix;
  bool (*is_needed)(const PivotField&);
  table::Value (*value)(const PivotField&);
};

table::Value or_null(const PivotField& field, double value) {
  return field.n == 0 ? table::Value() : table::Value(value);
}

table::Value optional_value(const std::optional<double>& value) {
  return value ? table::Value(*value) : table::Value();
}

constexpr Beside kBeside[] = {
    {"",
     [](const PivotField&) { return true; },
     [](const PivotField& f) { return or_null(f, f.value); }},
    {" n",
     [](const PivotField&) { return true; },
     [](const PivotField& f) { return table::Value(static_cast<std::int64_t>(f.n)); }},
    {" min",
     [](const PivotField& f) { return f.n > 1; },
     [](const PivotField& f) { return or_null(f, f.least); }},
    {" max",
     [](const PivotField& f) { return f.n > 1; },
     [](const PivotField& f) { return or_null(f, f.largest); }},
    {" lower",
     [](const PivotField& f) { return f.lower.has_value(); },
     [](const PivotField& f) { return optional_value(f.lower); }},
    {" upper",
     [](const PivotField& f) { return f.upper.has_value(); },
     [](const PivotField& f) { return optional_value(f.upper); }},
    {" missing",
     [](const PivotField& f) { return f.n_missing > 0 || f.is_bound; },
     [](const PivotField& f) {
       return table::Value(static_cast<std::int64_t>(f.n_missing > 0 || f.is_bound ? 1 : 0));
     }}};

}  // namespace

table::Table readable(const Pivot& pivot, bool intervals) {
  table::Table table{pivot.row_axes, {}};
  for (const PivotKey& labels : pivot.column_labels) table.columns.push_back(column_name(labels));
  for (std::size_t r = 0; r < pivot.fields.size(); ++r) {
    std::vector<table::Value> row = row_start(pivot, r);
    for (const PivotField& field : pivot.fields[r]) row.emplace_back(field_text(field, intervals));
    table.rows.push_back(std::move(row));
  }
  return table;
}

table::Table for_machines(const Pivot& pivot) {
  table::Table table{pivot.row_axes, {}};
  for (std::size_t r = 0; r < pivot.fields.size(); ++r) table.rows.push_back(row_start(pivot, r));
  for (std::size_t c = 0; c < pivot.column_labels.size(); ++c) {
    for (const Beside& beside : kBeside) {
      if (!any_field(pivot, c, beside.is_needed)) continue;
      table.columns.push_back(column_name(pivot.column_labels[c]) + beside.suffix);
      for (std::size_t r = 0; r < pivot.fields.size(); ++r) {
        table.rows[r].push_back(beside.value(pivot.fields[r][c]));
      }
    }
  }
  return table;
}

std::vector<std::vector<bool>> best_fields(const Pivot& pivot) {
  std::vector<std::vector<bool>> best(pivot.fields.size(),
                                      std::vector<bool>(pivot.column_labels.size(), false));
  for (std::size_t c = 0; c < pivot.column_labels.size() && pivot.better != 0; ++c) {
    std::vector<double> values;
    for (const auto& row : pivot.fields) {
      if (row[c].n > 0) values.push_back(pivot.better * row[c].value);
    }
    if (values.size() < 2) continue;
    const auto [least, largest] = std::minmax_element(values.begin(), values.end());
    if (*least == *largest) continue;
    for (std::size_t r = 0; r < pivot.fields.size(); ++r) {
      const PivotField& field = pivot.fields[r][c];
      best[r][c] = field.n > 0 && pivot.better * field.value == *largest;
    }
  }
  return best;
}

}  // namespace unmask::results
