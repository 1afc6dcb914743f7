// The questions by name. docs/database.md says what each answers; a test checks their values.

#include "store/queries.hpp"

namespace unmask::store {
namespace {

// An attack as people call it: "pgd via rk4 from other". Of a row with these three columns.
#define UNMASK_TITLE                                               \
  "method || iif(gradient = '@eval', '', ' via ' || gradient) || " \
  "iif(source = '@self', '', ' from ' || source)"

// Up to three of the attacks that a worst case still waits for; `states` is a condition on `state`.
#define UNMASK_OPEN_ATTACKS(states)                                                              \
  "(SELECT group_concat(title, ', ') || iif(max(titles) > 3, ', ...', '') FROM (SELECT title, "  \
  "count(*) OVER () AS titles FROM (SELECT DISTINCT " UNMASK_TITLE                               \
  " AS title FROM open o WHERE "                                                                 \
  "o." states                                                                                    \
  " AND o.study = w.study AND o.checkpoint_cell_id = w.checkpoint_cell_id AND "                  \
  "o.model = w.model AND o.dataset = w.dataset AND o.objective = w.objective AND "               \
  "o.train_solver = w.train_solver AND o.train_seed = w.train_seed AND o.solver = w.solver AND " \
  "o.epsilon = w.epsilon AND o.epsilon_text IS w.epsilon_text AND (o.norm IS w.norm OR o.norm "  \
  "IS NULL)) ORDER BY title LIMIT 3))"

constexpr NamedQuery kQueries[] = {
    {"status",
     "how far each study is: cells done, failed, missing",
     R"sql(SELECT study, kind, cells, done, running, failed, missing FROM progress
ORDER BY study, kind = 'train' DESC, kind)sql"},

    {"accuracy",
     "accuracy per model, solver and attack, with the 95 % interval",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,
  attack, norm, epsilon_text, seed, n, n_undecided, clean_accuracy, robust_accuracy, lower, upper
FROM accuracy
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, epsilon, attack,
  gradient, source, seed)sql"},

    {"robustness",
     "the table to begin with: accuracy in percent per network and attack, and against all attacks "
     "at once",
     R"sql(WITH open AS (SELECT * FROM cells WHERE kind = 'attack' AND state <> 'done'),
attacked AS (
  SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, seed,
    epsilon > 0 AS rank, attack || iif(source = '@self', '', ' from ' || source) AS attack,
    iif(gradient = '@eval', '', gradient) AS gradient, epsilon_text, n,
    robust_accuracy, lower, upper, n_undecided, threat_violations, NULL AS waits, NULL AS smaller
  FROM accuracy
  UNION ALL
  SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, seed,
    epsilon > 0, method || iif(source = '@self', '', ' from ' || source),
    iif(gradient = '@eval', '', gradient), epsilon_text, NULL, NULL, NULL, NULL, 0, 0, 'failed', NULL
  FROM open WHERE state = 'failed'
  UNION ALL
  SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, NULL,
    2, iif(n_missing = 0, 'all of them',
      'all so far (' || n_attacks || ' of ' || (n_attacks + n_missing) || ')'),
    '', epsilon_text, nullif(n, 0), robust_accuracy, lower, upper, n_undecided, threat_violations,
    ltrim(coalesce('; failed: ' || )sql" UNMASK_OPEN_ATTACKS("state = 'failed'") R"sql(, '')
      || coalesce('; missing: ' || )sql" UNMASK_OPEN_ATTACKS(
         "state <> 'failed'") R"sql(, ''), '; '),
    iif(cumulative_correct < robust_correct, cumulative_accuracy, NULL)
  FROM worst_case w)
SELECT study, dataset, model, objective, train_seed,
  train_solver || iif(solver = train_solver, '', ' -> ' || solver) AS solver,
  attack, gradient,
  iif(epsilon > 0, norm,
    iif(min(norm) FILTER (WHERE epsilon > 0) OVER study = max(norm) FILTER (WHERE epsilon > 0) OVER study,
      max(norm) FILTER (WHERE epsilon > 0) OVER study, NULL)) AS norm,
  epsilon_text AS epsilon,
  iif(min(seed) OVER study = max(seed) OVER study, NULL, seed) AS seed,
  n, round(100 * robust_accuracy, 1) AS percent,
  iif(robust_accuracy IS NULL, NULL, printf('%.0f - %.0f', 100 * lower, 100 * upper)) AS interval,
  nullif(ltrim(iif(waits <> '', '; ' || waits, '')
    || iif(n_undecided > 0, '; ' || n_undecided || ' undecided', '')
    || iif(threat_violations > 0, '; ' || threat_violations || ' points outside the ball or the box', '')
    || coalesce('; ' || round(100 * smaller, 1) || ' with all smaller radii', ''), '; '), '') AS note
FROM attacked
WINDOW study AS (PARTITION BY study)
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, rank, norm IS NULL,
  norm, epsilon, percent IS NULL, percent DESC, attack, gradient, seed)sql"},

    {"worst-case",
     "robust accuracy when each sample faces all attacks of one radius",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,
  n_attacks, n_missing, n_failed, n, n_undecided, clean_accuracy, robust_accuracy, lower, upper,
  cumulative_accuracy
FROM worst_case
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon)sql"},

    {"worst-case-samples",
     "which attacks fooled which sample",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,
  sample, label, clean_prediction, robust, cumulative_robust, n_attacks, n_fooled, n_undecided, distance,
  fooled_by
FROM worst_case_sample
ORDER BY threat, sample, label)sql"},

    {"sample-classes",
     "samples by what it takes to fool them: attacks with a gradient, those without one, or none "
     "does",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,
  count(*) AS n, sum(n_fooled = 0 AND NOT clean_correct) AS wrong_without_attack, sum(robust) AS never_fooled,
  sum(n_fooled > 0 AND n_fooled_gradient_free = 0) AS fooled_by_gradients_alone,
  sum(n_fooled > 0 AND n_fooled_gradient_free = n_fooled) AS fooled_without_gradients_alone,
  sum(n_fooled_gradient_free > 0 AND n_fooled_gradient_free < n_fooled) AS fooled_by_both,
  sum(n_fooled = 0 AND clean_correct AND NOT robust) AS undecided, sum(n_fooled = 1) AS fooled_by_one_attack,
  avg(distance) AS distance_mean
FROM worst_case_outcome
GROUP BY threat
ORDER BY threat)sql"},

    {"flips",
     "every sample that an attack turned: from which class to which, how far, at what cost",
     R"sql(SELECT l.study, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver,
  l.method AS attack, l.gradient, l.source, l.norm, l.epsilon_text, l.seed, o.sample,
  o.clean_prediction AS class, o.prediction AS turned_into, o.distance, o.queries, o.passes
FROM labelled_cell l JOIN sample_outcome o ON o.cell_id = l.cell_id
WHERE o.state = 'decided' AND o.clean_prediction = o.label AND o.prediction <> o.label
ORDER BY l.study, l.place, o.sample)sql"},

    {"effort",
     "what each attack found, and what that cost in queries, passes and seconds",
     R"sql(SELECT a.study, a.dataset, a.model, a.objective, a.train_solver, a.train_seed, a.solver, a.gradient,
  a.source, a.attack, a.norm, a.epsilon_text, a.seed, e.n_attacked, e.n_fooled, e.queries_mean,
  e.queries_median, e.passes_mean, c.forwards, c.backwards, c.wall_s,
  c.wall_s / nullif(e.n_fooled, 0) AS seconds_per_fooled
FROM accuracy a JOIN attack_effort e ON e.cell_id = a.cell_id
  JOIN attempt c ON c.cell_id = a.cell_id AND c.state = 'done'
WHERE a.epsilon > 0
ORDER BY a.study, a.dataset, a.model, a.objective, a.train_solver, a.train_seed, a.solver, a.norm,
  a.epsilon, e.n_fooled DESC, c.wall_s)sql"},

    {"seeds",
     "robust accuracy over training and attack seeds: min, mean, max, variance",
     R"sql(SELECT study, dataset, model, objective, train_solver, solver, gradient, source, attack,
  norm, epsilon_text, n, train_seeds, attack_seeds, clean_mean, min, mean, max, variance
FROM seed_summary
ORDER BY study, dataset, model, objective, train_solver, solver, epsilon, attack, gradient,
  source)sql"},

    {"gradient-matrix",
     "the same attack through other gradient solvers, and the gap to the own gradient",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, attack, norm, epsilon_text, seed,
  solver, gradient, source, n, robust_accuracy, own_robust_accuracy, gap
FROM gradient_matrix
ORDER BY study, dataset, model, objective, train_solver, train_seed, attack, epsilon, seed,
  solver, gradient)sql"},

    {"elasticity",
     "what more steps, queries or restarts change: attacks that differ in one of these alone",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,
  norm, epsilon_text, seed, attack, parameter, value, n, robust_accuracy,
  robust_accuracy_at_smallest - robust_accuracy AS drop_to_smallest
FROM (SELECT *, count(*) OVER family AS members,
        first_value(robust_accuracy) OVER (family ORDER BY value) AS robust_accuracy_at_smallest
      FROM (SELECT a.*, p.key AS parameter, p.value,
              json_remove(c.spec_json, '$.attack.params.' || p.key) AS others
            FROM accuracy a JOIN cell c ON c.id = a.cell_id,
              json_each(c.spec_json, '$.attack.params') p
            WHERE p.key IN ('steps', 'step_size', 'queries', 'restarts') AND NOT a.is_alias)
      WINDOW family AS (PARTITION BY study, parameter, others))
WHERE members > 1
ORDER BY study, dataset, model, objective, train_solver, train_seed, solver, gradient, epsilon,
  seed, parameter, others, value)sql"},

    // Cells that differ in one number or word alone, wherever it stands: in the attack, in the solver
    // that answers or differentiates, in the training, or in the solver of both.
    {"sweep",
     "accuracy over any parameter that cells differ in alone: of attack, solver, training",
     R"sql(WITH evaluated AS (
  SELECT a.*, e.spec_json AS spec, t.spec_json AS training,
    json_remove(e.spec_json, '$.checkpoint', '$.model', '$.dataset') AS apart,
    json_extract(e.spec_json, '$.solver') = json_extract(t.spec_json, '$.solver') AS is_same_solver
  FROM accuracy a JOIN cell e ON e.id = a.cell_id JOIN cell t ON t.id = a.checkpoint_cell_id
  WHERE NOT a.is_alias),
swept AS (
  SELECT a.*, substr(p.fullkey, 3) AS parameter, p.atom AS value, json_remove(a.spec, p.fullkey) AS others
  FROM evaluated a, json_tree(a.spec) p
  WHERE p.atom IS NOT NULL AND (p.fullkey = '$.epsilon' OR p.path GLOB '$.attack*.params'
    OR p.path GLOB '$.solver*.params' OR p.path GLOB '$.gradient*.params')
  UNION ALL
  SELECT a.*, 'training.' || substr(p.fullkey, 3), p.atom,
    json_remove(a.training, p.fullkey, '$.dataset.content') || a.apart
  FROM evaluated a, json_tree(a.training) p
  WHERE p.atom IS NOT NULL AND p.path GLOB '$.*.params'
  UNION ALL
  SELECT a.*, 'both.' || substr(p.fullkey, 3), p.atom,
    json_remove(a.training, p.fullkey) || json_remove(a.apart, p.fullkey)
  FROM evaluated a, json_tree(a.training) p
  WHERE a.is_same_solver AND p.atom IS NOT NULL AND p.path = '$.solver.params')
SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source,
  attack, norm, epsilon_text, seed, replace(parameter, '.params', '') AS parameter, value,
  n, clean_accuracy, robust_accuracy, lower, upper
FROM (SELECT *, min(value) OVER family AS smallest, max(value) OVER family AS largest
      FROM swept
      WINDOW family AS (PARTITION BY study, parameter, others))
WHERE smallest <> largest
ORDER BY study, parameter, others, value)sql"},

