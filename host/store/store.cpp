#include "store/store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/unique_fd.hpp"
#include "store/database.hpp"
#include "store/migrations.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

// Now, as every time in the database: UTC, milliseconds.
#define UNMASK_NOW "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

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

// The norm of an attack, when it has such a parameter. All members of an ensemble work in one norm;
// some may have no parameter for it.
std::optional<std::string> norm_of(const json& spec) {
  const auto attack = spec.find("attack");
  if (attack == spec.end() || !attack->is_object()) return std::nullopt;
  if (const auto members = attack->find("members"); members != attack->end()) {
    for (const json& member : *members) {
      if (const auto norm = norm_of({{"attack", member}})) return norm;
    }
    return std::nullopt;
  }
  if (!attack->contains("params")) return std::nullopt;
  return member_text(attack->at("params"), "norm");
}

// A random UUID (version 4).
std::string make_uuid() {
  std::array<unsigned char, 16> bytes{};
  const auto size = static_cast<ssize_t>(bytes.size());
  if (::getrandom(bytes.data(), bytes.size(), 0) != size) {
    throw InternalError(std::string("the system gives no random bytes: ") + std::strerror(errno));
  }
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    std::array<char, 3> digits{};
    std::snprintf(digits.data(), digits.size(), "%02x", static_cast<unsigned>(bytes[i]));
    text += digits.data();
  }
  return text;
}

std::string host_name() {
  std::array<char, 256> buffer{};
  return ::gethostname(buffer.data(), buffer.size() - 1) == 0 ? buffer.data() : "unknown host";
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  std::array<char, 32> buffer{};
  std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%SZ", ::gmtime_r(&now, &parts));
  return buffer.data();
}

// The right to write: a lock on a file beside the database. The kernel releases it when the process
// ends, however it ends, so nobody ever has to remove it. Readers do not look at it.
base::UniqueFd take_writer_lock(const fs::path& file) {
  fs::path path = file;
  path += ".lock";
  base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) {
    throw StoreError(file.string() + " cannot be written: " + path.string() + ": " +
                     std::strerror(errno) + "; choose a folder that you may write to, with --db");
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      throw StoreError(path.string() + " cannot be locked: " + std::strerror(errno) +
                       "; put the database on a local disk, with --db");
    }
    std::array<char, 512> buffer{};
    const ssize_t size = ::pread(fd.get(), buffer.data(), buffer.size() - 1, 0);
    std::string holder(buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    if (holder.empty()) holder = "another process";
    throw StoreError(
        file.string() + " is being written by " + holder +
        "; wait until it ends, or name another file with --db (queries work meanwhile)");
  }
  const std::string text =
      "process " + std::to_string(::getpid()) + " on " + host_name() + " since " + utc_now() + "\n";
  // Only a text for people: if it cannot be written, the lock still holds.
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), text.data(), text.size(), 0) < 0) {
    return fd;
  }
  return fd;
}

