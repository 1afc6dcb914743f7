#include "store/views.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>

#include "store/database.hpp"
#include "store/queries.hpp"
#include "unmask/sha256.hpp"

namespace unmask::store {
namespace {

// The square root of `a` by Newton's iteration: sqrt() is a build option of SQLite, and views must
// work in any build. From (a + 1) / 2 >= sqrt(a) each step halves the distance until it is small
// and then squares it: 24 steps reach double precision for a up to 1e12, that is 4e12 samples.
#define UNMASK_SQRT_OF_A                                                                          \
  "(WITH RECURSIVE newton(i, x) AS (SELECT 0, (a + 1.0) / 2 UNION ALL SELECT i + 1, (x + a / x) " \
  "/ 2 FROM newton WHERE i < 24) SELECT x FROM newton WHERE i = 24)"

// Wilson score interval for k = robust_correct of n, with z = 1.959963984540054 (95 %) and
// z^2 = 3.841458820694124. Three layers of a view: `a` under the root, then centre and half width,
// then the ends. Both ends lie in [0, 1] up to rounding, hence max and min; without samples all is
// NULL.
#define UNMASK_WILSON_A \
  "1.0 * robust_correct * (n - robust_correct) / n + 3.841458820694124 / 4 AS a"
#define UNMASK_WILSON_CENTRE                                                       \
  "(robust_correct + 3.841458820694124 / 2) / (n + 3.841458820694124) AS centre, " \
  "1.959963984540054 / (n + 3.841458820694124) * " UNMASK_SQRT_OF_A " AS half"
#define UNMASK_WILSON_ENDS "max(0.0, centre - half) AS lower, min(1.0, centre + half) AS upper"

// What a trained network is called, and under which solver and threat it is attacked.
#define UNMASK_NETWORK "study, dataset, model, objective, train_solver, train_seed"
#define UNMASK_THREAT UNMASK_NETWORK ", solver, norm, epsilon, epsilon_text, checkpoint_cell_id"
#define UNMASK_SAME_THREAT(a, b)                                                           \
  a ".study = " b ".study AND " a ".checkpoint_cell_id = " b ".checkpoint_cell_id AND " a  \
    ".dataset = " b ".dataset AND " a ".model = " b ".model AND " a ".objective = " b      \
    ".objective AND " a ".train_solver = " b ".train_solver AND " a ".train_seed = " b     \
    ".train_seed AND " a ".solver = " b ".solver AND " a ".epsilon = " b ".epsilon AND " a \
    ".epsilon_text IS " b ".epsilon_text"

// Views use built-in functions that every SQLite has and trusts; their order is that of use.
constexpr View kViews[] = {
    // The latest run of each study that got as far as a plan.
    {"current_run", R"sql(
SELECT m.name AS study, max(r.id) AS run_id, r.manifest_id, r.plan_id
FROM run r JOIN manifest m ON m.id = r.manifest_id
WHERE r.plan_id IS NOT NULL
GROUP BY m.name)sql"},

    // The latest run before it that planned something else.
    {"earlier_run", R"sql(
SELECT c.study, max(r.id) AS run_id, r.manifest_id, r.plan_id
FROM current_run c JOIN manifest m ON m.name = c.study JOIN run r ON r.manifest_id = m.id
WHERE r.id < c.run_id AND r.plan_id IS NOT NULL AND r.plan_id <> c.plan_id
GROUP BY c.study)sql"},

    // The cells of these runs' plans, once under each of their names.
    {"labelled_cell", R"sql(
SELECT r.study, c.kind, p.dataset, p.model, p.objective, p.train_solver, p.train_seed,
  nullif(p.solver, '') AS solver,
  CASE WHEN c.kind = 'train' THEN NULL WHEN p.gradient = '' THEN '@eval' ELSE p.gradient END AS gradient,
  CASE WHEN c.kind = 'train' THEN NULL WHEN p.source = '' THEN '@self' ELSE p.source END AS source,
  nullif(p.method, '') AS method,
  CASE WHEN c.kind = 'attack' THEN c.norm END AS norm,
  p.epsilon,
  nullif(p.epsilon_text, '') AS epsilon_text,
  CASE WHEN c.kind = 'train' THEN NULL ELSE p.seed END AS seed,
  p.place, p.is_alias, c.key, c.id AS cell_id, coalesce(c.checkpoint_cell_id, c.id) AS checkpoint_cell_id
FROM current_run r JOIN plan_cell p ON p.plan_id = r.plan_id JOIN cell c ON c.id = p.cell_id)sql"},

    // Likewise, with the state of each.
    {"cells", R"sql(
SELECT l.*,
  coalesce((SELECT CASE a.state WHEN 'discarded' THEN 'missing' ELSE a.state END
            FROM attempt a WHERE a.cell_id = l.cell_id ORDER BY a.n DESC LIMIT 1), 'missing') AS state,
  (SELECT count(*) FROM attempt a WHERE a.cell_id = l.cell_id) AS attempts
FROM labelled_cell l)sql"},

    // How far each study is.
    {"progress", R"sql(
SELECT study, kind, count(*) AS cells, sum(state = 'done') AS done, sum(state = 'running') AS running,
  sum(state = 'failed') AS failed, sum(state IN ('missing', 'interrupted')) AS missing
FROM cells
WHERE NOT is_alias
GROUP BY study, kind)sql"},

    // Right answers per attack cell. An undecided sample is not robust.
    {"outcome_count", R"sql(
SELECT cell_id, count(*) AS n, sum(state = 'undecided') AS n_undecided,
  sum(coalesce(clean_prediction = label, 0)) AS clean_correct,
  sum(state = 'decided' AND clean_prediction = label AND prediction = label) AS robust_correct
FROM sample_outcome
GROUP BY cell_id)sql"},

    // Accuracy of each attack cell, clean and under attack, with the 95 % Wilson interval of the latter.
    {"accuracy",
     "\nSELECT " UNMASK_NETWORK
     R"sql(, solver, gradient, source, attack, norm, epsilon, epsilon_text, seed,
  n, n_undecided, threat_violations, clean_correct, robust_correct,
  1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  )sql" UNMASK_WILSON_ENDS R"sql(, is_alias, cell_id, checkpoint_cell_id
FROM (SELECT *, )sql" UNMASK_WILSON_CENTRE R"sql(
      FROM (SELECT l.*, l.method AS attack, o.n, o.n_undecided, o.clean_correct, o.robust_correct,
              (SELECT CAST(m.value AS INTEGER) FROM metric m
               WHERE m.cell_id = l.cell_id AND m.name = 'threat_violations') AS threat_violations,
              )sql" UNMASK_WILSON_A R"sql(
            FROM labelled_cell l JOIN outcome_count o ON o.cell_id = l.cell_id)))sql"},

    // The attack cells of each radius, once however many names they have, called by the first. `threat`
    // numbers the radii of networks, `family` what they have in common. capabilities is a JSON array.
    {"worst_case_cell",
     "\nSELECT *, dense_rank() OVER (ORDER BY " UNMASK_NETWORK
     ", solver, norm, epsilon, epsilon_text, checkpoint_cell_id) AS threat,\n"
     "  dense_rank() OVER (ORDER BY " UNMASK_NETWORK
     ", solver, norm, checkpoint_cell_id) AS family\n"
     "FROM (SELECT " UNMASK_THREAT R"sql(, cell_id, state, min(place) AS place,
        method || CASE gradient WHEN '@eval' THEN '' ELSE ' via ' || gradient END
          || CASE source WHEN '@self' THEN '' ELSE ' from ' || source END AS name,
        coalesce((SELECT min(instr(p.capabilities, '"gradient_free"') > 0)
                  FROM cell_plugin r JOIN plugin p ON p.id = r.plugin_id
                  WHERE r.cell_id = cells.cell_id AND (r.role = 'attack' OR r.role GLOB 'attack.[0-9]*')), 0)
          AS gradient_free
      FROM cells
      WHERE kind = 'attack' AND epsilon > 0
      GROUP BY )sql" UNMASK_THREAT ", cell_id)"},

