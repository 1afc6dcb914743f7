#pragma once
// Schema version 1: tables and views. Described for people in docs/database.md; keep both in step
// (a test compares names). Released steps are never edited: append a migration instead.
//
// Rules: every table STRICT; times are UTC texts "2026-01-31T12:00:00.000Z"; a number that may be
// NaN or infinite has a column `flag` beside it; views and constraints use functions that every
// SQLite has and trusts (SQLite 3.40 does not trust its JSON functions in the schema of a file).

#include <string_view>

namespace unmask::store {

// The square root of `a` by Newton's iteration: sqrt() is a build option of SQLite, and views must
// work in any build. From (a + 1) / 2 >= sqrt(a) each step halves the distance until it is small
// and then squares it: 24 steps reach double precision for a up to 1e12, that is 4e12 samples.
#define UNMASK_SQRT_OF_A                                                                          \
  "(WITH RECURSIVE newton(i, x) AS (SELECT 0, (a + 1.0) / 2 UNION ALL SELECT i + 1, (x + a / x) " \
  "/ 2 FROM newton WHERE i < 24) SELECT x FROM newton WHERE i = 24)"

// Wilson score interval for k = robust_correct of n, with z = 1.959963984540054 (95 %) and
// z^2 = 3.841458820694124. Three layers of a view: `a` under the root, then centre and half width,
// then the ends. Both ends lie in [0, 1] up to rounding, hence max and min.
#define UNMASK_WILSON_A \
  "1.0 * robust_correct * (n - robust_correct) / n + 3.841458820694124 / 4 AS a"
#define UNMASK_WILSON_CENTRE                                                       \
  "(robust_correct + 3.841458820694124 / 2) / (n + 3.841458820694124) AS centre, " \
  "1.959963984540054 / (n + 3.841458820694124) * " UNMASK_SQRT_OF_A " AS half"
#define UNMASK_WILSON_ENDS "max(0.0, centre - half) AS lower, min(1.0, centre + half) AS upper"

inline constexpr std::string_view kSchemaV1 = R"sql(
-- Facts about this file.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Schema steps that this file went through.
CREATE TABLE migration (
  version    INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  applied_at TEXT NOT NULL,
  tool       TEXT NOT NULL,   -- version of unmask that applied it
  sql_sha256 TEXT NOT NULL
) STRICT;

-- Manifests that were run, verbatim.
CREATE TABLE manifest (
  id          INTEGER PRIMARY KEY,
  sha256      TEXT NOT NULL CHECK (length(sha256) = 64),   -- of text
  name        TEXT NOT NULL,                               -- name of the study
  description TEXT NOT NULL,
  file        TEXT NOT NULL,                               -- where it was first read
  text        TEXT NOT NULL,
  first_seen  TEXT NOT NULL,
  UNIQUE (sha256, name)
) STRICT;

-- Machines and libraries that runs ran on.
CREATE TABLE environment (
  id       INTEGER PRIMARY KEY,
  sha256   TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),   -- of json
  json     TEXT NOT NULL,
  -- members of json as columns, NULL when it lacks them
  host     TEXT,
  os       TEXT,
  cpu      TEXT,
  gpu      TEXT,
  libtorch TEXT,
  blas     TEXT,
  compiler TEXT
) STRICT;

-- Plugins by what they compute: one row per content of their sources.
CREATE TABLE plugin (
  id           INTEGER PRIMARY KEY,
  kind         TEXT NOT NULL CHECK (kind IN ('solver', 'model', 'attack', 'dataset', 'objective', 'probe')),
  name         TEXT NOT NULL,    -- plugin id, e.g. 'dopri5'
  fingerprint  TEXT NOT NULL,    -- SHA-256 over its sources, part of every cell key
  version      TEXT NOT NULL,
  summary      TEXT NOT NULL,
  source       TEXT NOT NULL,    -- the paper or book that it follows
  capabilities TEXT NOT NULL,    -- a JSON array of strings, e.g. '["gradient_free"]'
  UNIQUE (kind, name, fingerprint)
) STRICT;

