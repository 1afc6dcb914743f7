#pragma once
// Schema version 3: verdicts, the rules behind them and the cells behind each rule; what a manifest
// says instead of the thresholds. See schema_v1.hpp for the rules.

#include <string_view>

namespace unmask::store {

inline constexpr std::string_view kSchemaV3 = R"sql(
-- Thresholds of verdicts that the run's manifest (with all that it extends) sets, a JSON object of numbers.
ALTER TABLE run ADD COLUMN thresholds TEXT NOT NULL DEFAULT '{}';

-- What the evidence of a study says about a network under a solver and a threat. Those of a study are made
-- again whole.
CREATE TABLE verdict (
  id                 INTEGER PRIMARY KEY,
  run_id             INTEGER NOT NULL REFERENCES run (id),   -- whose plan and thresholds it follows
  study              TEXT NOT NULL,
  dataset            TEXT NOT NULL,
  model              TEXT NOT NULL,
  objective          TEXT NOT NULL,
  train_solver       TEXT NOT NULL,
  train_seed         INTEGER NOT NULL,
  solver             TEXT NOT NULL,      -- evaluation solver
  norm               TEXT NOT NULL,
  epsilon            REAL NOT NULL CHECK (epsilon > 0),
  epsilon_text       TEXT NOT NULL,
  checkpoint_cell_id INTEGER NOT NULL REFERENCES cell (id),
  judgement          TEXT NOT NULL CHECK (judgement IN ('masked', 'suspect', 'not detected', 'insufficient evidence')),
  sentence           TEXT NOT NULL,      -- why, for people
  n                  INTEGER NOT NULL CHECK (n >= 0),              -- samples that were attacked
  clean_correct      INTEGER NOT NULL CHECK (clean_correct >= 0),  -- of them right without an attack
  plain_correct      INTEGER CHECK (plain_correct >= 0),           -- right after the plain gradient attack; NULL: none
  robust_correct     INTEGER NOT NULL CHECK (robust_correct >= 0), -- right after all attacks
  strongest          TEXT NOT NULL,      -- the attack that leaves least; '' without any
  n_attacks          INTEGER NOT NULL CHECK (n_attacks >= 0),
  n_missing          INTEGER NOT NULL CHECK (n_missing >= 0),      -- attacks and probes without a result
  thresholds         TEXT NOT NULL,      -- all that were in force, a JSON object
  evidence_sha256    TEXT NOT NULL CHECK (length(evidence_sha256) = 64),   -- of all that the study's verdicts rest on
  tool               TEXT NOT NULL,      -- version of unmask
  made_at            TEXT NOT NULL,
  UNIQUE (study, checkpoint_cell_id, solver, norm, epsilon)
) STRICT;
CREATE INDEX verdict_run ON verdict (run_id);
CREATE INDEX verdict_checkpoint ON verdict (checkpoint_cell_id);

-- What each rule found.
CREATE TABLE verdict_rule (
  verdict_id INTEGER NOT NULL REFERENCES verdict (id) ON DELETE CASCADE,
  place      INTEGER NOT NULL CHECK (place >= 1),
  rule       TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('decides', 'symptom', 'note', 'quiet', 'lacks evidence')),
  statistic  TEXT NOT NULL,   -- what `value` is
  value      REAL,            -- NULL: it lacks evidence
  lower      REAL,            -- 95 % interval, where the value is a share
  upper      REAL,
  n          INTEGER CHECK (n >= 0),           -- samples behind it
  p          REAL CHECK (p BETWEEN 0 AND 1),   -- of a paired test; NULL: the rule needs none
  p_adjusted REAL CHECK (p_adjusted BETWEEN 0 AND 1),   -- for all tests of the verdict
  threshold  REAL,            -- beyond which the rule is a symptom, or decides where it does; NULL: it never counts
  sentence   TEXT NOT NULL,   -- what was found, or what would supply the evidence
  PRIMARY KEY (verdict_id, rule),
  UNIQUE (verdict_id, place),
  CHECK ((state = 'lacks evidence') = (value IS NULL))
) STRICT, WITHOUT ROWID;

-- The cells whose rows a rule's number was counted in.
CREATE TABLE verdict_cell (
  verdict_id INTEGER NOT NULL REFERENCES verdict (id) ON DELETE CASCADE,
  rule       TEXT NOT NULL,
  cell_id    INTEGER NOT NULL REFERENCES cell (id),
  PRIMARY KEY (verdict_id, rule, cell_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX verdict_cell_cell ON verdict_cell (cell_id);
)sql";

}  // namespace unmask::store
