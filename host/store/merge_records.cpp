#include "store/merge_records.hpp"

#include <string_view>
#include <vector>

#include "store/row_values.hpp"
#include "store/sql_values.hpp"
#include "unmask/errors.hpp"

namespace unmask::store {
namespace {

// "?, ?, ?" for as many as there are columns.
std::string places(std::string_view columns) {
  std::string text = "?";
  for (const char c : columns) {
    if (c == ',') text += ", ?";
  }
  return text;
}

Row only_row(Database& database, const std::string& name, const std::string& sql, std::int64_t id) {
  Statement find = database.prepare(name, sql);
  UNMASK_CHECK(find.bind(id).step(), "row " + std::to_string(id) + " of " + name + " is missing");
  return row_of(find);
}

}  // namespace

RecordMerger::RecordMerger(Database& target,
                           Database& source,
                           const std::optional<std::set<std::string>>& only)
    : target_(target), source_(source), only_(only) {}

// The id of the row here that is the same as one there; inserted when it is not here.
std::int64_t RecordMerger::same(const char* table,
                                const std::string& columns,
                                const std::string& identity,
                                const std::string& update,
                                std::int64_t there) {
  const std::string name(table);
  const Row row = only_row(
      source_, "read " + name, "SELECT " + columns + " FROM " + name + " WHERE id = ?", there);
  Statement insert =
      target_.prepare("merge " + name,
                      "INSERT INTO " + name + "(" + columns + ") VALUES (" + places(columns) +
                          ") ON CONFLICT (" + identity + ") DO " + update);
  bind_row(insert, row);
  insert.run();
  Statement find = source_.prepare("read identity of " + name,
                                   "SELECT " + identity + " FROM " + name + " WHERE id = ?");
  UNMASK_CHECK(find.bind(there).step(), "the row of " + name + " has vanished");
  Statement here = target_.prepare(
      "find " + name,
      "SELECT id FROM " + name + " WHERE (" + identity + ") = (" + places(identity) + ")");
  bind_row(here, row_of(find));
  return only_integer(here, name);
}

std::set<std::int64_t> RecordMerger::taken_cells() {
  std::set<std::int64_t> taken;
  Statement all = source_.prepare(
      "list cells", "SELECT id, key, checkpoint_cell_id, source_cell_id FROM cell ORDER BY id");
  while (all.step()) {
    if (only_ && !only_->contains(all.text(1))) continue;
    taken.insert(all.integer(0));
    for (const int need : {2, 3}) {
      if (!all.is_null(need)) taken.insert(all.integer(need));
    }
  }
  return taken;
}

const std::map<std::int64_t, std::int64_t>& RecordMerger::copy_cells() {
  const std::set<std::int64_t> taken = taken_cells();
  Statement read = source_.prepare("read cells",
                                   "SELECT id, checkpoint_cell_id, source_cell_id, key, kind, "
                                   "spec_json, norm FROM cell ORDER BY id");
  // What an attack works in may be known there alone.
  Statement insert = target_.prepare(
      "merge cell",
      "INSERT INTO cell(checkpoint_cell_id, source_cell_id, key, kind, spec_json, norm) "
      "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET norm = excluded.norm "
      "WHERE norm IS NULL AND excluded.norm IS NOT NULL");
  Statement find = target_.prepare("find cell", "SELECT id FROM cell WHERE key = ?");
  while (read.step()) {
    Row row = row_of(read);
    const std::int64_t there = std::get<std::int64_t>(row[0]);
    if (!taken.contains(there)) continue;
    for (const std::size_t need : {1, 2}) {
      if (const auto* id = std::get_if<std::int64_t>(&row[need])) row[need] = cells_.at(*id);
    }
    bind_row(insert, row, 1);
    insert.run();
    find.bind(std::get<std::string>(row[3]));
    const std::int64_t here = only_integer(find, "cell");
    cells_[there] = here;
    copy_plugins_of_cell(there, here);
  }
  return cells_;
}

std::int64_t RecordMerger::plugin(std::int64_t there) {
  const auto [known, is_new] = plugins_.try_emplace(there, 0);
  if (is_new) {
    known->second = same("plugin",
                         "kind, name, fingerprint, version, summary, source, capabilities",
                         "kind, name, fingerprint",
                         "NOTHING",
                         there);
  }
  return known->second;
}

void RecordMerger::copy_plugins_of_cell(std::int64_t there, std::int64_t here) {
  Statement read = source_.prepare("read plugins of cell",
                                   "SELECT role, plugin_id FROM cell_plugin WHERE cell_id = ?");
  read.bind(there);
  while (read.step()) {
    target_
        .prepare("merge cell_plugin",
                 "INSERT INTO cell_plugin(cell_id, role, plugin_id) VALUES (?, ?, ?) "
                 "ON CONFLICT (cell_id, role) DO NOTHING")
        .bind(here)
        .bind(read.text(0))
        .bind(plugin(read.integer(1)))
        .run();
  }
}

std::int64_t RecordMerger::environment(std::int64_t there) {
  return same("environment",
              "sha256, json, host, os, cpu, gpu, libtorch, blas, compiler",
              "sha256",
              "NOTHING",
              there);
}

void RecordMerger::copy_verifications() {
  const std::string columns =
      "cell_id, stored_environment_id, environment_id, uuid, stored_device, device, "
      "stored_attempt, outcome, n_differences, message, tool, verified_at";
  Statement read = source_.prepare("read verifications",
                                   "SELECT id, " + columns + " FROM verification ORDER BY id");
  Statement insert = target_.prepare("merge verification",
                                     "INSERT INTO verification(" + columns + ") VALUES (" +
                                         places(columns) + ") ON CONFLICT (uuid) DO NOTHING");
  Statement find =
      target_.prepare("find verification", "SELECT id FROM verification WHERE uuid = ?");
  const std::string values = "place, source, name, sample, field, stored, found";
  Statement read_values = source_.prepare(
      "read verification_difference",
      "SELECT " + values + " FROM verification_difference WHERE verification_id = ?");
  Statement insert_value = target_.prepare("merge verification_difference",
                                           "INSERT INTO verification_difference(verification_id, " +
                                               values + ") VALUES (?, " + places(values) +
                                               ") ON CONFLICT (verification_id, place) DO NOTHING");
  while (read.step()) {
    Row row = row_of(read);
    const std::int64_t there = std::get<std::int64_t>(row[0]);
    row[1] = cells_.at(std::get<std::int64_t>(row[1]));
    for (const std::size_t machine : {2, 3}) {
      row[machine] = environment(std::get<std::int64_t>(row[machine]));
    }
    bind_row(insert, row, 1);
    insert.run();
    find.bind(std::get<std::string>(row[4]));
    const std::int64_t here = only_integer(find, "verification");
    read_values.bind(there);
    while (read_values.step()) {
      insert_value.bind(here);
      bind_row(insert_value, row_of(read_values));
      insert_value.run();
    }
  }
}

void RecordMerger::copy_runs() {
  Statement all = source_.prepare("list runs", "SELECT id FROM run ORDER BY id");
  while (all.step()) run(all.integer(0));
}

std::int64_t RecordMerger::run(std::int64_t there) {
  const auto [known, is_new] = runs_.try_emplace(there, 0);
  if (!is_new) return known->second;
  Row row = only_row(source_,
                     "run",
                     "SELECT manifest_id, environment_id, plan_id, uuid, state, exit_code, "
                     "started_at, ended_at, argv, tool, git_commit, git_dirty, pid, thresholds "
                     "FROM run WHERE id = ?",
                     there);
  const std::int64_t manifest =
      same("manifest",
           "sha256, name, description, file, text, first_seen",
           "sha256, name",
           "UPDATE SET first_seen = excluded.first_seen, file = excluded.file "
           "WHERE (excluded.first_seen, excluded.file) < (first_seen, file)",
           std::get<std::int64_t>(row[0]));
  row[0] = manifest;
  row[1] = environment(std::get<std::int64_t>(row[1]));
  if (const auto* id = std::get_if<std::int64_t>(&row[2])) {
    const auto here = plan(*id, manifest);
    row[2] = here ? Value(*here) : Value();
  }
  // It is running there, or was killed there; nobody here will hear of its end.
  if (std::get<std::string>(row[4]) == "running") {
    row[4] = std::string("interrupted");
    row[7] = row[6];
  }
  Statement insert = target_.prepare(
      "merge run",
      "INSERT INTO run(manifest_id, environment_id, plan_id, uuid, state, exit_code, started_at, "
      "ended_at, argv, tool, git_commit, git_dirty, pid, thresholds) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uuid) DO UPDATE SET "
      "plan_id = coalesce(plan_id, excluded.plan_id), "
      "exit_code = CASE WHEN state = 'ended' THEN exit_code ELSE excluded.exit_code END, "
      "ended_at = CASE WHEN state = 'ended' OR (excluded.state <> 'ended' AND "
      "ended_at >= excluded.ended_at) THEN ended_at ELSE excluded.ended_at END, "
      "state = CASE WHEN state = 'ended' THEN state ELSE excluded.state END");
  bind_row(insert, row);
  insert.run();
  Statement find = target_.prepare("find run", "SELECT id FROM run WHERE uuid = ?");
  find.bind(std::get<std::string>(row[3]));
  const std::int64_t here = only_integer(find, "run");
  runs_[there] = here;
  copy_plugins_of_run(there, here);
  copy_cells_of_run(there, here);
  return here;
}

std::optional<std::int64_t> RecordMerger::plan(std::int64_t there, std::int64_t manifest) {
  const Row row = only_row(source_, "plan", "SELECT sha256 FROM plan WHERE id = ?", there);
  Statement find =
      target_.prepare("find plan", "SELECT id FROM plan WHERE manifest_id = ? AND sha256 IS ?");
  find.bind(manifest);
  bind_row(find, row);
  const bool is_known = find.step();
  if (only_ && !is_known) return std::nullopt;
  std::int64_t here = is_known ? find.integer(0) : 0;
  find.reset();
  if (!is_known) {
    Statement insert = target_.prepare(
        "merge plan", "INSERT INTO plan(manifest_id, sha256) VALUES (?, ?) RETURNING id");
    insert.bind(manifest);
    bind_row(insert, row);
    here = only_integer(insert, "plan");
  }
  const bool may_differ = std::holds_alternative<std::monostate>(row[0]);
  if (!only_ && (!is_known || may_differ)) copy_names(there, here, !is_known);
  return here;
}

// @param is_new  else: a plan of schema version 1, which grows by cells that it lacks
void RecordMerger::copy_names(std::int64_t plan_there, std::int64_t plan_here, bool is_new) {
  Statement read = source_.prepare(
      "read names",
      "SELECT cell_id, place, is_alias, dataset, model, objective, train_solver, train_seed, "
      "solver, gradient, source, method, epsilon, epsilon_text, seed FROM plan_cell "
      "WHERE plan_id = ? ORDER BY place");
  Statement insert = target_.prepare(
      "merge plan_cell",
      "INSERT INTO plan_cell(plan_id, cell_id, place, is_alias, dataset, model, objective, "
      "train_solver, train_seed, solver, gradient, source, method, epsilon, epsilon_text, seed) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  Statement known = target_.prepare("is the cell in the plan",
                                    "SELECT 1 FROM plan_cell WHERE plan_id = ? AND cell_id = ?");
  Statement last =
      target_.prepare("last place", "SELECT max(place) FROM plan_cell WHERE plan_id = ?");
  read.bind(plan_there);
  while (read.step()) {
    Row row = row_of(read);
    const std::int64_t cell = cells_.at(std::get<std::int64_t>(row[0]));
    row[0] = cell;
    if (!is_new) {
      const bool is_there = known.bind(plan_here).bind(cell).step();
      known.reset();
      if (is_there) continue;
      last.bind(plan_here);
      row[1] = only_integer(last, "plan") + 1;
    }
    insert.bind(plan_here);
    bind_row(insert, row);
    insert.run();
  }
}

void RecordMerger::copy_plugins_of_run(std::int64_t there, std::int64_t here) {
  Statement read = source_.prepare(
      "read plugins of run",
      "SELECT plugin_id, file, file_sha256, build_tag FROM run_plugin WHERE run_id = ?");
  read.bind(there);
  while (read.step()) {
    Row row = row_of(read);
    row[0] = plugin(std::get<std::int64_t>(row[0]));
    Statement insert =
        target_.prepare("merge run_plugin",
                        "INSERT INTO run_plugin(run_id, plugin_id, file, file_sha256, build_tag) "
                        "VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id, plugin_id) DO NOTHING");
    insert.bind(here);
    bind_row(insert, row);
    insert.run();
  }
}

void RecordMerger::copy_cells_of_run(std::int64_t there, std::int64_t here) {
  Statement read = source_.prepare("read cells of run",
                                   "SELECT cell_id, how, reason FROM run_cell WHERE run_id = ?");
  // What is only planned there may be done by now.
  Statement insert = target_.prepare(
      "merge run_cell",
      "INSERT INTO run_cell(run_id, cell_id, how, reason) VALUES (?, ?, ?, ?) "
      "ON CONFLICT (run_id, cell_id) DO UPDATE SET how = excluded.how, reason = excluded.reason "
      "WHERE how = 'planned' AND excluded.how <> 'planned'");
  read.bind(there);
  while (read.step()) {
    Row row = row_of(read);
    const std::int64_t cell = std::get<std::int64_t>(row[0]);
    if (!is_taken(cell)) continue;
    row[0] = cells_.at(cell);
    insert.bind(here);
    bind_row(insert, row);
    insert.run();
  }
}

void number_runs(Database& database) {
  std::vector<std::int64_t> ids;
  bool is_in_order = true;
  Statement all = database.prepare("order runs", "SELECT id FROM run ORDER BY started_at, uuid");
  while (all.step()) {
    is_in_order = is_in_order && (ids.empty() || ids.back() < all.integer(0));
    ids.push_back(all.integer(0));
  }
  if (is_in_order) return;
  database.execute("look at references at the end", "PRAGMA defer_foreign_keys = ON");
  const std::pair<const char*, const char*> columns[] = {{"run", "id"},
                                                         {"run_plugin", "run_id"},
                                                         {"run_cell", "run_id"},
                                                         {"attempt", "run_id"},
                                                         {"cell_part", "run_id"},
                                                         {"verdict", "run_id"}};
  for (const auto& [table, column] : columns) {
    const std::string set = std::string("UPDATE ") + table + " SET " + column + " = ";
    // Out of the way first: two runs must not have one number in between.
    database.execute("clear the numbers of runs", set + "-" + column);
    Statement update = database.prepare("number runs", set + "? WHERE " + column + " = ?");
    std::int64_t number = 0;
    for (const std::int64_t id : ids) update.bind(++number).bind(-id).run();
  }
}

}  // namespace unmask::store