    // Each sample under all attacks of one radius, by numbers alone, since there may be millions. Robust
    // means: every attack left the answer right. cumulative_robust: those of smaller radii of the norm did
    // so, too.
    {"worst_case_tally", R"sql(
SELECT *, min(robust) OVER (PARTITION BY family, sample ORDER BY epsilon) AS cumulative_robust
FROM (SELECT w.threat, w.family, w.epsilon, o.sample, o.label,
        CASE WHEN count(o.clean_prediction) = count(*) AND min(o.clean_prediction) = max(o.clean_prediction)
          THEN min(o.clean_prediction) END AS clean_prediction,
        min(coalesce(o.clean_prediction = o.label, 0)) AS clean_correct,
        min(o.state = 'decided' AND o.clean_prediction = o.label AND o.prediction = o.label) AS robust,
        count(*) AS n_attacks,
        sum(o.state = 'decided' AND o.clean_prediction = o.label AND o.prediction <> o.label) AS n_fooled,
        sum(w.gradient_free AND o.state = 'decided' AND o.clean_prediction = o.label
          AND o.prediction <> o.label) AS n_fooled_gradient_free,
        sum(o.state = 'undecided') AS n_undecided,
        min(o.distance) FILTER (WHERE o.state = 'decided' AND o.clean_prediction = o.label
          AND o.prediction <> o.label) AS distance
      FROM worst_case_cell w JOIN sample_outcome o ON o.cell_id = w.cell_id
      GROUP BY w.threat, o.sample, o.label))sql"},

