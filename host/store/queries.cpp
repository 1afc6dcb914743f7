#include "store/queries.hpp"

#include <array>
#include <string>

#include <sqlite3.h>

#include "store/database.hpp"

namespace unmask::store {
namespace {

constexpr NamedQuery kQueries[] = {
    {"status",
     "how far each study is: cells done, failed, missing",
     R"sql(SELECT study, kind, cells, done, running, failed, missing FROM progress
ORDER BY study, kind = 'train' DESC, kind)sql"},

    {"accuracy",
     "accuracy per model, solver and attack, with the 95 % interval",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,
  attack, epsilon_text, seed, n, clean_accuracy, robust_accuracy, lower, upper
FROM accuracy
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, epsilon, attack,
  gradient, source, seed)sql"},

    {"robustness",
     "the table to begin with: accuracy in percent per network and attack, and against all attacks "
     "at once",
     R"sql(SELECT study, dataset, model, objective, train_seed,
  train_solver || iif(solver = train_solver, '', ' -> ' || solver) AS solver,
  attack, gradient, epsilon_text AS epsilon,
  iif(min(seed) OVER study = max(seed) OVER study, NULL, seed) AS seed,
  n, accuracy_percent, interval_percent
FROM (SELECT study, dataset, model, objective, train_solver, train_seed, solver, epsilon, seed,
        epsilon > 0 AS rank, attack || iif(source = '@self', '', ' from ' || source) AS attack,
        iif(gradient = '@eval', '', gradient) AS gradient, epsilon_text, n,
        round(100 * robust_accuracy, 1) AS accuracy_percent,
        format('%.0f - %.0f', 100 * lower, 100 * upper) AS interval_percent
      FROM accuracy
      UNION ALL
      SELECT study, dataset, model, objective, train_solver, train_seed, solver, epsilon, NULL,
        2, 'all of them', '', epsilon_text, n, round(100 * robust_accuracy, 1),
        format('%.0f - %.0f', 100 * lower, 100 * upper)
      FROM worst_case)
WINDOW study AS (PARTITION BY study)
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, rank, epsilon,
  accuracy_percent DESC, attack, gradient, seed)sql"},

    {"worst-case",
     "robust accuracy when each sample faces all attacks of one radius",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,
  n_attacks, n_missing, n, clean_accuracy, robust_accuracy, lower, upper
FROM worst_case
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon)sql"},

    {"worst-case-samples",
     "which attacks fooled which sample",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,
  sample, label, clean_prediction, robust, n_attacks, n_fooled, fooled_by
FROM worst_case_sample
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, sample)sql"},

    {"seeds",
     "robust accuracy over training and attack seeds: min, mean, max, variance",
     R"sql(SELECT study, dataset, model, objective, train_solver, solver, gradient, source, attack,
  epsilon_text, n, train_seeds, attack_seeds, clean_mean, min, mean, max, variance
FROM seed_summary
ORDER BY study, dataset, model, objective, train_solver, solver, epsilon, attack, gradient,
  source)sql"},

    {"gradient-matrix",
     "the same attack through other gradient solvers, and the gap to the own gradient",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, attack, epsilon_text, seed,
  solver, gradient, source, n, robust_accuracy, own_robust_accuracy, gap
FROM gradient_matrix
ORDER BY study, dataset, model, objective, train_solver, train_seed, attack, epsilon, seed,
  solver, gradient)sql"},

    {"elasticity",
     "what more steps, queries or restarts change: attacks that differ in one of these alone",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,
  epsilon_text, seed, attack, parameter, value, n, robust_accuracy,
  robust_accuracy_at_smallest - robust_accuracy AS drop_to_smallest
FROM (SELECT *, count(*) OVER family AS members,
        first_value(robust_accuracy) OVER (family ORDER BY value) AS robust_accuracy_at_smallest
      FROM (SELECT a.*, p.key AS parameter, p.value,
              json_remove(c.spec_json, '$.attack.params.' || p.key) AS others
            FROM accuracy a JOIN cell c ON c.id = a.cell_id,
              json_each(c.spec_json, '$.attack.params') p
            WHERE p.key IN ('steps', 'step_size', 'queries', 'restarts'))
      WINDOW family AS (PARTITION BY study, parameter, others))
WHERE members > 1
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, gradient, epsilon,
  seed, parameter, others, value)sql"},

    {"warnings",
     "what makes a verdict doubtful: random answers, no gradients, a black box that helps",
     R"sql(WITH ensemble_member AS (
  SELECT r.cell_id, CAST(substr(r.role, 8) AS INTEGER) AS turn, p.name AS plugin,
    json_extract(c.spec_json, '$.attack.names[' || substr(r.role, 8) || ']') AS name,
    EXISTS (SELECT 1 FROM json_each(p.capabilities) WHERE value = 'gradient_free')
      AS is_gradient_free
  FROM cell_plugin r JOIN plugin p ON p.id = r.plugin_id JOIN cell c ON c.id = r.cell_id
  WHERE r.role GLOB 'attack.[0-9]*'),
watched(cell_id, name, threshold, is_of_network) AS (
  SELECT c.id, w.column1, w.column2, w.column3
  FROM cell c, (VALUES ('check.randomised', 1e-4, 1), ('check.softmax_output', 0.0, 1),
    ('check.batch_dependence', 1e-4, 1), ('check.zero_gradient', 0.0, 0),
    ('check.gradient_not_finite', 0.0, 0)) w
  UNION ALL
  SELECT cell_id, 'fooled_first_by.' || name || '.mean', 0.002, 0 FROM ensemble_member e
  WHERE is_gradient_free AND EXISTS (SELECT 1 FROM ensemble_member b
    WHERE b.cell_id = e.cell_id AND b.turn < e.turn AND NOT b.is_gradient_free)
  UNION ALL
  SELECT cell_id, name || '.fooled_first_by.square.mean', 0.002, 0 FROM ensemble_member
  WHERE plugin = 'autoattack'
  UNION ALL
  SELECT id, 'fooled_first_by.square.mean', 0.002, 0 FROM cell
  WHERE json_extract(spec_json, '$.attack.plugin') = 'autoattack')
SELECT m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver,
  m.name AS warning, max(m.value) AS value, w.threshold, count(*) AS cells,
  iif(w.is_of_network, NULL, m.method) AS attack,
  iif(w.is_of_network, NULL, m.gradient) AS gradient,
  iif(w.is_of_network, NULL, m.source) AS source,
  iif(w.is_of_network, NULL, m.epsilon_text) AS epsilon_text,
  iif(w.is_of_network, NULL, m.seed) AS seed
FROM metrics m JOIN watched w ON w.cell_id = m.cell_id AND w.name = m.name
WHERE m.value > w.threshold
GROUP BY m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver, m.name,
  iif(w.is_of_network, NULL, m.cell_id)
ORDER BY m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver,
  NOT w.is_of_network, m.epsilon, m.cell_id, m.name)sql"},