// A number that may be none: the value and the flag beside it.
void bind_with_flag(Statement& statement, double value) {
  if (std::isfinite(value)) {
    statement.bind(value).bind_null();
  } else {
    statement.bind_null().bind(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
  }
}

void bind_finite_or_null(Statement& statement, double value) {
  if (std::isfinite(value)) {
    statement.bind(value);
  } else {
    statement.bind_null();
  }
}

// The id that a statement with one row and one column yields.
std::int64_t only_integer(Statement& statement, const std::string& what) {
  UNMASK_CHECK(statement.step(), what + " is not in the database");
  const std::int64_t value = statement.integer(0);
  statement.reset();
  return value;
}

// Tables with the values of a result, for taking it back.
constexpr const char* kValueTables[] = {"checkpoint",
                                        "adversarials",
                                        "metric",
                                        "series",
                                        "solve_stats",
                                        "sample_outcome",
                                        "sample_metric",
                                        "seed"};

void discard(Database& database, std::int64_t cell, const std::string& reason) {
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

void insert_values(Database& database, std::int64_t cell, const wire::CellResult& result) {
  if (result.adversarials) {
    database
        .prepare("insert adversarials",
                 "INSERT INTO adversarials(cell_id, sha256, bytes, path) VALUES (?, ?, ?, ?)")
        .bind(cell)
        .bind(result.adversarials->sha256)
        .bind(result.adversarials->bytes)
        .bind(result.adversarials->path)
        .run();
  }
  if (result.checkpoint) {
    database
        .prepare("insert checkpoint",
                 "INSERT INTO checkpoint(cell_id, sha256, bytes, path) VALUES (?, ?, ?, ?)")
        .bind(cell)
        .bind(result.checkpoint->sha256)
        .bind(result.checkpoint->bytes)
        .bind(result.checkpoint->path)
        .run();
  }
  Statement metric = database.prepare(
      "insert metric", "INSERT INTO metric(cell_id, name, value, flag, n) VALUES (?, ?, ?, ?, ?)");
  for (const wire::Metric& m : result.metrics) {
    metric.bind(cell).bind(m.name);
    bind_with_flag(metric, m.value);
    metric.bind(m.n).run();
  }
  Statement outcome = database.prepare(
      "insert sample outcome",
      "INSERT INTO sample_outcome(cell_id, sample, label, clean_prediction, prediction, distance, "
      "queries) VALUES (?, ?, ?, ?, ?, ?, ?)");
  for (const wire::SampleOutcome& o : result.outcomes) {
    outcome.bind(cell).bind(o.sample).bind(o.label).bind(o.clean_prediction).bind(o.prediction);
    outcome.bind(o.distance).bind(o.queries).run();
  }
  Statement sample = database.prepare(
      "insert sample metric",
      "INSERT INTO sample_metric(cell_id, sample, name, value, flag) VALUES (?, ?, ?, ?, ?)");
  for (const wire::SampleMetric& m : result.sample_metrics) {
    sample.bind(cell).bind(m.sample).bind(m.name);
    bind_with_flag(sample, m.value);
    sample.run();
  }
  Statement point = database.prepare(
      "insert series",
      "INSERT INTO series(cell_id, name, step, value, flag) VALUES (?, ?, ?, ?, ?)");
  for (const wire::Series& s : result.series) {
    std::int64_t step = 0;
    for (const double value : s.values) {
      point.bind(cell).bind(s.name).bind(++step);
      bind_with_flag(point, value);
      point.run();
    }
  }
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
    stats.run();
  }
  Statement seed =
      database.prepare("insert seed", "INSERT INTO seed(cell_id, purpose, seed) VALUES (?, ?, ?)");
  for (const auto& [purpose, value] : result.seeds) {
    seed.bind(cell).bind(purpose).bind(value).run();
  }
}

// Registers the plugins that specifications name, each once per run.
class PluginRegister {
 public:
  PluginRegister(Database& database, std::int64_t run, const catalog::Catalog& catalog)
      : database_(database),
        run_(run),
        catalog_(catalog),
        insert_cell_plugin_(
            database.prepare("insert cell_plugin",
                             "INSERT INTO cell_plugin(cell_id, role, plugin_id) VALUES (?, ?, ?) "
                             "ON CONFLICT (cell_id, role) DO NOTHING")) {}

  // Every member of a specification with a plugin and a fingerprint is a plugin in a role; so are
  // the entries of a list ("gradient.0") and what a source is made of ("source.model").
  void add(std::int64_t cell, bool is_new, const json& spec) {
    for (const auto& [role, part] : spec.items()) {
      if (!part.is_object()) continue;
      const std::string kind = role == "gradient" ? "solver" : role;
      if (role == "source") {
        for (const char* name : {"model", "solver"}) {
          add_part(cell, is_new, role + "." + name, name, part.at(name));
        }
      }
      for (const char* list : {"mean", "members"}) {
        const auto found = part.find(list);
        if (found == part.end()) continue;
        for (std::size_t i = 0; i < found->size(); ++i) {
          add_part(cell, is_new, role + "." + std::to_string(i), kind, found->at(i));
        }
      }
      add_part(cell, is_new, role, kind, part);
    }
  }

 private:
  void add_part(std::int64_t cell,
                bool is_new,
                const std::string& role,
                const std::string& kind,
                const json& part) {
    if (!part.contains("plugin") || !part.contains("fingerprint")) return;
    const std::int64_t plugin = plugin_id(
        kind, part.at("plugin").get<std::string>(), part.at("fingerprint").get<std::string>());
    if (is_new) insert_cell_plugin_.bind(cell).bind(role).bind(plugin).run();
  }

  std::int64_t plugin_id(const std::string& kind,
                         const std::string& name,
                         const std::string& fingerprint) {
    const auto [known, is_new] = ids_.try_emplace({kind, name, fingerprint}, 0);
    if (!is_new) return known->second;
    const catalog::PluginRecord* plugin = catalog_.find(kind, name);
    UNMASK_CHECK(plugin != nullptr && plugin->fingerprint == fingerprint,
                 kind + " " + name + " with fingerprint " + fingerprint + " is not in the catalog");
    database_
        .prepare("insert plugin",
                 "INSERT INTO plugin(kind, name, fingerprint, version, summary, source, "
                 "capabilities) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, name, fingerprint) "
                 "DO NOTHING")
        .bind(kind)
        .bind(name)
        .bind(fingerprint)
        .bind(plugin->version)
        .bind(plugin->summary)
        .bind(plugin->source)
        .bind(json(plugin->capabilities).dump())
        .run();
    Statement find = database_.prepare(
        "find plugin", "SELECT id FROM plugin WHERE kind = ? AND name = ? AND fingerprint = ?");
    find.bind(kind).bind(name).bind(fingerprint);
    known->second = only_integer(find, kind + " " + name);
    database_
        .prepare("insert run_plugin",
                 "INSERT INTO run_plugin(run_id, plugin_id, file, file_sha256, build_tag) "
                 "VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id, plugin_id) DO NOTHING")
        .bind(run_)
        .bind(known->second)
        .bind(plugin->file.string())
        .bind(plugin->file_sha256)
        .bind(plugin->build_tag)
        .run();
    return known->second;
  }

  Database& database_;
  std::int64_t run_;
  const catalog::Catalog& catalog_;
  Statement insert_cell_plugin_;
  std::map<std::array<std::string, 3>, std::int64_t> ids_;
};

// Attempts and runs that say "running" belong to a process that is gone: only one process writes,
// and that is this one now.
void mark_interrupted(Database& database) {
  Transaction transaction(database);
  database.execute("mark interrupted attempts",
                   "UPDATE attempt SET state = 'interrupted', ended_at = " UNMASK_NOW
                   ", message = 'its run ended without a word' WHERE state = 'running'");
  database.execute("mark interrupted runs",
                   "UPDATE run SET state = 'interrupted', ended_at = " UNMASK_NOW
                   " WHERE state = 'running'");
  transaction.commit();
}

}  // namespace