    // The same with the names.
    {"worst_case_outcome",
     "\nSELECT " UNMASK_THREAT
     R"sql(, t.sample, t.label, t.clean_prediction, t.clean_correct, t.robust,
  t.n_attacks, t.n_fooled, t.n_fooled_gradient_free, t.n_undecided, t.cumulative_robust, t.distance, t.threat
FROM worst_case_tally t JOIN (SELECT DISTINCT threat AS of, )sql" UNMASK_NETWORK
     R"sql(, solver, norm, epsilon_text,
    checkpoint_cell_id FROM worst_case_cell) ON of = t.threat)sql"},

    // Likewise, with the names of the attacks that fooled it.
    {"worst_case_sample", R"sql(
WITH attack AS MATERIALIZED (SELECT threat, cell_id, name FROM worst_case_cell)
SELECT w.*,
  (SELECT group_concat(name, ', ')
   FROM (SELECT a.name FROM attack a JOIN sample_outcome o ON o.cell_id = a.cell_id AND o.sample = w.sample
         WHERE a.threat = w.threat
           AND o.state = 'decided' AND o.clean_prediction = o.label AND o.prediction <> o.label
         ORDER BY a.cell_id)) AS fooled_by
FROM worst_case_outcome w)sql"},

    // Worst case over all attacks of one radius: the robust samples counted, and what is missing. An
    // attack that has not run may not have said yet which norm it works in: it is missing in all.
    {"worst_case",
     "\nWITH tally AS (SELECT " UNMASK_THREAT R"sql(, threat,
    sum(state = 'done') AS n_attacks, sum(state <> 'done') AS n_missing, sum(state = 'failed') AS n_failed,
    CAST(sum((SELECT m.value FROM metric m WHERE m.cell_id = w.cell_id AND m.name = 'threat_violations'))
      AS INTEGER) AS threat_violations
  FROM worst_case_cell w
  GROUP BY )sql" UNMASK_THREAT R"sql(),
counted AS (SELECT threat, count(*) AS n,
    sum(NOT robust AND n_fooled = 0 AND n_undecided > 0) AS n_undecided, sum(clean_correct) AS clean_correct,
    sum(robust) AS robust_correct, sum(cumulative_robust) AS cumulative_correct
  FROM worst_case_tally
  GROUP BY threat),
nameless AS (SELECT * FROM tally WHERE norm IS NULL AND n_missing > 0)
SELECT )sql" UNMASK_NETWORK R"sql(, solver, norm, epsilon, epsilon_text,
  n_attacks, n_missing, n_failed, n, n_undecided, threat_violations, clean_correct, robust_correct,
  cumulative_correct, 1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  )sql" UNMASK_WILSON_ENDS
     R"sql(, 1.0 * cumulative_correct / n AS cumulative_accuracy, checkpoint_cell_id