    {"metrics",
     "all numbers of all cells: training, attacks, probes",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, name, value, flag, n
FROM metrics
ORDER BY study, kind = 'train' DESC, kind, cell_id, name)sql"},

    {"solves",
     "vector-field evaluations and steps per solve",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, phase, solve,
  solves, nfe_min, nfe_median, nfe_max, nfe_mean, accepted_mean, rejected_mean, failed,
  worst_status
FROM evaluations_per_solve
ORDER BY study, kind = 'train' DESC, kind, cell_id, phase, solve)sql"},

    {"cost",
     "time, memory and work of each cell",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, device,
  wall_s, peak_bytes, forwards, backwards, nfe, attempts, lost_s
FROM cost
ORDER BY wall_s DESC, cell_id)sql"},

    {"failures",
     "what failed and why",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed,
  failure_class, message, signal, exit_code, attempt, blocks, substr(key, 1, 12) AS key
FROM failures
ORDER BY study, kind = 'train' DESC, kind, cell_id)sql"},

    {"cells",
     "all cells with their state",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, state, attempts, substr(key, 1, 12) AS key
FROM cells
ORDER BY study, kind = 'train' DESC, kind, cell_id)sql"},

    {"runs",
     "every run: when, what, on which machine, what became of it",
     R"sql(SELECT r.id AS run, m.name AS study, r.started_at, r.ended_at, r.state, r.exit_code,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'hit') AS hit,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'ran') AS ran,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'failed') AS failed,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'skipped') AS skipped,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'planned') AS not_run,
  e.host, e.libtorch, substr(r.git_commit, 1, 12) AS git_commit, r.git_dirty
FROM run r JOIN manifest m ON m.id = r.manifest_id JOIN environment e ON e.id = r.environment_id
ORDER BY r.id)sql"},