struct Store::Impl {
  // The lock is the last to go.
  base::UniqueFd lock;
  Database database;
  bool is_writer = false;
  std::map<std::string, Clock::time_point> started;  // of running attempts

  // What is known of an attempt that is about to end.
  struct Attempt {
    std::int64_t cell = 0;
    std::int64_t run = 0;
    std::string kind;
    double wall_s = 0;
  };

  Attempt running_attempt(const std::string& id) {
    Statement find = database.prepare("find attempt",
                                      "SELECT a.cell_id, a.run_id, c.kind FROM attempt a "
                                      "JOIN cell c ON c.id = a.cell_id "
                                      "WHERE a.id = ? AND a.state = 'running'");
    find.bind(id);
    UNMASK_CHECK(find.step(), "attempt " + id + " is not running");
    Attempt attempt{find.integer(0), find.integer(1), find.text(2), 0};
    if (const auto start = started.find(id); start != started.end()) {
      attempt.wall_s = std::chrono::duration<double>(Clock::now() - start->second).count();
    }
    return attempt;
  }

  std::int64_t cell_id(const std::string& key) {
    Statement find = database.prepare("find cell", "SELECT id FROM cell WHERE key = ?");
    find.bind(key);
    return only_integer(find, "cell " + key);
  }

  void require_writer() const {
    UNMASK_CHECK(is_writer, "the store was opened for reading: " + database.file().string());
  }
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Store Store::open_writer(const fs::path& given) {
  // One name per file, so that there is one lock per file.
  std::error_code error;
  fs::path file = fs::weakly_canonical(fs::absolute(given), error);
  if (error) file = fs::absolute(given);
  fs::create_directories(file.parent_path(), error);
  if (error) {
    throw StoreError("folder " + file.parent_path().string() +
                     " cannot be made: " + error.message() + "; name another file with --db");
  }
  // Look before touching anything: a file that is not ours gets neither a lock beside it nor a log.
  if (fs::exists(file, error)) {
    Database look = Database::open(file, Database::Mode::kRead);
    check_identity(look, schema_version());
  }
  base::UniqueFd lock = take_writer_lock(file);
  Database database = Database::open(file, Database::Mode::kWrite);
  check_identity(database, schema_version());
  database.enable_wal();
  migrate(database, migrations());
  Statement meta = database.prepare(
      "insert meta", "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING");
  {
    Transaction transaction(database);
    meta.bind("uuid").bind(make_uuid()).run();
    meta.bind("created_at").bind(utc_now()).run();
    meta.bind("created_by").bind("unmask " UNMASK_VERSION).run();
    transaction.commit();
  }
  mark_interrupted(database);
  return Store(std::unique_ptr<Impl>(new Impl{std::move(lock), std::move(database), true, {}}));
}

Store Store::open_reader(const fs::path& file) {
  Database database = Database::open(file, Database::Mode::kRead);
  const int version = check_identity(database, schema_version());
  if (version == 0) {
    throw StoreError(
        database.file().string() +
        " is empty: nothing was recorded in it; `unmask run` fills it, --db names another");
  }
  if (version < schema_version()) {
    throw StoreError(database.file().string() + " has schema version " + std::to_string(version) +
                     ", this unmask reads version " + std::to_string(schema_version()) +
                     "; `unmask run` upgrades it, after a backup");
  }
  return Store(std::unique_ptr<Impl>(new Impl{{}, std::move(database), false, {}}));
}

const fs::path& Store::file() const noexcept {
  return impl_->database.file();
}
bool Store::is_writer() const noexcept {
  return impl_->is_writer;
}
Database& Store::database() const noexcept {
  return impl_->database;
}

namespace {

constexpr const char* kSelectDone =
    "SELECT c.key, k.sha256, k.bytes, k.path FROM cell c "
    "JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
    "LEFT JOIN checkpoint k ON k.cell_id = c.id";

void take_done(const Statement& row, DoneCells& cells) {
  std::optional<wire::CheckpointFile> checkpoint;
  if (!row.is_null(1)) checkpoint = wire::CheckpointFile{row.text(1), row.integer(2), row.text(3)};
  cells.emplace(row.text(0), std::move(checkpoint));
}

}  // namespace

DoneCells Store::lookup(std::span<const std::string> keys) const {
  DoneCells result;
  Statement find =
      impl_->database.prepare("look up cell", std::string(kSelectDone) + " WHERE c.key = ?");
  for (const std::string& key : keys) {
    find.bind(key);
    while (find.step()) take_done(find, result);
  }
  return result;
}

DoneCells Store::lookup(std::span<const wire::Cell> cells) const {
  std::vector<std::string> keys;
  keys.reserve(cells.size());
  for (const wire::Cell& cell : cells) keys.push_back(cell.key);
  return lookup(std::span<const std::string>(keys));
}

std::map<std::string, wire::ResultFile> Store::adversarials(
    std::span<const wire::Cell> cells) const {
  std::map<std::string, wire::ResultFile> result;
  Statement find = impl_->database.prepare("find adversarials",
                                           "SELECT k.sha256, k.bytes, k.path FROM adversarials k "
                                           "JOIN cell c ON c.id = k.cell_id WHERE c.key = ?");
  for (const wire::Cell& cell : cells) {
    find.bind(cell.key);
    while (find.step()) {
      result[cell.key] = {find.text(0), find.integer(1), find.text(2)};
    }
  }
  return result;
}

DoneCells Store::stored() const {
  DoneCells result;
  Statement find = impl_->database.prepare("list done cells", kSelectDone);
  while (find.step()) take_done(find, result);
  return result;
}

std::int64_t Store::begin_run(const wire::ManifestRecord& study, const RunInfo& info) {
  impl_->require_writer();
  Database& database = impl_->database;
  Transaction transaction(database);

  const std::string study_name = study.name.empty() ? study.file.stem().string() : study.name;
  database
      .prepare("insert manifest",
               "INSERT INTO manifest(sha256, name, description, file, text, first_seen) "
               "VALUES (?, ?, ?, ?, ?, " UNMASK_NOW ") ON CONFLICT (sha256, name) DO NOTHING")
      .bind(study.sha256)
      .bind(study_name)
      .bind(study.description)
      .bind(study.file.string())
      .bind(study.text)
      .run();
  Statement find_manifest =
      database.prepare("find manifest", "SELECT id FROM manifest WHERE sha256 = ? AND name = ?");
  find_manifest.bind(study.sha256).bind(study_name);
  const std::int64_t manifest = only_integer(find_manifest, "manifest " + study_name);

  const std::string environment_json = dump(info.environment);
  const std::string environment_sha256 = sha256_hex(environment_json);
  Statement insert_environment = database.prepare(
      "insert environment",
      "INSERT INTO environment(sha256, json, host, os, cpu, gpu, libtorch, blas, compiler) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING");
  insert_environment.bind(environment_sha256).bind(environment_json);
  for (const char* name : {"host", "os", "cpu", "gpu", "libtorch", "blas", "compiler"}) {
    insert_environment.bind(member_text(info.environment, name));
  }
  insert_environment.run();
  Statement find_environment =
      database.prepare("find environment", "SELECT id FROM environment WHERE sha256 = ?");
  find_environment.bind(environment_sha256);
  const std::int64_t environment = only_integer(find_environment, "environment");

  Statement insert = database.prepare("insert run",
                                      "INSERT INTO run(uuid, manifest_id, environment_id, state, "
                                      "started_at, argv, tool, git_commit, "
                                      "git_dirty, pid) VALUES (?, ?, ?, 'running', " UNMASK_NOW
                                      ", ?, ?, ?, ?, ?) RETURNING id");
  insert.bind(make_uuid()).bind(manifest).bind(environment).bind(dump(json(info.argv)));
  insert.bind(UNMASK_VERSION);
  insert.bind(info.git_commit.empty() ? std::nullopt : std::optional(info.git_commit));
  insert.bind(info.git_dirty).bind(std::int64_t{::getpid()});
  const std::int64_t run = only_integer(insert, "run");
  transaction.commit();
  return run;
}

void Store::end_run(std::int64_t run, int exit_code) {
  impl_->require_writer();
  Database& database = impl_->database;
  Transaction transaction(database);
  database
      .prepare("end run",
               "UPDATE run SET state = 'ended', exit_code = ?, ended_at = " UNMASK_NOW
               " WHERE id = ? AND state = 'running'")
      .bind(exit_code)
      .bind(run)
      .run();
  UNMASK_CHECK(database.changes() == 1, "run " + std::to_string(run) + " is not running");
  transaction.commit();
}

void Store::register_cells(std::int64_t run,
                           const catalog::Catalog& catalog,
                           std::span<const wire::Cell> cells) {
  impl_->require_writer();
  Database& database = impl_->database;
  Transaction transaction(database);
  Statement find_manifest =
      database.prepare("find manifest of run", "SELECT manifest_id FROM run WHERE id = ?");
  find_manifest.bind(run);
  const std::int64_t manifest = only_integer(find_manifest, "run " + std::to_string(run));

  PluginRegister plugins(database, run, catalog);
  Statement insert =
      database.prepare("insert cell",
                       "INSERT INTO cell(key, kind, checkpoint_cell_id, source_cell_id, spec_json, "
                       "norm) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING");
  Statement find = database.prepare("find cell", "SELECT id FROM cell WHERE key = ?");
  Statement name = database.prepare(
      "insert study_cell",
      "INSERT INTO study_cell(manifest_id, cell_id, dataset, model, objective, train_solver, "
      "train_seed, solver, gradient, source, method, epsilon, epsilon_text, seed) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
      "ON CONFLICT (manifest_id, cell_id) DO NOTHING");
  Statement how = database.prepare(
      "insert run_cell",
      "INSERT INTO run_cell(run_id, cell_id, how) SELECT ?1, ?2, CASE WHEN EXISTS (SELECT 1 FROM "
      "attempt WHERE cell_id = ?2 AND state = 'done') THEN 'hit' ELSE 'planned' END "
      "WHERE true ON CONFLICT (run_id, cell_id) DO NOTHING");
  for (const wire::Cell& cell : cells) {
    const auto training = [&](const json& part) {
      const std::string key = part.at("checkpoint").get<std::string>();
      find.bind(key);
      return only_integer(find, "train cell " + key + ", which cell " + cell.key + " needs,");
    };
    std::optional<std::int64_t> checkpoint;
    std::optional<std::int64_t> source;
    if (cell.kind != wire::CellKind::kTrain) checkpoint = training(cell.spec);
    if (const auto part = cell.spec.find("source"); part != cell.spec.end()) {
      source = training(*part);
      if (source == checkpoint) source.reset();
    }
    insert.bind(cell.key).bind(wire::to_string(cell.kind)).bind(checkpoint).bind(source);
    insert.bind(dump(cell.spec)).bind(norm_of(cell.spec)).run();
    const bool is_new = database.changes() == 1;
    find.bind(cell.key);
    const std::int64_t id = only_integer(find, "cell " + cell.key);
    plugins.add(id, is_new, cell.spec);

    const wire::CellLabels& l = cell.labels;
    name.bind(manifest).bind(id).bind(l.dataset).bind(l.model).bind(l.objective);
    name.bind(l.train_solver).bind(l.train_seed).bind(l.solver).bind(l.gradient);
    name.bind(l.source).bind(l.method);
    name.bind(l.epsilon).bind(l.epsilon_text).bind(l.seed).run();
    how.bind(run).bind(id).run();
  }
  transaction.commit();
}

std::string Store::begin_attempt(std::int64_t run,
                                 const std::string& key,
                                 std::int64_t worker_pid,
                                 const std::string& device) {
  impl_->require_writer();
  Database& database = impl_->database;
  Transaction transaction(database);
  const std::int64_t cell = impl_->cell_id(key);
  Statement done = database.prepare("is the cell done",
                                    "SELECT 1 FROM attempt WHERE cell_id = ? AND state = 'done'");
  UNMASK_CHECK(!done.bind(cell).step(), "cell " + key + " has a result already");
  done.reset();
  const std::string id = make_uuid();
  database
      .prepare("insert attempt",
               "INSERT INTO attempt(id, cell_id, run_id, n, state, started_at, device, worker_pid, "
               "checkpoint_sha256, source_sha256) SELECT ?1, ?2, ?3, "
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
  transaction.commit();
  impl_->started[id] = Clock::now();
  return id;
}

std::size_t Store::commit_result(const std::string& attempt_id, const wire::CellResult& result) {
  impl_->require_writer();
  Database& database = impl_->database;
  Transaction transaction(database);
  const Impl::Attempt attempt = impl_->running_attempt(attempt_id);
  UNMASK_CHECK((attempt.kind == "train") == result.checkpoint.has_value(),
               "a train cell yields a checkpoint, and nothing else does");

  Statement update = database.prepare(
      "accept attempt",
      "UPDATE attempt SET state = 'done', ended_at = " UNMASK_NOW
      ", wall_s = ?, device = coalesce(nullif(?, ''), device), peak_bytes = ?, forwards = ?, "
      "backwards = ?, nfe = ? WHERE id = ?");
  update.bind(result.wall_s).bind(result.device).bind(result.peak_bytes);
  update.bind(result.counters.forwards).bind(result.counters.backwards).bind(result.counters.nfe);
  update.bind(attempt_id).run();
  insert_values(database, attempt.cell, result);
  set_run_cell(database, attempt.run, attempt.cell, "ran", std::nullopt);

  std::vector<std::int64_t> stale;
  if (result.checkpoint) {
    Statement find = database.prepare(
        "find results of other weights",
        "SELECT a.cell_id FROM attempt a JOIN cell c ON c.id = a.cell_id "
        "WHERE a.state = 'done' AND ((c.checkpoint_cell_id = ?1 AND a.checkpoint_sha256 IS NOT ?2) "
        "OR (c.source_cell_id = ?1 AND a.source_sha256 IS NOT ?2))");
    find.bind(attempt.cell).bind(result.checkpoint->sha256);
    while (find.step()) stale.push_back(find.integer(0));
  }
  for (const std::int64_t cell : stale) {
    discard(database, cell, "its checkpoint was trained again and has other weights");
  }
  transaction.commit();
  impl_->started.erase(attempt_id);
  return stale.size();
}

void Store::fail_attempt(const std::string& attempt_id, const wire::CellFailure& failure) {
  impl_->require_writer();
  Database& database = impl_->database;
  Transaction transaction(database);
  const Impl::Attempt attempt = impl_->running_attempt(attempt_id);
  const bool is_interrupted = failure.failure_class == wire::FailureClass::kInterrupted;
  Statement update = database.prepare(
      "record failure",
      "UPDATE attempt SET state = ?, failure_class = ?, message = ?, log_tail = ?, signal = ?, "
      "exit_code = ?, wall_s = ?, ended_at = " UNMASK_NOW " WHERE id = ?");
  update.bind(is_interrupted ? "interrupted" : "failed");
  update.bind(is_interrupted ? std::nullopt
                             : std::optional<std::string>(wire::to_string(failure.failure_class)));
  update.bind(failure.message).bind(failure.log_tail).bind(failure.signal).bind(failure.exit_code);
  update.bind(attempt.wall_s).bind(attempt_id).run();
  if (!is_interrupted) set_run_cell(database, attempt.run, attempt.cell, "failed", std::nullopt);
  transaction.commit();
  impl_->started.erase(attempt_id);
}

void Store::skip_cell(std::int64_t run, const std::string& key, const std::string& reason) {
  impl_->require_writer();
  Transaction transaction(impl_->database);
  set_run_cell(impl_->database, run, impl_->cell_id(key), "skipped", reason);
  transaction.commit();
}

bool Store::discard_result(const std::string& key, const std::string& reason) {
  impl_->require_writer();
  Database& database = impl_->database;
  Transaction transaction(database);
  Statement find = database.prepare("find result",
                                    "SELECT c.id FROM cell c JOIN attempt a ON a.cell_id = c.id "
                                    "WHERE c.key = ? AND a.state = 'done'");
  if (!find.bind(key).step()) return false;
  const std::int64_t cell = find.integer(0);
  find.reset();
  discard(database, cell, reason);
  transaction.commit();
  return true;
}

}  // namespace unmask::store