FROM (SELECT *, )sql" UNMASK_WILSON_CENTRE R"sql(
      FROM (SELECT *, )sql" UNMASK_WILSON_A R"sql(
            FROM (SELECT t.*, coalesce(c.n, 0) AS n, c.n_undecided, c.clean_correct, c.robust_correct,
                    c.cumulative_correct
                  FROM (SELECT t.study, t.dataset, t.model, t.objective, t.train_solver, t.train_seed, t.solver,
                          t.norm, t.epsilon, t.epsilon_text, t.checkpoint_cell_id, t.threat, t.n_attacks,
                          t.threat_violations,
                          t.n_missing + coalesce(u.n_missing, 0) AS n_missing,
                          t.n_failed + coalesce(u.n_failed, 0) AS n_failed
                        FROM tally t LEFT JOIN nameless u ON t.norm IS NOT NULL
                          AND )sql" UNMASK_SAME_THREAT("u", "t") R"sql(
                        WHERE t.norm IS NOT NULL OR t.n_attacks > 0 OR NOT EXISTS (SELECT 1 FROM tally o
                          WHERE o.norm IS NOT NULL AND )sql" UNMASK_SAME_THREAT("o", "t") R"sql()) t
                  LEFT JOIN counted c ON c.threat = t.threat))))sql"},

    // Robust accuracy over training seeds and attack seeds. The variance is that of a sample (n - 1), in
    // two passes; its root is left to the reader, since not every SQLite has sqrt().
    {"seed_summary", R"sql(
SELECT study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon, epsilon_text,
  count(*) AS n, count(DISTINCT train_seed) AS train_seeds, count(DISTINCT seed) AS attack_seeds,
  avg(clean_accuracy) AS clean_mean, min(robust_accuracy) AS min, max(robust_accuracy) AS max,
  min(centre) AS mean,
  sum((robust_accuracy - centre) * (robust_accuracy - centre)) / nullif(count(*) - 1, 0) AS variance
FROM (SELECT *, avg(robust_accuracy) OVER
        (PARTITION BY study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon,
           epsilon_text) AS centre
      FROM accuracy)
GROUP BY study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon,
  epsilon_text)sql"},

    // The same attack through different gradient solvers. gap > 0: the model looks more robust through
    // its own gradient than it is.
    {"gradient_matrix",
     "\nSELECT " UNMASK_NETWORK R"sql(, attack, norm, epsilon, epsilon_text, seed,
  solver, gradient, source, n, robust_accuracy, lower, upper, own_robust_accuracy,
  own_robust_accuracy - robust_accuracy AS gap, cell_id, checkpoint_cell_id
FROM (SELECT *, max(robust_accuracy) FILTER (WHERE gradient = '@eval') OVER
        (PARTITION BY )sql" UNMASK_NETWORK
     R"sql(, checkpoint_cell_id, solver, source, attack, norm, epsilon,
           epsilon_text, seed) AS own_robust_accuracy
      FROM accuracy)
WHERE epsilon > 0)sql"},

    // What each attack found, and the effort: medians are means of the two middle values when there
    // is an even number of them. Only samples that there was something to fool about count.
    {"attack_effort", R"sql(
SELECT cell_id, n_attacked, n_fooled, queries_mean, queries_median, passes_mean
FROM (SELECT cell_id, count(*) AS n_attacked, sum(state = 'decided' AND prediction <> label) AS n_fooled,
        avg(queries) AS queries_mean, avg(passes) AS passes_mean,
        avg(queries) FILTER (WHERE 2 * rank BETWEEN size AND size + 2) AS queries_median
      FROM (SELECT cell_id, state, label, prediction, queries, passes,
              row_number() OVER (PARTITION BY cell_id ORDER BY queries) AS rank,
              count(*) OVER (PARTITION BY cell_id) AS size
            FROM sample_outcome
            WHERE clean_prediction = label)
      GROUP BY cell_id))sql"},

    // Cells without a result whose latest failure is known, and how many cells wait for them.
    {"failures", R"sql(
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, a.failure_class, a.message, a.log_tail, a.signal, a.exit_code,
  a.n AS attempt, a.device, a.wall_s, a.ended_at,
  (SELECT count(DISTINCT w.cell_id) FROM labelled_cell w
   WHERE w.study = l.study AND w.checkpoint_cell_id = l.cell_id AND w.cell_id <> l.cell_id
     AND NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = w.cell_id AND d.state = 'done')) AS blocks,
  l.is_alias, l.key, l.cell_id
FROM labelled_cell l
JOIN attempt a ON a.cell_id = l.cell_id
  AND a.n = (SELECT max(f.n) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state = 'failed')
