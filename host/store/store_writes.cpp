// Writing to the store: runs, plans, attempts, results.

#include <unistd.h>

#include <cmath>
#include <set>
#include <utility>
#include <variant>

#include "store/cell_parts.hpp"
#include "store/plugin_register.hpp"
#include "store/result_values.hpp"
#include "store/sql_values.hpp"
#include "store/stamps.hpp"
#include "store/store_impl.hpp"
#include "unmask/sha256.hpp"
#include "wire/labels.hpp"
#include "wire/spec.hpp"

namespace unmask::store {
namespace {

using nlohmann::json;

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// A member of an object as text: a text as it is, anything else as JSON; nothing when it is absent.
std::optional<std::string> member_text(const json& object, const std::string& name) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->is_string() ? found->get<std::string>() : dump(*found);
}

// What an attack's parameter of that name says, until its result says in which norm it works. All
// members of an ensemble work in one norm; some may have no parameter for it.
std::optional<std::string> expected_norm(const wire::Spec& spec) {
  std::optional<std::string> norm;
  wire::for_each_part(spec, [&](const std::string&, const std::string& kind, const json& part) {
    if (kind != "attack" || norm || !part.contains("params")) return;
    norm = member_text(part.at("params"), "norm");
  });
  return norm;
}

void set_run_cell(Database& database,
                  std::int64_t run,
                  std::int64_t cell,
                  const char* how,
                  const std::optional<std::string>& reason) {
  database
      .prepare("record what the run did",
               "INSERT INTO run_cell(run_id, cell_id, how, reason) VALUES (?, ?, ?, ?) "
               "ON CONFLICT (run_id, cell_id) DO UPDATE SET how = excluded.how, "
               "reason = excluded.reason")
      .bind(run)
      .bind(cell)
      .bind(how)
      .bind(reason)
      .run();
}

std::int64_t manifest_id(Database& database, const wire::ManifestRecord& study) {
  const std::string name = study.name.empty() ? study.file.stem().string() : study.name;
  database
      .prepare("insert manifest",
               "INSERT INTO manifest(sha256, name, description, file, text, first_seen) "
               "VALUES (?, ?, ?, ?, ?, " UNMASK_NOW ") ON CONFLICT (sha256, name) DO NOTHING")
      .bind(study.sha256)
      .bind(name)
      .bind(study.description)
      .bind(study.file.string())
      .bind(study.text)
      .run();
  Statement find =
      database.prepare("find manifest", "SELECT id FROM manifest WHERE sha256 = ? AND name = ?");
  find.bind(study.sha256).bind(name);
  return only_integer(find, "manifest " + name);
}

}  // namespace

std::int64_t environment_id(Database& database, const json& environment) {
  const std::string text = dump(environment);
  const std::string sha256 = sha256_hex(text);
  Statement insert = database.prepare(
      "insert environment",
      "INSERT INTO environment(sha256, json, host, os, cpu, gpu, libtorch, blas, compiler) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING");
  insert.bind(sha256).bind(text);
  for (const char* name : {"host", "os", "cpu", "gpu", "libtorch", "blas", "compiler"}) {
    insert.bind(member_text(environment, name));
  }
  insert.run();
  Statement find =
      database.prepare("find environment", "SELECT id FROM environment WHERE sha256 = ?");
  find.bind(sha256);
  return only_integer(find, "environment");
}

namespace {

// --- plans ---

// Registers cells of a plan.
class CellRegister {
 public:
  CellRegister(Database& database, std::int64_t run, const catalog::Catalog& catalog)
      : database_(database),
        plugins_(database, run, catalog),
        insert_(database.prepare(
            "insert cell",
            "INSERT INTO cell(key, kind, checkpoint_cell_id, source_cell_id, spec_json, norm) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING")),
        find_(database.prepare("find cell", "SELECT id FROM cell WHERE key = ?")) {}

  std::int64_t add(const wire::Cell& cell) {
    const auto checkpoint = training(cell, wire::checkpoint_of(cell.spec));
    const auto source = training(cell, wire::source_of(cell.spec));
    insert_.bind(cell.key).bind(wire::to_string(cell.kind)).bind(checkpoint).bind(source);
    insert_.bind(cell.spec.dump()).bind(expected_norm(cell.spec)).run();
    const bool is_new = database_.changes() == 1;
    find_.bind(cell.key);
    const std::int64_t id = only_integer(find_, "cell " + cell.key);
    plugins_.add(id, is_new, cell.spec);
    return id;
  }

