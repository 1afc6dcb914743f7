#pragma once
// Schema version 2: whole plans instead of names per manifest, undecided samples, passes, true
// medians, reasons and remarks; thresholds and named queries as tables. See schema_v1.hpp for the
// rules. A table whose columns change their constraints is made again and filled from the old one.

#include <string_view>

namespace unmask::store {

inline constexpr std::string_view kSchemaV2 = R"sql(
-- What a study asked for, whole (cells that --only left out are in it): runs that planned the same
-- cells under the same names share one.
CREATE TABLE plan (
  id          INTEGER PRIMARY KEY,
  manifest_id INTEGER NOT NULL REFERENCES manifest (id),
  sha256      TEXT CHECK (length(sha256) = 64),   -- of keys and names. NULL: from a file of schema
                                                  -- version 1, all cells that a run of the manifest asked for
  UNIQUE (manifest_id, sha256)
) STRICT;

-- The cells of a plan and their names. Names are not identity: definitions of two names may be one
-- computation, and two studies may share a cell and call its parts differently.
CREATE TABLE plan_cell (
  plan_id      INTEGER NOT NULL REFERENCES plan (id),
  place        INTEGER NOT NULL CHECK (place >= 1),   -- in the plan
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
  is_alias     INTEGER NOT NULL CHECK (is_alias IN (0, 1)),   -- another name of a cell that has one already
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
  PRIMARY KEY (plan_id, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX plan_cell_cell ON plan_cell (cell_id);
CREATE UNIQUE INDEX plan_cell_first_name ON plan_cell (plan_id, cell_id) WHERE NOT is_alias;

ALTER TABLE run ADD COLUMN plan_id INTEGER REFERENCES plan (id);   -- NULL: it ended before it had one
CREATE INDEX run_plan ON run (plan_id);

-- Version 1 knew the cells of a manifest, not those of a run: its runs share the plan of their manifest.
INSERT INTO plan (id, manifest_id) SELECT DISTINCT manifest_id, manifest_id FROM study_cell;
INSERT INTO plan_cell SELECT manifest_id, row_number() OVER (PARTITION BY manifest_id ORDER BY cell_id), cell_id, 0,
  dataset, model, objective, train_solver, train_seed, solver, gradient, source, method, epsilon, epsilon_text, seed
FROM study_cell;
UPDATE run SET plan_id = manifest_id WHERE EXISTS (SELECT 1 FROM run_cell c WHERE c.run_id = run.id);
DROP TABLE study_cell;

-- The norm of an attack was read from a parameter of that name; these have none.
UPDATE cell SET norm = 'l2' WHERE kind = 'attack' AND norm IS NULL
  AND coalesce(json_extract(spec_json, '$.attack.plugin'), json_extract(spec_json, '$.attack.members[0].plugin'))
    = 'cw_l2';
UPDATE cell SET norm = 'linf' WHERE kind = 'attack' AND norm IS NULL
  AND coalesce(json_extract(spec_json, '$.attack.plugin'), json_extract(spec_json, '$.attack.members[0].plugin'))
    IN ('none', 'cw_linf');

ALTER TABLE metric ADD COLUMN reason TEXT;   -- why it is no number

-- What happened to one sample in one attack cell. The evaluation solver predicts, at the canonical
-- batch. Undecided: it gave no answer for the sample, clean or attacked (its solve failed).
CREATE TABLE new_sample_outcome (
  cell_id          INTEGER NOT NULL REFERENCES cell (id),
  sample           INTEGER NOT NULL CHECK (sample >= 0),   -- index in the evaluation split
  label            INTEGER NOT NULL CHECK (label >= 0),
  state            TEXT NOT NULL CHECK (state IN ('decided', 'undecided')),
  clean_prediction INTEGER CHECK (clean_prediction >= 0),   -- NULL: no answer
  prediction       INTEGER CHECK (prediction >= 0),         -- NULL: no answer
  distance         REAL CONSTRAINT distance_is_finite CHECK (distance >= 0 AND distance < 9e999),
  queries          INTEGER NOT NULL CHECK (queries >= 0),   -- answers that the attack asked for
  passes           INTEGER CHECK (passes >= 0),             -- forward passes that they and their gradients took;
                                                            -- NULL: not counted
  PRIMARY KEY (cell_id, sample),
  CONSTRAINT decided_has_answers CHECK (state = 'undecided'
    OR (clean_prediction IS NOT NULL AND prediction IS NOT NULL AND distance IS NOT NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO new_sample_outcome SELECT cell_id, sample, label, 'decided', clean_prediction, prediction, distance,
  queries, NULL
FROM sample_outcome;
DROP TABLE sample_outcome;
ALTER TABLE new_sample_outcome RENAME TO sample_outcome;

-- Statistics of all solves of one name in one phase of a cell. The median of an even number of
-- solves may lie between two of them.
CREATE TABLE new_solve_stats (
  cell_id      INTEGER NOT NULL REFERENCES cell (id),
  phase        TEXT NOT NULL,     -- 'train', 'evaluate', 'attack', 'gradient'
  solve        TEXT NOT NULL,     -- 'conv1', 'layer2.0', ...
  solves       INTEGER NOT NULL CHECK (solves >= 0),
  nfe_min      INTEGER NOT NULL CHECK (nfe_min >= 0),
  nfe_median   REAL NOT NULL CHECK (nfe_median >= nfe_min),
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
INSERT INTO new_solve_stats SELECT * FROM solve_stats;
DROP TABLE solve_stats;
ALTER TABLE new_solve_stats RENAME TO solve_stats;

-- What a worker had to say about a cell, for people.
CREATE TABLE remark (
  cell_id INTEGER NOT NULL REFERENCES cell (id),
  n       INTEGER NOT NULL CHECK (n >= 1),
  text    TEXT NOT NULL,
  PRIMARY KEY (cell_id, n)
) STRICT, WITHOUT ROWID;

-- The next two are the tool's: it fills them again whenever its own version of them is another.

-- Above which value a number is a warning.
CREATE TABLE threshold (
  name          TEXT PRIMARY KEY,   -- of a metric; 'fooled_first_by': of a black box after a white one
  value         REAL NOT NULL,
  is_of_network INTEGER NOT NULL CHECK (is_of_network IN (0, 1)),   -- not of the attack that noticed it
  meaning       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Questions by name, as `unmask query NAME` asks them.
CREATE TABLE named_query (
  name        TEXT PRIMARY KEY,
  description TEXT NOT NULL,
  sql         TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

}  // namespace unmask::store