WHERE NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = l.cell_id AND d.state = 'done'))sql"},

    // What each result cost. It did so once, whatever it is called: add up first names only.
    {"cost", R"sql(
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, a.device, a.wall_s, a.peak_bytes, a.device_peak_bytes, a.forwards, a.backwards, a.nfe,
  a.n AS attempts,
  (SELECT coalesce(sum(f.wall_s), 0.0) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state <> 'done') AS lost_s,
  a.started_at, a.ended_at, l.is_alias, l.cell_id
FROM labelled_cell l JOIN attempt a ON a.cell_id = l.cell_id AND a.state = 'done')sql"},

    // Work of the solvers, per solve.
    {"evaluations_per_solve", R"sql(
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, s.phase, s.solve, s.solves, s.nfe_min, s.nfe_median, s.nfe_max,
  1.0 * s.nfe_total / nullif(s.solves, 0) AS nfe_mean,
  1.0 * s.accepted / nullif(s.solves, 0) AS accepted_mean,
  1.0 * s.rejected / nullif(s.solves, 0) AS rejected_mean,
  s.failed, s.worst_status, s.step_min, s.step_max, l.is_alias, l.cell_id
FROM labelled_cell l JOIN solve_stats s ON s.cell_id = l.cell_id)sql"},

    // All numbers of all cells.
    {"metrics", R"sql(
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, m.name, m.value, m.flag, m.reason, m.n, l.is_alias, l.cell_id
FROM labelled_cell l JOIN metric m ON m.cell_id = l.cell_id)sql"},
};

#undef UNMASK_SAME_THREAT
#undef UNMASK_THREAT
#undef UNMASK_NETWORK
#undef UNMASK_WILSON_ENDS
#undef UNMASK_WILSON_CENTRE
#undef UNMASK_WILSON_A
#undef UNMASK_SQRT_OF_A

// Of schema version 1, and not among the above.
constexpr std::string_view kFormerViews[] = {"current_manifest"};

}  // namespace

std::span<const View> views() {
  return kViews;
}

std::string definitions_sha256() {
  std::string text;
  for (const View& view : kViews) text.append(view.name).append("\n").append(view.sql).append("\n");
  for (const Threshold& threshold : thresholds()) {
    text.append(threshold.name).append(std::to_string(threshold.value));
    text.append(threshold.is_of_network ? "network" : "attack").append(threshold.meaning);
  }
  for (const NamedQuery& query : named_queries()) {
    text.append(query.name).append(query.description).append(query.sql);
  }
  return sha256_hex(text);
}

namespace {

constexpr const char* kHasMeta =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'meta'";

void set_meta(Database& database, const char* key, const std::string& value) {
  database
      .prepare("insert meta",
               "INSERT INTO meta(key, value) VALUES (?, ?) "
               "ON CONFLICT (key) DO UPDATE SET value = excluded.value")
      .bind(key)
      .bind(value)
      .run();
}

void fill(Database& database, const std::string& schema) {
  Statement threshold =
      database.prepare("insert threshold",
                       "INSERT INTO " + schema +
                           ".threshold(name, value, is_of_network, meaning) VALUES (?, ?, ?, ?)");
  for (const Threshold& t : thresholds()) {
    threshold.bind(t.name).bind(t.value).bind(t.is_of_network).bind(t.meaning).run();
  }
  Statement query = database.prepare(
      "insert named query",
      "INSERT INTO " + schema + ".named_query(name, description, sql) VALUES (?, ?, ?)");
  for (const NamedQuery& q : named_queries()) {
    query.bind(q.name).bind(q.description).bind(q.sql).run();
  }
}

}  // namespace

bool has_current_definitions(Database& database) {
  return database.integer("look for meta", kHasMeta) == 1 &&
         database.text("read definitions", "SELECT value FROM meta WHERE key = 'definitions'") ==
             definitions_sha256();
}

