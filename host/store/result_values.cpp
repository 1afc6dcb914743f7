#include "store/result_values.hpp"

#include <cmath>
#include <functional>
#include <optional>

#include <sqlite3.h>

#include "store/sql_values.hpp"
#include "store/store.hpp"

namespace unmask::store {
namespace {

// Tables with the values of a result, for taking it back.
constexpr const char* kValueTables[] = {"checkpoint",
                                        "adversarials",
                                        "metric",
                                        "series",
                                        "solve_stats",
                                        "sample_outcome",
                                        "sample_metric",
                                        "seed",
                                        "remark"};

std::string named(const char* kind, const std::string& name) {
  return std::string(kind) + " \"" + name + "\"";
}

void insert_files(Database& database, std::int64_t cell, const wire::CellResult& result) {
  const auto insert_file = [&](const char* table, const std::optional<wire::ResultFile>& file) {
    if (!file) return;
    database
        .prepare(std::string("insert ") + table,
                 std::string("INSERT INTO ") + table +
                     "(cell_id, sha256, bytes, path) VALUES (?, ?, ?, ?)")
        .bind(cell)
        .bind(file->sha256)
        .bind(file->bytes)
        .bind(file->path)
        .run();
  };
  insert_file("adversarials", result.adversarials);
  insert_file("checkpoint", result.checkpoint);
}

void insert_metrics(Database& database, std::int64_t cell, const wire::CellResult& result) {
  Statement metric = database.prepare(
      "insert metric",
      "INSERT INTO metric(cell_id, name, value, flag, reason, n) VALUES (?, ?, ?, ?, ?, ?)");
  for (const wire::Metric& m : result.metrics) {
    metric.bind(cell).bind(m.name);
    bind_with_flag(metric, m.value);
    metric.bind(m.reason.empty() ? std::nullopt : std::optional(m.reason)).bind(m.n);
    insert_checked(metric, [&] { return named("metric", m.name); });
  }
  Statement sample = database.prepare(
      "insert sample metric",
      "INSERT INTO sample_metric(cell_id, sample, name, value, flag) VALUES (?, ?, ?, ?, ?)");
  for (const wire::SampleMetric& m : result.sample_metrics) {
    sample.bind(cell).bind(m.sample).bind(m.name);
    bind_with_flag(sample, m.value);
    insert_checked(sample, [&] {
      return named("quantity", m.name) + " of sample " + std::to_string(m.sample);
    });
  }
  Statement point = database.prepare(
      "insert series",
      "INSERT INTO series(cell_id, name, step, value, flag) VALUES (?, ?, ?, ?, ?)");
  for (const wire::Series& s : result.series) {
    std::int64_t step = 0;
    for (const double value : s.values) {
      point.bind(cell).bind(s.name).bind(++step);
      bind_with_flag(point, value);
      insert_checked(
          point, [&] { return named("series", s.name) + ", step " + std::to_string(step) + ","; });
    }
  }
}

// A prediction that is missing is -1, of an undecided sample alone.
void bind_prediction(Statement& statement, const wire::SampleOutcome& outcome, std::int64_t value) {
  if (!outcome.is_decided && value == -1) {
    statement.bind_null();
  } else {
    statement.bind(value);
  }
}

void insert_outcomes(Database& database, std::int64_t cell, const wire::CellResult& result) {
  Statement outcome = database.prepare(
      "insert sample outcome",
      "INSERT INTO sample_outcome(cell_id, sample, label, state, clean_prediction, prediction, "
      "distance, queries, passes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const wire::SampleOutcome& o : result.outcomes) {
    const auto what = [&o] { return "sample " + std::to_string(o.sample); };
    if (o.is_decided && std::isnan(o.distance)) {
      throw RefusedResult("the distance of " + what() + " is not a number (NaN)");
    }
    outcome.bind(cell).bind(o.sample).bind(o.label).bind(o.is_decided ? "decided" : "undecided");
    bind_prediction(outcome, o, o.clean_prediction);
    bind_prediction(outcome, o, o.prediction);
    if (o.is_decided) {
      outcome.bind(o.distance);
    } else {
      bind_finite_or_null(outcome, o.distance);
    }
    outcome.bind(o.queries);
    outcome.bind(o.passes == -1 ? std::nullopt : std::optional(o.passes));
    insert_checked(outcome, what);
  }
}

void insert_solves(Database& database, std::int64_t cell, const wire::CellResult& result) {
  Statement stats = database.prepare(
      "insert solve stats",
      "INSERT INTO solve_stats(cell_id, phase, solve, solves, nfe_min, nfe_median, nfe_max, "
      "nfe_total, accepted, rejected, failed, worst_status, step_min, step_max) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  for (const wire::SolveStats& s : result.solve_stats) {
    stats.bind(cell).bind(s.phase).bind(s.solve).bind(s.solves);
    stats.bind(s.nfe_min).bind(s.nfe_median).bind(s.nfe_max).bind(s.nfe_total);
    stats.bind(s.accepted).bind(s.rejected).bind(s.failed).bind(s.worst_status);
    bind_finite_or_null(stats, s.step_min);
    bind_finite_or_null(stats, s.step_max);
    insert_checked(stats, [&] { return named("solve", s.solve) + " of phase " + s.phase; });
  }
}

}  // namespace

std::span<const char* const> value_tables() {
  return kValueTables;
}

void insert_checked(Statement& statement, const std::function<std::string()>& what) {
  try {
    statement.run();
  } catch (const SqliteError& error) {
    if (error.primary_code() != SQLITE_CONSTRAINT) throw;
    const bool is_twice = error.extended_code() == SQLITE_CONSTRAINT_PRIMARYKEY ||
                          error.extended_code() == SQLITE_CONSTRAINT_UNIQUE;
    throw RefusedResult(what() + (is_twice ? " is there twice" : " has a value that cannot be") +
                        " (" + error.text() + ")");
  }
}

void insert_values(Database& database, std::int64_t cell, const wire::CellResult& result) {
  insert_files(database, cell, result);
  insert_metrics(database, cell, result);
  insert_outcomes(database, cell, result);
  insert_solves(database, cell, result);
  Statement seed =
      database.prepare("insert seed", "INSERT INTO seed(cell_id, purpose, seed) VALUES (?, ?, ?)");
  for (const auto& [purpose, value] : result.seeds) {
    seed.bind(cell).bind(purpose).bind(value).run();
  }
  Statement remark =
      database.prepare("insert remark", "INSERT INTO remark(cell_id, n, text) VALUES (?, ?, ?)");
  std::int64_t n = 0;
  for (const std::string& text : result.remarks) remark.bind(cell).bind(++n).bind(text).run();
}

void discard_values(Database& database, std::int64_t cell, const std::string& reason) {
  // A verdict does not outlive what it rests on.
  database
      .prepare(
          "discard verdicts",
          "DELETE FROM verdict WHERE id IN "
          "(SELECT verdict_id FROM verdict_cell WHERE cell_id = ?1) OR checkpoint_cell_id = ?1")
      .bind(cell)
      .run();
  for (const char* table : kValueTables) {
    database
        .prepare(std::string("discard ") + table,
                 std::string("DELETE FROM ") + table + " WHERE cell_id = ?")
        .bind(cell)
        .run();
  }
  database
      .prepare("discard attempt",
               "UPDATE attempt SET state = 'discarded', message = ? "
               "WHERE cell_id = ? AND state = 'done'")
      .bind(reason)
      .bind(cell)
      .run();
}

}  // namespace unmask::store