    {"changes",
     "what became other between two runs of a study: the latest and the one before, or see --run",
     R"sql(WITH side AS (
  SELECT study, plan_id, run_id, 1 AS is_now FROM current_run
  UNION ALL SELECT study, plan_id, run_id, 0 FROM earlier_run),
answer AS (
  SELECT s.study, s.is_now, p.dataset, p.model, p.objective, p.train_solver, p.train_seed, p.solver, p.gradient,
    p.source, p.method, p.epsilon_text, p.seed, p.place, c.key, c.kind,
    (SELECT 1.0 * o.robust_correct / o.n FROM outcome_count o WHERE o.cell_id = c.id) AS accuracy
  FROM side s JOIN plan_cell p ON p.plan_id = s.plan_id JOIN cell c ON c.id = p.cell_id)
SELECT study, (SELECT run_id FROM earlier_run e WHERE e.study = a.study) AS earlier_run,
  (SELECT run_id FROM current_run r WHERE r.study = a.study) AS run, kind, dataset, model, objective,
  train_solver, train_seed, solver, gradient, source, method, epsilon_text, seed,
  CASE WHEN count(*) = 2 THEN 'other' WHEN max(is_now) THEN 'new' ELSE 'gone' END AS what,
  max(accuracy) FILTER (WHERE NOT is_now) AS robust_accuracy_before,
  max(accuracy) FILTER (WHERE is_now) AS robust_accuracy,
  max(accuracy) FILTER (WHERE is_now) - max(accuracy) FILTER (WHERE NOT is_now) AS change
FROM answer a
WHERE EXISTS (SELECT 1 FROM earlier_run e WHERE e.study = a.study)
GROUP BY study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient, source, method,
  epsilon_text, seed
HAVING count(DISTINCT key) = 2 OR count(*) = 1
ORDER BY study, kind = 'train' DESC, kind, coalesce(max(place) FILTER (WHERE is_now), max(place)))sql"},