    {"plugins",
     "plugins that took part, and in how many cells",
     R"sql(SELECT p.kind, p.name, p.version, substr(p.fingerprint, 1, 12) AS fingerprint,
  (SELECT count(DISTINCT c.cell_id) FROM cell_plugin c WHERE c.plugin_id = p.id) AS cells
FROM plugin p
ORDER BY p.kind, p.name, p.id)sql"},
};

// n and device are no names, but as a rule the same everywhere.
constexpr std::string_view kLabels[] = {"study",
                                        "kind",
                                        "dataset",
                                        "model",
                                        "objective",
                                        "train_solver",
                                        "train_seed",
                                        "solver",
                                        "gradient",
                                        "source",
                                        "attack",
                                        "method",
                                        "norm",
                                        "epsilon",
                                        "epsilon_text",
                                        "seed",
                                        "n",
                                        "device"};

constexpr const char* kName = "query";

// Pragmas that describe and cannot change.
bool is_describing_pragma(std::string_view name) {
  constexpr std::string_view kAllowed[] = {"table_info",
                                           "table_xinfo",
                                           "table_list",
                                           "index_list",
                                           "index_info",
                                           "index_xinfo",
                                           "foreign_key_list",
                                           "database_list",
                                           "function_list",
                                           "compile_options",
                                           "integrity_check",
                                           "quick_check",
                                           "foreign_key_check"};
  for (const std::string_view allowed : kAllowed) {
    if (allowed == name) return true;
  }
  return false;
}

// Pragmas that describe without an argument and change with one.
bool is_readable_setting(std::string_view name) {
  return name == "user_version" || name == "application_id" || name == "schema_version" ||
         name == "journal_mode" || name == "page_count" || name == "page_size";
}

// Called while a statement is prepared. What writes rows or tables is found afterwards, by
// sqlite3_stmt_readonly; here is what that function lets pass: other files, settings, transactions.
extern "C" int authorize(void* was_denied,
                         int action,
                         const char* first,
                         const char* second,
                         const char* /*database*/,
                         const char* /*view*/) noexcept {
  bool is_allowed = true;
  switch (action) {
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: is_allowed = false; break;
    case SQLITE_FUNCTION:
      is_allowed = second == nullptr || std::string_view(second) != "load_extension";
      break;
    case SQLITE_PRAGMA:
      is_allowed = first != nullptr && (is_describing_pragma(first) ||
                                        (is_readable_setting(first) && second == nullptr));
      break;
    default: break;
  }
  if (!is_allowed) *static_cast<bool*>(was_denied) = true;
  return is_allowed ? SQLITE_OK : SQLITE_DENY;
}

// Restricts a connection to reading while it lives.
class ReadingOnly {
 public:
  explicit ReadingOnly(sqlite3* handle) : handle_(handle) {
    sqlite3_set_authorizer(handle_, authorize, &was_denied_);
  }
  ~ReadingOnly() { sqlite3_set_authorizer(handle_, nullptr, nullptr); }
  ReadingOnly(const ReadingOnly&) = delete;
  ReadingOnly& operator=(const ReadingOnly&) = delete;