 private:
  // The train cell of this key, which a cell needs.
  std::optional<std::int64_t> training(const wire::Cell& cell,
                                       const std::optional<std::string>& key) {
    if (!key) return std::nullopt;
    find_.bind(*key);
    return only_integer(find_, "train cell " + *key + ", which cell " + cell.key + " needs,");
  }

  Database& database_;
  PluginRegister plugins_;
  Statement insert_;
  Statement find_;
};

// Names of cells under which a plan is known again.
std::string identity_of(std::span<const wire::Cell> cells) {
  std::string text;
  const auto add = [&](const wire::Cell& cell, const wire::CellLabels& l) {
    text += dump({cell.key, l}) + "\n";
  };
  for (const wire::Cell& cell : cells) {
    add(cell, cell.labels);
    for (const wire::CellLabels& alias : cell.aliases) add(cell, alias);
  }
  return sha256_hex(text);
}

void insert_names(Database& database,
                  std::int64_t plan,
                  std::span<const wire::Cell> cells,
                  const std::vector<std::int64_t>& ids) {
  std::string columns;
  std::string places;
  for (const wire::LabelAxis& axis : wire::kLabelAxes) {
    columns += std::string(", ") + axis.column;
    places += ", ?";
  }
  Statement insert = database.prepare("insert plan_cell",
                                      "INSERT INTO plan_cell(plan_id, place, cell_id, is_alias" +
                                          columns + ") VALUES (?, ?, ?, ?" + places + ")");
  std::int64_t place = 0;
  const auto add = [&](std::int64_t cell, bool is_alias, const wire::CellLabels& l) {
    insert.bind(plan).bind(++place).bind(cell).bind(is_alias);
    for (const wire::LabelAxis& axis : wire::kLabelAxes) {
      std::visit([&](const auto member) { insert.bind(l.*member); }, axis.member);
    }
    insert.run();
  };
  for (std::size_t i = 0; i < cells.size(); ++i) {
    add(ids[i], false, cells[i].labels);
    for (const wire::CellLabels& alias : cells[i].aliases) add(ids[i], true, alias);
  }
}

// The plan of a run; what an earlier run planned likewise is not stored again.
void set_plan(Database& database,
              std::int64_t run,
              std::span<const wire::Cell> cells,
              const std::vector<std::int64_t>& ids) {
  Statement find_manifest =
      database.prepare("find manifest of run", "SELECT manifest_id FROM run WHERE id = ?");
  find_manifest.bind(run);
  const std::int64_t manifest = only_integer(find_manifest, "run " + std::to_string(run));
  const std::string identity = identity_of(cells);
  database
      .prepare("insert plan",
               "INSERT INTO plan(manifest_id, sha256) VALUES (?, ?) "
               "ON CONFLICT (manifest_id, sha256) DO NOTHING")
      .bind(manifest)
      .bind(identity)
      .run();
  const bool is_new = database.changes() == 1;
  Statement find =
      database.prepare("find plan", "SELECT id FROM plan WHERE manifest_id = ? AND sha256 = ?");
  find.bind(manifest).bind(identity);
  const std::int64_t plan = only_integer(find, "plan");
  if (is_new) insert_names(database, plan, cells, ids);
  database.prepare("set plan of run", "UPDATE run SET plan_id = ? WHERE id = ?")
      .bind(plan)
      .bind(run)
      .run();
}

// --- results ---

void accept_attempt(Database& database,
                    const std::string& attempt,
                    const wire::CellResult& result) {
  if (std::isnan(result.wall_s)) throw RefusedResult("the time it took is not a number (NaN)");
  Statement update = database.prepare(
      "accept attempt",
      "UPDATE attempt SET state = 'done', ended_at = " UNMASK_NOW
      ", wall_s = ?, device = coalesce(nullif(?, ''), device), peak_bytes = ?, forwards = ?, "
      "backwards = ?, nfe = ? WHERE id = ?");
  update.bind(result.wall_s).bind(result.device).bind(result.peak_bytes);
  update.bind(result.counters.forwards).bind(result.counters.backwards).bind(result.counters.nfe);
  update.bind(attempt);
  insert_checked(update, [] { return std::string("its time or one of its counters"); });
}

// The norm in which the attack worked, in place of what was expected; and that of cells with the
// same attack that have not run yet and gave no reason to expect any.
void set_norm(Database& database, std::int64_t cell, const std::string& norm) {
  if (norm.empty()) return;
  database.prepare("set norm", "UPDATE cell SET norm = ?1 WHERE id = ?2 AND norm IS NOT ?1")
      .bind(norm)
      .bind(cell)
      .run();
  if (database.changes() == 0) return;
  database
      .prepare("set norm of the same attack",
               "UPDATE cell SET norm = ?1 WHERE kind = 'attack' AND norm IS NULL AND "
               "json_extract(spec_json, '$.attack') = "
               "(SELECT json_extract(spec_json, '$.attack') FROM cell WHERE id = ?2)")
      .bind(norm)
      .bind(cell)
      .run();
}

// When a training was repeated and gave other weights, what was computed with the former ones does
// not belong to the stored checkpoint. @return the keys of these cells
std::vector<std::string> discard_results_of_other_weights(Database& database,
                                                          std::int64_t run,
                                                          std::int64_t training,
                                                          const std::string& weights) {
  Statement find = database.prepare("find results of other weights", kResultsOfOtherWeights);
  find.bind(training).bind(weights);
  std::vector<std::pair<std::int64_t, std::string>> stale;
  while (find.step()) stale.emplace_back(find.integer(0), find.text(1));
  std::vector<std::string> keys;
  for (auto& [cell, key] : stale) {
    discard_values(database, cell, "its checkpoint was trained again and has other weights");
    database
        .prepare("a hit is none any more",
                 "UPDATE run_cell SET how = 'planned' "
                 "WHERE run_id = ? AND cell_id = ? AND how = 'hit'")
        .bind(run)
        .bind(cell)
        .run();
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace

std::int64_t Store::begin_run(const wire::ManifestRecord& study, const RunInfo& info) {
  std::int64_t run = 0;
  impl_->write([&](Database& database) {
    const std::int64_t manifest = manifest_id(database, study);
    const std::int64_t environment = environment_id(database, info.environment);
    Statement insert = database.prepare(
        "insert run",
        "INSERT INTO run(uuid, manifest_id, environment_id, state, started_at, argv, tool, "
        "git_commit, git_dirty, pid, thresholds) VALUES (?, ?, ?, 'running', " UNMASK_NOW
        ", ?, ?, ?, ?, ?, ?) RETURNING id");
    insert.bind(make_uuid()).bind(manifest).bind(environment).bind(dump(json(info.argv)));
    insert.bind(UNMASK_VERSION);
    insert.bind(info.git_commit.empty() ? std::nullopt : std::optional(info.git_commit));
    insert.bind(info.git_dirty).bind(std::int64_t{::getpid()}).bind(dump(json(study.thresholds)));
    run = only_integer(insert, "run");
  });
  return run;
}

void Store::end_run(std::int64_t run, int exit_code) {
  impl_->write([&](Database& database) {
    database
        .prepare("end run",
                 "UPDATE run SET state = 'ended', exit_code = ?, ended_at = " UNMASK_NOW
                 " WHERE id = ? AND state = 'running'")
        .bind(exit_code)
        .bind(run)
        .run();
    UNMASK_CHECK(database.changes() == 1, "run " + std::to_string(run) + " is not running");
  });
}

void Store::register_plan(std::int64_t run,
                          const catalog::Catalog& catalog,
                          std::span<const wire::Cell> cells,
                          std::span<const wire::Cell> chosen) {
  std::set<std::string> wanted;
  for (const wire::Cell& cell : chosen) wanted.insert(cell.key);
  impl_->write([&](Database& database) {
    CellRegister cell_register(database, run, catalog);
    Statement how = database.prepare(
        "insert run_cell",
        "INSERT INTO run_cell(run_id, cell_id, how) SELECT ?1, ?2, CASE WHEN EXISTS (SELECT 1 FROM "
        "attempt WHERE cell_id = ?2 AND state = 'done') THEN 'hit' ELSE 'planned' END "
        "WHERE true ON CONFLICT (run_id, cell_id) DO NOTHING");
    std::vector<std::int64_t> ids;
    for (const wire::Cell& cell : cells) {
      ids.push_back(cell_register.add(cell));
      if (wanted.contains(cell.key)) how.bind(run).bind(ids.back()).run();
    }
    set_plan(database, run, cells, ids);
  });
}

void Store::register_cells(std::int64_t run,
                           const catalog::Catalog& catalog,
                           std::span<const wire::Cell> cells) {
  register_plan(run, catalog, cells, cells);
}

std::string Store::begin_attempt(std::int64_t run,
                                 const std::string& key,
                                 std::int64_t worker_pid,
                                 const std::string& device) {
  std::string id = make_uuid();
  impl_->write([&](Database& database) {
    const std::int64_t cell = impl_->cell_id(key);
    Statement done = database.prepare("is the cell done",
                                      "SELECT 1 FROM attempt WHERE cell_id = ? AND state = 'done'");
    UNMASK_CHECK(!done.bind(cell).step(), "cell " + key + " has a result already");
    done.reset();
    database
        .prepare("insert attempt",
                 "INSERT INTO attempt(id, cell_id, run_id, n, state, started_at, device, "
                 "worker_pid, checkpoint_sha256, source_sha256) SELECT ?1, ?2, ?3, "
                 "1 + (SELECT count(*) FROM attempt WHERE cell_id = ?2), 'running', " UNMASK_NOW
                 ", ?4, ?5, (SELECT sha256 FROM checkpoint WHERE cell_id = "
                 "(SELECT checkpoint_cell_id FROM cell WHERE id = ?2)), "
                 "(SELECT sha256 FROM checkpoint WHERE cell_id = "
                 "(SELECT source_cell_id FROM cell WHERE id = ?2))")
        .bind(id)
        .bind(cell)
        .bind(run)
        .bind(device)
        .bind(worker_pid)
        .run();
  });
  impl_->started[id] = Impl::Clock::now();
  return id;
}

std::vector<std::string> Store::commit_result(const std::string& attempt_id,
                                              const wire::CellResult& result) {
  std::vector<std::string> discarded;
  impl_->write([&](Database& database) {
    const Impl::Attempt attempt = impl_->running_attempt(attempt_id);
    UNMASK_CHECK((attempt.kind == "train") == result.checkpoint.has_value(),
                 "a train cell yields a checkpoint, and nothing else does");
    accept_attempt(database, attempt_id, result);
    insert_values(database, attempt.cell, result);
    remove_parts(database, attempt.cell);
    set_norm(database, attempt.cell, result.norm);
    set_run_cell(database, attempt.run, attempt.cell, "ran", std::nullopt);
    if (!result.checkpoint) return;
    discarded = discard_results_of_other_weights(
        database, attempt.run, attempt.cell, result.checkpoint->sha256);
  });
  impl_->started.erase(attempt_id);
  return discarded;
}

void Store::fail_attempt(const std::string& attempt_id, const wire::CellFailure& failure) {
  const bool is_interrupted = failure.failure_class == wire::FailureClass::kInterrupted;
  impl_->write([&](Database& database) {
    const Impl::Attempt attempt = impl_->running_attempt(attempt_id);
    Statement update = database.prepare(
        "record failure",
        "UPDATE attempt SET state = ?, failure_class = ?, message = ?, log_tail = ?, signal = ?, "
        "exit_code = ?, wall_s = ?, ended_at = " UNMASK_NOW " WHERE id = ?");
    update.bind(is_interrupted ? "interrupted" : "failed");
    update.bind(is_interrupted
                    ? std::nullopt
                    : std::optional<std::string>(wire::to_string(failure.failure_class)));
    update.bind(failure.message).bind(failure.log_tail).bind(failure.signal);
    update.bind(failure.exit_code).bind(attempt.wall_s).bind(attempt_id).run();
    if (!is_interrupted) set_run_cell(database, attempt.run, attempt.cell, "failed", std::nullopt);
  });
  impl_->started.erase(attempt_id);
}

void Store::skip_cell(std::int64_t run, const std::string& key, const std::string& reason) {
  impl_->write([&](Database& database) {
    set_run_cell(database, run, impl_->cell_id(key), "skipped", reason);
  });
}

bool Store::discard_result(const std::string& key, const std::string& reason) {
  bool had_one = false;
  impl_->write([&](Database& database) {
    Statement find = database.prepare("find result",
                                      "SELECT c.id FROM cell c JOIN attempt a ON a.cell_id = c.id "
                                      "WHERE c.key = ? AND a.state = 'done'");
    had_one = find.bind(key).step();
    if (!had_one) return;
    const std::int64_t cell = find.integer(0);
    find.reset();
    discard_values(database, cell, reason);
  });
  return had_one;
}

}  // namespace unmask::store