    {"warnings",
     "what makes a verdict doubtful: random answers, no gradients, points outside, a black box "
     "that "
     "helps",
     R"sql(WITH ensemble_member AS (
  SELECT r.cell_id, CAST(substr(r.role, 8) AS INTEGER) AS turn, p.name AS plugin,
    json_extract(c.spec_json, '$.attack.names[' || substr(r.role, 8) || ']') AS name,
    EXISTS (SELECT 1 FROM json_each(p.capabilities) WHERE value = 'gradient_free')
      AS is_gradient_free
  FROM cell_plugin r JOIN plugin p ON p.id = r.plugin_id JOIN cell c ON c.id = r.cell_id
  WHERE r.role GLOB 'attack.[0-9]*'),
late_black_box(cell_id, name) AS (
  SELECT cell_id, 'fooled_first_by.' || name || '.mean' FROM ensemble_member e
  WHERE is_gradient_free AND EXISTS (SELECT 1 FROM ensemble_member b
    WHERE b.cell_id = e.cell_id AND b.turn < e.turn AND NOT b.is_gradient_free)
  UNION ALL
  SELECT cell_id, name || '.fooled_first_by.square.mean' FROM ensemble_member
  WHERE plugin = 'autoattack'
  UNION ALL
  SELECT id, 'fooled_first_by.square.mean' FROM cell
  WHERE json_extract(spec_json, '$.attack.plugin') = 'autoattack'),
watched(cell_id, name, threshold, is_of_network) AS (
  SELECT m.cell_id, m.name, t.value, t.is_of_network FROM metric m JOIN threshold t ON t.name = m.name
  UNION ALL
  SELECT b.cell_id, b.name, t.value, t.is_of_network
  FROM late_black_box b JOIN threshold t ON t.name = 'fooled_first_by')
SELECT m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver,
  m.name AS warning, max(m.value) AS value, w.threshold, count(DISTINCT m.cell_id) AS cells,
  iif(w.is_of_network, NULL, m.method) AS attack,
  iif(w.is_of_network, NULL, m.gradient) AS gradient,
  iif(w.is_of_network, NULL, m.source) AS source,
  iif(w.is_of_network, NULL, m.norm) AS norm,
  iif(w.is_of_network, NULL, m.epsilon_text) AS epsilon_text,
  iif(w.is_of_network, NULL, m.seed) AS seed, 'not measured: ' || max(m.reason) AS note
FROM metrics m JOIN watched w ON w.cell_id = m.cell_id AND w.name = m.name
WHERE m.value > w.threshold OR m.reason IS NOT NULL
GROUP BY m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver, m.name,
  iif(w.is_of_network, NULL, m.cell_id), iif(w.is_of_network, NULL, m.method)
ORDER BY m.study, m.dataset, m.model, m.objective, m.train_solver, m.train_seed, m.solver,
  NOT w.is_of_network, m.epsilon, m.cell_id, m.name)sql"},

    {"verdicts",
     "what the last run of each study judged: masked, suspect, not detected, insufficient evidence",
     R"sql(SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon_text,
  judgement, n, clean_correct, plain_correct, robust_correct, strongest, n_attacks, n_missing, sentence AS note
FROM verdict
ORDER BY study, id)sql"},

    {"verdict-rules",
     "what each rule found, behind each of these verdicts",
     R"sql(SELECT v.study, v.dataset, v.model, v.objective, v.train_solver, v.train_seed, v.solver, v.norm,
  v.epsilon_text, v.judgement, r.rule, r.state, r.value, r.lower, r.upper, r.n, r.p_adjusted, r.threshold, r.sentence
FROM verdict v JOIN verdict_rule r ON r.verdict_id = v.id
ORDER BY v.study, v.id, r.place)sql"},

    {"remarks",
     "what workers had to say about a cell",
     R"sql(SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver,
  l.gradient, l.source, l.method, l.epsilon_text, l.seed, r.text AS remark
FROM labelled_cell l JOIN remark r ON r.cell_id = l.cell_id
WHERE NOT l.is_alias
ORDER BY l.study, l.place, r.n)sql"},

    {"metrics",
     "all numbers of all cells: training, attacks, probes",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, name, value, flag, reason, n
FROM metrics
ORDER BY study, kind = 'train' DESC, kind, cell_id, name)sql"},

    {"solves",
     "vector-field evaluations and steps per solve",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, phase, solve,
  solves, nfe_min, nfe_median, nfe_max, nfe_mean, accepted_mean, rejected_mean, failed,
  worst_status
FROM evaluations_per_solve
WHERE NOT is_alias
ORDER BY study, kind = 'train' DESC, kind, cell_id, phase, solve)sql"},

    {"cost",
     "time, memory and work of each cell",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, device,
  wall_s, peak_bytes, device_peak_bytes, forwards, backwards, nfe, attempts, lost_s
FROM cost
WHERE NOT is_alias
ORDER BY wall_s DESC, cell_id)sql"},

    {"failures",
     "what failed and why",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed,
  failure_class, message, signal, exit_code, attempt, blocks, substr(key, 1, 12) AS key
FROM failures
WHERE NOT is_alias
ORDER BY study, kind = 'train' DESC, kind, cell_id)sql"},

    {"cells",
     "all cells with their state",
     R"sql(SELECT study, kind, dataset, model, objective, train_solver, train_seed, solver, gradient,
  source, method, epsilon_text, seed, state, attempts, substr(key, 1, 12) AS key
FROM cells
ORDER BY study, kind = 'train' DESC, kind, cell_id, place)sql"},

    {"runs",
     "every run: when, what, on which machine, what became of it",
     R"sql(SELECT r.id AS run, m.name AS study, r.started_at, r.ended_at, r.state, r.exit_code,
  (SELECT count(*) FROM plan_cell p WHERE p.plan_id = r.plan_id AND NOT p.is_alias) AS cells,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'hit') AS hit,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'ran') AS ran,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'failed') AS failed,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'skipped') AS skipped,
  (SELECT count(*) FROM run_cell c WHERE c.run_id = r.id AND c.how = 'planned') AS not_run,
  e.host, e.libtorch, substr(r.git_commit, 1, 12) AS git_commit, r.git_dirty
