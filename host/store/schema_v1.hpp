#pragma once
// Schema version 1: tables. Released steps are never edited: append a migration instead. (The views
// that stood here belong to no version: store/views.cpp makes them.) What all steps together make is
// described for people in docs/database.md; a test compares names.
//
// Rules: every table STRICT; times are UTC texts "2026-01-31T12:00:00.000Z"; a number that may be
// NaN or infinite has a column `flag` beside it; constraints use functions that every SQLite has and
// trusts (SQLite 3.40 does not trust its JSON functions in the schema of a file).

#include <string_view>

namespace unmask::store {

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
)sql";

}  // namespace unmask::store