-- One `unmask run`.
CREATE TABLE run (
  id             INTEGER PRIMARY KEY,
  uuid           TEXT NOT NULL UNIQUE,
  manifest_id    INTEGER NOT NULL REFERENCES manifest (id),
  environment_id INTEGER NOT NULL REFERENCES environment (id),
  state          TEXT NOT NULL CHECK (state IN ('running', 'ended', 'interrupted')),
  exit_code      INTEGER,       -- NULL until it ended
  started_at     TEXT NOT NULL,
  ended_at       TEXT,
  argv           TEXT NOT NULL,   -- the command line, a JSON array
  tool           TEXT NOT NULL,   -- version of unmask
  git_commit     TEXT,            -- NULL: not under git
  git_dirty      INTEGER CHECK (git_dirty IN (0, 1)),
  pid            INTEGER NOT NULL,
  CHECK ((state = 'ended') = (exit_code IS NOT NULL))
) STRICT;
CREATE INDEX run_manifest ON run (manifest_id);

-- The plugin files that a run saw.
CREATE TABLE run_plugin (
  run_id      INTEGER NOT NULL REFERENCES run (id),
  plugin_id   INTEGER NOT NULL REFERENCES plugin (id),
  file        TEXT NOT NULL,
  file_sha256 TEXT NOT NULL,
  build_tag   TEXT NOT NULL,     -- compiler, C++ library and LibTorch of the file
  PRIMARY KEY (run_id, plugin_id)
) STRICT, WITHOUT ROWID;

-- Cells: what can be computed. The key is the SHA-256 of spec_json, which holds all that the result
-- depends on.
CREATE TABLE cell (
  id                 INTEGER PRIMARY KEY,
  key                TEXT NOT NULL UNIQUE CHECK (length(key) = 64),
  kind               TEXT NOT NULL CHECK (kind IN ('train', 'attack', 'probe')),
  checkpoint_cell_id INTEGER REFERENCES cell (id),   -- the train cell whose checkpoint it uses
  source_cell_id     INTEGER REFERENCES cell (id),   -- likewise of the network that adversarial images are made
                                                     -- on; NULL: that of checkpoint_cell_id
  spec_json          TEXT NOT NULL,
  norm               TEXT,   -- of the attack; NULL when it has no such parameter
  CHECK ((kind = 'train') = (checkpoint_cell_id IS NULL))
) STRICT;
CREATE INDEX cell_checkpoint ON cell (checkpoint_cell_id);
CREATE INDEX cell_source ON cell (source_cell_id);