  bool was_denied() const { return was_denied_; }

 private:
  sqlite3* handle_;
  bool was_denied_ = false;
};

// RAII for the raw statement: run_query needs the tail of the text, which Statement hides.
class Prepared {
 public:
  Prepared(sqlite3* handle, const char* sql, const char** tail)
      : code_(sqlite3_prepare_v2(handle, sql, -1, &statement_, tail)) {}
  ~Prepared() { sqlite3_finalize(statement_); }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  int code() const { return code_; }
  sqlite3_stmt* get() const { return statement_; }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_;
};

[[noreturn]] void refuse(const std::string& reason) {
  throw StoreError(reason +
                   "; a query is one statement that only reads (SELECT, VALUES, WITH, EXPLAIN)");
}

std::string blob_text(const unsigned char* data, int size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string result = "X'";
  for (int i = 0; i < size; ++i) {
    result += kDigits[data[i] >> 4];
    result += kDigits[data[i] & 15];
  }
  return result + "'";
}

table::Value value_of(sqlite3_stmt* statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_column_int64(statement, column)};
    case SQLITE_FLOAT: return sqlite3_column_double(statement, column);
    case SQLITE_NULL: return std::monostate{};
    case SQLITE_BLOB:
      return blob_text(static_cast<const unsigned char*>(sqlite3_column_blob(statement, column)),
                       sqlite3_column_bytes(statement, column));
    default: {
      const void* data = sqlite3_column_blob(statement, column);
      const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
      return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
    }
  }
}

}  // namespace

std::span<const NamedQuery> named_queries() {
  return kQueries;
}

const NamedQuery* find_query(std::string_view name) {
  for (const NamedQuery& query : kQueries) {
    if (query.name == name) return &query;
  }
  return nullptr;
}

std::span<const std::string_view> label_columns() {
  return kLabels;
}

table::Table run_query(Database& database, std::string_view sql) {
  if (sql.find('\0') != std::string_view::npos) refuse("the query holds a zero byte");
  const std::string text(sql);
  sqlite3* handle = database.handle();
  const ReadingOnly reading_only(handle);
  const char* tail = nullptr;
  const Prepared statement(handle, text.c_str(), &tail);
  if (reading_only.was_denied()) refuse("the query would do more than read");
  if ((statement.code() & 0xff) == SQLITE_ERROR) {
    throw SqliteError(
        std::string("the query is wrong: ") + sqlite3_errmsg(handle), kName, statement.code());
  }
  if (statement.code() != SQLITE_OK) database.fail(kName, statement.code());
  if (statement.get() == nullptr) refuse("the query is empty");
  const Prepared rest(handle, tail, nullptr);
  if (rest.code() != SQLITE_OK || rest.get() != nullptr) {
    refuse("the query is more than one statement");
  }
  if (sqlite3_stmt_readonly(statement.get()) == 0) refuse("the query would change the database");

  table::Table table;
  const int columns = sqlite3_column_count(statement.get());
  for (int c = 0; c < columns; ++c) {
    table.columns.emplace_back(sqlite3_column_name(statement.get(), c));
  }
  int code = SQLITE_OK;
  while ((code = sqlite3_step(statement.get())) == SQLITE_ROW) {
    auto& row = table.rows.emplace_back();
    row.reserve(static_cast<std::size_t>(columns));
    for (int c = 0; c < columns; ++c) row.push_back(value_of(statement.get(), c));
  }
  if ((code & 0xff) == SQLITE_ERROR) {
    throw SqliteError(std::string("the query failed: ") + sqlite3_errmsg(handle), kName, code);
  }
  if (code != SQLITE_DONE) database.fail(kName, code);
  return table;
}

table::Table run_query(const Store& store, std::string_view sql) {
  return run_query(store.database(), sql);
}

}  // namespace unmask::store