void drop_views(Database& database) {
  const auto drop = [&](std::string_view name) {
    database.execute("drop view " + std::string(name),
                     "DROP VIEW IF EXISTS main.\"" + std::string(name) + "\"");
  };
  if (database.integer("look for meta", kHasMeta) == 1) {
    // Those of the tool that wrote the file last: names separated by commas.
    const std::string names =
        database.text("read names of views", "SELECT value FROM meta WHERE key = 'views'");
    for (std::size_t first = 0; first < names.size();) {
      const std::size_t last = std::min(names.find(',', first), names.size());
      drop(std::string_view(names).substr(first, last - first));
      first = last + 1;
    }
    // Without its views a file does not hold the definitions that it names.
    database.execute("forget definitions", "DELETE FROM meta WHERE key = 'definitions'");
  }
  for (const std::string_view name : kFormerViews) drop(name);
  for (const View& view : kViews) drop(view.name);
}

void refresh_definitions(Database& database) {
  if (has_current_definitions(database)) return;
  Transaction transaction(database);
  drop_views(database);
  std::string names;
  for (const View& view : kViews) {
    database.execute("make view " + std::string(view.name),
                     "CREATE VIEW " + std::string(view.name) + " AS" + std::string(view.sql));
    names.append(names.empty() ? "" : ",").append(view.name);
  }
  database.execute("empty definitions", "DELETE FROM threshold; DELETE FROM named_query");
  fill(database, "main");
  set_meta(database, "views", names);
  set_meta(database, "definitions", definitions_sha256());
  transaction.commit();
}

namespace {

// A view whose answer takes long, or that others ask again and again.
struct Costly {
  std::string_view view;
  std::string_view index = {};  // columns by which the answer is looked up
};
constexpr Costly kCostly[] = {{"outcome_count"},
                              {"accuracy"},
                              {"worst_case_cell", "threat"},
                              {"worst_case_tally", "threat, sample, label"},
                              {"worst_case"},
                              {"attack_effort"}};

const Costly* find_costly(std::string_view view) {
  const auto* const found = std::find_if(
      std::begin(kCostly), std::end(kCostly), [&](const Costly& c) { return c.view == view; });
  return found == std::end(kCostly) ? nullptr : found;
}

// The answer in place of the view that gives it: those behind it in the list ask this table.
void remember(Database& database, const Costly& costly, const std::string& sql) {
  const std::string name(costly.view);
  database.execute(
      "remember " + name,
      "DROP VIEW IF EXISTS temp." + name + "; CREATE TEMP TABLE " + name + " AS" + sql);
  if (costly.index.empty()) return;
  database.execute(
      "index " + name,
      "CREATE INDEX temp." + name + "_index ON " + name + " (" + std::string(costly.index) + ")");
}

void make_shadow(Database& database,
                 std::optional<std::int64_t> run,
                 std::optional<std::int64_t> earlier,
                 bool is_remembering) {
  const auto one_run = [](std::int64_t id) {
    return "\nSELECT m.name AS study, r.id AS run_id, r.manifest_id, r.plan_id\n"
           "FROM run r JOIN manifest m ON m.id = r.manifest_id\n"
           "WHERE r.plan_id IS NOT NULL AND r.id = " +
           std::to_string(id);
  };
  for (const char* name : {"threshold", "named_query"}) {
    const std::string table = name;
    database.execute("make temporary table " + table,
                     "DROP TABLE IF EXISTS temp." + table + "; CREATE TEMP TABLE " + table +
                         " AS SELECT * FROM main." + table + " WHERE false");
  }
  fill(database, "temp");
  for (const View& view : kViews) {
    std::string sql(view.sql);
    if (run && view.name == "current_run") sql = one_run(*run);
    if (earlier && view.name == "earlier_run") sql = one_run(*earlier);
    const std::string name(view.name);
    if (const Costly* costly = is_remembering ? find_costly(view.name) : nullptr) {
      remember(database, *costly, sql);
      continue;
    }
    database.execute(
        "put view " + name + " in front",
        "DROP VIEW IF EXISTS temp." + name + "; CREATE TEMP VIEW " + name + " AS" + sql);
  }
}

}  // namespace

void remember_answers(Database& database) {
  // In a file, as large sorts are: there may be millions of outcomes.
  database.execute("keep temporary things in a file", "PRAGMA temp_store = FILE");
  make_shadow(database, {}, {}, /*is_remembering=*/true);
}

void shadow_definitions(Database& database,
                        std::optional<std::int64_t> run,
                        std::optional<std::int64_t> earlier) {
  database.execute("keep temporary things in memory", "PRAGMA temp_store = MEMORY");
  make_shadow(database, run, earlier, /*is_remembering=*/false);
}

}  // namespace unmask::store