-- Which plugin plays which part in a cell: role 'dataset', 'model', 'objective', 'solver',
-- 'gradient', 'attack' or 'probe'; of several 'gradient.0', 'attack.1'; 'source.model', 'source.solver'.
CREATE TABLE cell_plugin (
  cell_id   INTEGER NOT NULL REFERENCES cell (id),
  role      TEXT NOT NULL,
  plugin_id INTEGER NOT NULL REFERENCES plugin (id),
  PRIMARY KEY (cell_id, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX cell_plugin_plugin ON cell_plugin (plugin_id);

-- The names under which a manifest knows its cells. Names are not identity: two studies may share a
-- cell and call its parts differently.
CREATE TABLE study_cell (
  manifest_id  INTEGER NOT NULL REFERENCES manifest (id),
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
  dataset      TEXT NOT NULL,
  model        TEXT NOT NULL,
  objective    TEXT NOT NULL,
  train_solver TEXT NOT NULL,
  train_seed   INTEGER NOT NULL,
  solver       TEXT NOT NULL,      -- evaluation solver; '' for train cells
  gradient     TEXT NOT NULL,      -- gradient solver or their mean; '' is the one that answers the attack
  source       TEXT NOT NULL,      -- where adversarial images are made; '' is the attacked network itself
  method       TEXT NOT NULL,      -- attack or probe; '' for train cells
  epsilon      REAL CHECK (epsilon >= 0),
  epsilon_text TEXT NOT NULL,      -- as written, e.g. '8/255'
  seed         INTEGER NOT NULL,   -- of the attack or probe
  PRIMARY KEY (manifest_id, cell_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX study_cell_cell ON study_cell (cell_id);

-- What a run did with each cell that it asked for.
CREATE TABLE run_cell (
  run_id  INTEGER NOT NULL REFERENCES run (id),
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  how     TEXT NOT NULL CHECK (how IN ('planned', 'hit', 'ran', 'failed', 'skipped')),
  reason  TEXT,                    -- why it was skipped
  PRIMARY KEY (run_id, cell_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_cell_cell ON run_cell (cell_id);

-- Every try at a cell. A cell has a result when, and only when, one of its attempts is 'done'.
CREATE TABLE attempt (
  id                TEXT PRIMARY KEY,               -- a random UUID
  cell_id           INTEGER NOT NULL REFERENCES cell (id),
  run_id            INTEGER NOT NULL REFERENCES run (id),
  n                 INTEGER NOT NULL CHECK (n >= 1),   -- 1 for the first try at the cell
  state             TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted', 'discarded')),
  failure_class     TEXT,
  message           TEXT,                           -- why it failed or was discarded
  log_tail          TEXT,                           -- the last lines that the worker printed
  signal            INTEGER,                        -- that ended the worker
  exit_code         INTEGER,                        -- of the worker
  started_at        TEXT NOT NULL,
  ended_at          TEXT,
  wall_s            REAL CHECK (wall_s >= 0),       -- seconds
  device            TEXT NOT NULL,
  peak_bytes        INTEGER CHECK (peak_bytes >= 0),   -- peak resident memory of the worker
  forwards          INTEGER CHECK (forwards >= 0),     -- samples passed forward
  backwards         INTEGER CHECK (backwards >= 0),    -- samples differentiated
  nfe               INTEGER CHECK (nfe >= 0),          -- vector-field evaluations, each on a batch
  worker_pid        INTEGER NOT NULL,
  checkpoint_sha256 TEXT,                           -- of the weights that it used
  source_sha256     TEXT,                           -- of the weights of the source, when it is another network
  UNIQUE (cell_id, n),
  CHECK ((state = 'failed') = (failure_class IS NOT NULL)),
  CHECK ((state = 'running') = (ended_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX attempt_done ON attempt (cell_id) WHERE state = 'done';
CREATE INDEX attempt_run ON attempt (run_id);

-- Values of the done attempt. Taken away when its result is discarded.

-- A trained network: file in the checkpoint folder.
CREATE TABLE checkpoint (
  cell_id INTEGER PRIMARY KEY REFERENCES cell (id),
  sha256  TEXT NOT NULL CHECK (length(sha256) = 64),
  bytes   INTEGER NOT NULL CHECK (bytes >= 0),
  path    TEXT NOT NULL
) STRICT;

-- Adversarial images that were kept: file in the folder of adversarial images.
CREATE TABLE adversarials (
  cell_id INTEGER PRIMARY KEY REFERENCES cell (id),
  sha256  TEXT NOT NULL CHECK (length(sha256) = 64),
  bytes   INTEGER NOT NULL CHECK (bytes >= 0),
  path    TEXT NOT NULL
) STRICT;

-- One number of a cell. NULL with a flag: it is not a number, or infinite.
CREATE TABLE metric (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  name    TEXT NOT NULL,
  value   REAL,
  flag    TEXT CHECK (flag IN ('nan', 'inf', '-inf')),
  n       INTEGER CHECK (n >= 0),   -- samples behind it
  PRIMARY KEY (cell_id, name),
  CHECK ((value IS NULL) = (flag IS NOT NULL)),
  CONSTRAINT accuracy_is_a_fraction CHECK (name NOT GLOB '*accuracy*' OR value IS NULL OR value BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;

-- Curves, e.g. the training loss; step 1 is the first.
CREATE TABLE series (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  name    TEXT NOT NULL,
  step    INTEGER NOT NULL CHECK (step >= 1),
  value   REAL,
  flag    TEXT CHECK (flag IN ('nan', 'inf', '-inf')),
  PRIMARY KEY (cell_id, name, step),
  CHECK ((value IS NULL) = (flag IS NOT NULL)),
  CONSTRAINT accuracy_is_a_fraction CHECK (name NOT GLOB '*accuracy*' OR value IS NULL OR value BETWEEN 0 AND 1)
) STRICT, WITHOUT ROWID;

-- Statistics of all solves of one name in one phase of a cell.
CREATE TABLE solve_stats (
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
  phase        TEXT NOT NULL,     -- 'train', 'evaluate', 'attack', 'gradient'
  solve        TEXT NOT NULL,     -- 'conv1', 'layer2.0', ...
  solves       INTEGER NOT NULL CHECK (solves >= 0),
  nfe_min      INTEGER NOT NULL CHECK (nfe_min >= 0),
  nfe_median   INTEGER NOT NULL CHECK (nfe_median >= nfe_min),
  nfe_max      INTEGER NOT NULL CHECK (nfe_max >= nfe_median),
  nfe_total    INTEGER NOT NULL CHECK (nfe_total >= nfe_max),
  accepted     INTEGER NOT NULL CHECK (accepted >= 0),
  rejected     INTEGER NOT NULL CHECK (rejected >= 0),
  failed       INTEGER NOT NULL CHECK (failed BETWEEN 0 AND solves),   -- did not reach the end time
  worst_status TEXT NOT NULL,     -- 'ok', or the status of a failed solve
  step_min     REAL,              -- NULL: no step was taken
  step_max     REAL,
  PRIMARY KEY (cell_id, phase, solve)
) STRICT, WITHOUT ROWID;

-- What happened to one sample in one attack cell. The evaluation solver predicts, at the canonical
-- batch.
CREATE TABLE sample_outcome (
  cell_id          INTEGER NOT NULL REFERENCES cell (id),
  sample           INTEGER NOT NULL CHECK (sample >= 0),   -- index in the evaluation split
  label            INTEGER NOT NULL CHECK (label >= 0),
  clean_prediction INTEGER NOT NULL CHECK (clean_prediction >= 0),
  prediction       INTEGER NOT NULL CHECK (prediction >= 0),
  distance         REAL NOT NULL CONSTRAINT distance_is_finite CHECK (distance >= 0 AND distance < 9e999),
  queries          INTEGER NOT NULL CHECK (queries >= 0),
  PRIMARY KEY (cell_id, sample)
) STRICT, WITHOUT ROWID;

-- One number of one sample, made by a probe.
CREATE TABLE sample_metric (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  sample  INTEGER NOT NULL CHECK (sample >= 0),
  name    TEXT NOT NULL,
  value   REAL,
  flag    TEXT CHECK (flag IN ('nan', 'inf', '-inf')),
  PRIMARY KEY (cell_id, sample, name),
  CHECK ((value IS NULL) = (flag IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Random seeds that were derived from the key, by purpose.
CREATE TABLE seed (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  purpose TEXT NOT NULL,
  seed    TEXT NOT NULL,
  PRIMARY KEY (cell_id, purpose)
) STRICT, WITHOUT ROWID;

-- Views ------------------------------------------------------------------------------------------

-- The manifest of the latest run of each study.
CREATE VIEW current_manifest AS
SELECT m.name AS study, m.id AS manifest_id, max(r.id) AS run_id
FROM run r JOIN manifest m ON m.id = r.manifest_id
GROUP BY m.name;

-- Cells with the names that the current manifest gives them.
CREATE VIEW labelled_cell AS
SELECT cm.study, c.kind, s.dataset, s.model, s.objective, s.train_solver, s.train_seed,
  nullif(s.solver, '') AS solver,
  CASE WHEN c.kind = 'train' THEN NULL WHEN s.gradient = '' THEN '@eval' ELSE s.gradient END AS gradient,
  CASE WHEN c.kind = 'train' THEN NULL WHEN s.source = '' THEN '@self' ELSE s.source END AS source,
  nullif(s.method, '') AS method,
  CASE WHEN c.kind = 'attack' THEN coalesce(c.norm, 'linf') END AS norm,
  s.epsilon,
  nullif(s.epsilon_text, '') AS epsilon_text,
  CASE WHEN c.kind = 'train' THEN NULL ELSE s.seed END AS seed,
  c.key, c.id AS cell_id, coalesce(c.checkpoint_cell_id, c.id) AS checkpoint_cell_id
FROM current_manifest cm
JOIN study_cell s ON s.manifest_id = cm.manifest_id
JOIN cell c ON c.id = s.cell_id;

-- Likewise, with the state of each.
CREATE VIEW cells AS
SELECT l.*,
  coalesce((SELECT CASE a.state WHEN 'discarded' THEN 'missing' ELSE a.state END
            FROM attempt a WHERE a.cell_id = l.cell_id ORDER BY a.n DESC LIMIT 1), 'missing') AS state,
  (SELECT count(*) FROM attempt a WHERE a.cell_id = l.cell_id) AS attempts
FROM labelled_cell l;

-- How far each study is.
CREATE VIEW progress AS
SELECT study, kind, count(*) AS cells, sum(state = 'done') AS done, sum(state = 'running') AS running,
  sum(state = 'failed') AS failed, sum(state IN ('missing', 'interrupted')) AS missing
FROM cells
GROUP BY study, kind;

-- Right answers per attack cell.
CREATE VIEW outcome_count AS
SELECT cell_id, count(*) AS n, sum(clean_prediction = label) AS clean_correct,
  sum(clean_prediction = label AND prediction = label) AS robust_correct
FROM sample_outcome
GROUP BY cell_id;

-- Accuracy of each attack cell, clean and under attack, with the 95 % Wilson interval of the latter.
CREATE VIEW accuracy AS
SELECT study, dataset, model, objective, train_solver, train_seed, solver, gradient, source, attack, norm, epsilon,
  epsilon_text, seed, n, clean_correct, robust_correct,
  1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  )sql" UNMASK_WILSON_ENDS R"sql(, cell_id, checkpoint_cell_id
FROM (SELECT *, )sql" UNMASK_WILSON_CENTRE R"sql(
      FROM (SELECT l.*, l.method AS attack, o.n, o.clean_correct, o.robust_correct,
              )sql" UNMASK_WILSON_A R"sql(
            FROM labelled_cell l JOIN outcome_count o ON o.cell_id = l.cell_id));

-- Each sample under all attacks of one radius. Robust means: every attack left the answer right.
CREATE VIEW worst_case_sample AS
SELECT w.*,
  (SELECT group_concat(name, ', ')
   FROM (SELECT l.method || CASE l.gradient WHEN '@eval' THEN '' ELSE ' via ' || l.gradient END
           || CASE l.source WHEN '@self' THEN '' ELSE ' from ' || l.source END AS name
         FROM labelled_cell l JOIN sample_outcome o ON o.cell_id = l.cell_id AND o.sample = w.sample
         WHERE l.study = w.study AND l.checkpoint_cell_id = w.checkpoint_cell_id AND l.solver = w.solver
           AND l.norm = w.norm AND l.epsilon_text IS w.epsilon_text AND l.epsilon = w.epsilon
           AND o.clean_prediction = o.label AND o.prediction <> o.label
         ORDER BY l.cell_id)) AS fooled_by
FROM (SELECT l.study, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.norm,
        l.epsilon, l.epsilon_text, o.sample, o.label, min(o.clean_prediction) AS clean_prediction,
        min(o.clean_prediction = o.label AND o.prediction = o.label) AS robust,
        count(*) AS n_attacks,
        sum(o.clean_prediction = o.label AND o.prediction <> o.label) AS n_fooled,
        l.checkpoint_cell_id
      FROM labelled_cell l JOIN sample_outcome o ON o.cell_id = l.cell_id
      WHERE l.epsilon > 0
      GROUP BY l.study, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.norm,
        l.epsilon, l.epsilon_text, o.sample, o.label, l.checkpoint_cell_id) w;

-- Worst case over all attacks of one radius: the robust samples counted.
CREATE VIEW worst_case AS
SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, epsilon_text,
  n_attacks,
  (SELECT count(*) FROM labelled_cell l
   WHERE l.study = w.study AND l.checkpoint_cell_id = w.checkpoint_cell_id AND l.solver = w.solver
     AND l.norm = w.norm AND l.epsilon_text IS w.epsilon_text AND l.epsilon = w.epsilon
     AND NOT EXISTS (SELECT 1 FROM sample_outcome o WHERE o.cell_id = l.cell_id)) AS n_missing,
  n, clean_correct, robust_correct,
  1.0 * clean_correct / n AS clean_accuracy, 1.0 * robust_correct / n AS robust_accuracy,
  )sql" UNMASK_WILSON_ENDS R"sql(, checkpoint_cell_id
FROM (SELECT *, )sql" UNMASK_WILSON_CENTRE R"sql(
      FROM (SELECT *, )sql" UNMASK_WILSON_A R"sql(
            FROM (SELECT study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon,
                    epsilon_text, max(n_attacks) AS n_attacks, count(*) AS n,
                    sum(clean_prediction = label) AS clean_correct, sum(robust) AS robust_correct,
                    checkpoint_cell_id
                  FROM worst_case_sample
                  GROUP BY study, dataset, model, objective, train_solver, train_seed, solver, norm, epsilon,
                    epsilon_text, checkpoint_cell_id))) w;

-- Robust accuracy over training seeds and attack seeds. The variance is that of a sample (n - 1), in
-- two passes; its root is left to the reader, since not every SQLite has sqrt().
CREATE VIEW seed_summary AS
SELECT study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon, epsilon_text,
  count(*) AS n, count(DISTINCT train_seed) AS train_seeds, count(DISTINCT seed) AS attack_seeds,
  avg(clean_accuracy) AS clean_mean, min(robust_accuracy) AS min, max(robust_accuracy) AS max,
  min(centre) AS mean,
  sum((robust_accuracy - centre) * (robust_accuracy - centre)) / nullif(count(*) - 1, 0) AS variance
FROM (SELECT *, avg(robust_accuracy) OVER
        (PARTITION BY study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon,
           epsilon_text) AS centre
      FROM accuracy)
GROUP BY study, dataset, model, objective, train_solver, solver, gradient, source, attack, norm, epsilon, epsilon_text;

-- The same attack through different gradient solvers. gap > 0: the model looks more robust through
-- its own gradient than it is.
CREATE VIEW gradient_matrix AS
SELECT study, dataset, model, objective, train_solver, train_seed, attack, norm, epsilon, epsilon_text, seed,
  solver, gradient, source, n, robust_accuracy, lower, upper, own_robust_accuracy,
  own_robust_accuracy - robust_accuracy AS gap, cell_id, checkpoint_cell_id
FROM (SELECT *, max(robust_accuracy) FILTER (WHERE gradient = '@eval') OVER
        (PARTITION BY study, checkpoint_cell_id, solver, source, attack, norm, epsilon, epsilon_text, seed)
        AS own_robust_accuracy
      FROM accuracy)
WHERE epsilon > 0;

-- Cells without a result whose latest failure is known, and how many cells wait for them.
CREATE VIEW failures AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, a.failure_class, a.message, a.log_tail, a.signal, a.exit_code,
  a.n AS attempt, a.device, a.wall_s, a.ended_at,
  (SELECT count(*) FROM labelled_cell w
   WHERE w.study = l.study AND w.checkpoint_cell_id = l.cell_id AND w.cell_id <> l.cell_id
     AND NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = w.cell_id AND d.state = 'done')) AS blocks,
  l.key, l.cell_id
FROM labelled_cell l
JOIN attempt a ON a.cell_id = l.cell_id
  AND a.n = (SELECT max(f.n) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state = 'failed')
WHERE NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = l.cell_id AND d.state = 'done');

-- What each result cost.
CREATE VIEW cost AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, a.device, a.wall_s, a.peak_bytes, a.forwards, a.backwards, a.nfe,
  a.n AS attempts,
  (SELECT coalesce(sum(f.wall_s), 0.0) FROM attempt f WHERE f.cell_id = l.cell_id AND f.state <> 'done') AS lost_s,
  a.started_at, a.ended_at, l.cell_id
FROM labelled_cell l JOIN attempt a ON a.cell_id = l.cell_id AND a.state = 'done';

-- Work of the solvers, per solve.
CREATE VIEW evaluations_per_solve AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.epsilon_text, l.seed, s.phase, s.solve, s.solves, s.nfe_min, s.nfe_median, s.nfe_max,
  1.0 * s.nfe_total / nullif(s.solves, 0) AS nfe_mean,
  1.0 * s.accepted / nullif(s.solves, 0) AS accepted_mean,
  1.0 * s.rejected / nullif(s.solves, 0) AS rejected_mean,
  s.failed, s.worst_status, s.step_min, s.step_max, l.cell_id
FROM labelled_cell l JOIN solve_stats s ON s.cell_id = l.cell_id;

-- All numbers of all cells.
CREATE VIEW metrics AS
SELECT l.study, l.kind, l.dataset, l.model, l.objective, l.train_solver, l.train_seed, l.solver, l.gradient, l.source,
  l.method, l.norm, l.epsilon, l.epsilon_text, l.seed, m.name, m.value, m.flag, m.n, l.cell_id
FROM labelled_cell l JOIN metric m ON m.cell_id = l.cell_id;
)sql";

#undef UNMASK_WILSON_ENDS
#undef UNMASK_WILSON_CENTRE
#undef UNMASK_WILSON_A
#undef UNMASK_SQRT_OF_A

}  // namespace unmask::store