FROM run r JOIN manifest m ON m.id = r.manifest_id JOIN environment e ON e.id = r.environment_id
ORDER BY r.id)sql"},

    {"verifications",
     "stored cells that were executed again: equal, or what differs, and on which machines",
     R"sql(SELECT v.verified_at, l.study, c.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed,
  l.solver, l.gradient, l.source, l.method, l.epsilon_text, l.seed, substr(c.key, 1, 12) AS key, v.outcome,
  v.n_differences, d.source AS value_in, d.name, d.sample, d.field, d.stored, d.found, v.message,
  v.stored_device, v.device, s.host AS stored_host,
  json_extract(s.json, '$.kernels') AS stored_kernels, s.libtorch AS stored_libtorch,
  n.host, json_extract(n.json, '$.kernels') AS kernels, n.libtorch
FROM verification v JOIN cell c ON c.id = v.cell_id
JOIN environment s ON s.id = v.stored_environment_id JOIN environment n ON n.id = v.environment_id
LEFT JOIN verification_difference d ON d.verification_id = v.id
LEFT JOIN labelled_cell l ON l.cell_id = v.cell_id AND NOT l.is_alias
ORDER BY v.id, l.study, d.place)sql"},

    {"plugins",
     "plugins that took part, and in how many cells",
     R"sql(SELECT p.kind, p.name, p.version, substr(p.fingerprint, 1, 12) AS fingerprint,
  (SELECT count(DISTINCT c.cell_id) FROM cell_plugin c WHERE c.plugin_id = p.id) AS cells
FROM plugin p
ORDER BY p.kind, p.name, p.id)sql"},
};

