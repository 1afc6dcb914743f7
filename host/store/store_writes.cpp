// Writing to the store: runs, plans, attempts, results.

#include <unistd.h>

#include <cmath>
#include <utility>

#include "store/cell_parts.hpp"
#include "store/result_values.hpp"
#include "store/sql_values.hpp"
#include "store/stamps.hpp"
#include "store/store_impl.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store {
namespace {

using nlohmann::json;

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
  const std::string text = json_text(environment);
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

// --- results ---

void accept_attempt(Database& database,
                    const std::string& attempt,
                    const wire::CellResult& result) {
  if (std::isnan(result.wall_s)) throw RefusedResult("the time it took is not a number (NaN)");
  Statement update =
      database.prepare("accept attempt",
                       "UPDATE attempt SET state = 'done', ended_at = " UNMASK_NOW
                       ", wall_s = ?, device = coalesce(nullif(?, ''), device), peak_bytes = ?, "
                       "device_peak_bytes = ?, forwards = ?, backwards = ?, nfe = ? WHERE id = ?");
  update.bind(result.wall_s).bind(result.device).bind(result.peak_bytes);
  update.bind(result.device_peak_bytes);
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
    insert.bind(make_uuid()).bind(manifest).bind(environment).bind(json_text(json(info.argv)));
    insert.bind(UNMASK_VERSION);
    insert.bind(info.git_commit.empty() ? std::nullopt : std::optional(info.git_commit));
    insert.bind(info.git_dirty)
        .bind(std::int64_t{::getpid()})
        .bind(json_text(json(study.thresholds)));
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