#undef UNMASK_OPEN_ATTACKS
#undef UNMASK_TITLE

// n and device are no names, but as a rule the same everywhere.
constexpr std::string_view kLabels[] = {
    "study",     "run",          "earlier_run", "kind",    "dataset",      "model",
    "objective", "train_solver", "train_seed",  "solver",  "gradient",     "source",
    "attack",    "method",       "norm",        "epsilon", "epsilon_text", "seed",
    "n",         "n_undecided",  "device",      "reason"};

// What tells networks apart; most queries begin with these.
constexpr std::string_view kNetwork[] = {
    "study", "kind", "dataset", "model", "objective", "train_solver", "train_seed", "solver"};

struct QueryStyle {
  std::string_view query;
  std::vector<table::Best> best;
  std::vector<std::string> within;
};

// Networks are compared under the same attack, attacks on the same network.
const std::vector<QueryStyle>& query_styles() {
  static const std::vector<QueryStyle> kStyles = {
      {"accuracy",
       {{"clean_accuracy", true}, {"robust_accuracy", true}},
       {"study", "dataset", "gradient", "source", "attack", "norm", "epsilon_text", "seed"}},
      {"worst-case",
       {{"clean_accuracy", true}, {"robust_accuracy", true}, {"cumulative_accuracy", true}},
       {"study", "dataset", "norm", "epsilon_text"}},
      {"seeds",
       {{"clean_mean", true}, {"min", true}, {"mean", true}, {"max", true}},
       {"study", "dataset", "gradient", "source", "attack", "norm", "epsilon_text"}},
      {"effort",
       {{"n_fooled", true}, {"seconds_per_fooled", false}},
       {"study",
        "dataset",
        "model",
        "objective",
        "train_solver",
        "train_seed",
        "solver",
        "norm",
        "epsilon_text"}}};
  return kStyles;
}

}  // namespace

table::Style style_of(const NamedQuery& query) {
  for (const QueryStyle& style : query_styles()) {
    if (style.query == query.name) return {style.best, style.within, {}};
  }
  return {};
}

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

std::span<const std::string_view> network_columns() {
  return kNetwork;
}

}  // namespace unmask::store
