#pragma once
// Schema version 4: what came of executing stored cells again (`unmask verify`), and parts of cells that
// have not come to their end. See schema_v1.hpp for the rules.

#include <string_view>

namespace unmask::store {

inline constexpr std::string_view kSchemaV4 = R"sql(
-- One stored cell, executed again without touching its result.
CREATE TABLE verification (
  id                    INTEGER PRIMARY KEY,
  uuid                  TEXT NOT NULL UNIQUE,
  cell_id               INTEGER NOT NULL REFERENCES cell (id),
  stored_environment_id INTEGER NOT NULL REFERENCES environment (id),   -- where the stored result was made
  environment_id        INTEGER NOT NULL REFERENCES environment (id),   -- where it was executed again
  stored_device         TEXT NOT NULL,
  device                TEXT NOT NULL,
  stored_attempt        TEXT NOT NULL,   -- id of the attempt that had made the stored result
  outcome               TEXT NOT NULL CHECK (outcome IN ('equal', 'differs', 'failed')),
  n_differences         INTEGER NOT NULL CHECK (n_differences >= 0),   -- values that differ, all of them
  message               TEXT,            -- why it failed
  tool                  TEXT NOT NULL,   -- version of unmask that executed it again
  verified_at           TEXT NOT NULL,
  CHECK ((outcome = 'differs') = (n_differences > 0)),
  CHECK ((outcome = 'failed') = (message IS NOT NULL))
) STRICT;
CREATE INDEX verification_cell ON verification (cell_id);
CREATE INDEX verification_stored_environment ON verification (stored_environment_id);
CREATE INDEX verification_environment ON verification (environment_id);

-- The first values that differ, in the order of the tables.
CREATE TABLE verification_difference (
  verification_id INTEGER NOT NULL REFERENCES verification (id) ON DELETE CASCADE,
  place           INTEGER NOT NULL CHECK (place >= 1),
  source          TEXT NOT NULL,      -- the table of the value; 'attempt' for counters, 'cell' for the norm
  name            TEXT NOT NULL,      -- of the metric, series, solve, quantity or seed; '' without any
  sample          INTEGER,            -- NULL: it belongs to no sample
  field           TEXT NOT NULL,      -- its column; 'row' when one side has no such row
  stored          TEXT,               -- NULL: none
  found           TEXT,               -- now; NULL: none
  PRIMARY KEY (verification_id, place)
) STRICT, WITHOUT ROWID;

-- What runs of whole batches of an unfinished attack or probe have yielded. They go when its result comes.
CREATE TABLE cell_part (
  cell_id           INTEGER NOT NULL REFERENCES cell (id),
  first             INTEGER NOT NULL CHECK (first >= 0),   -- sample
  samples           INTEGER NOT NULL CHECK (samples > 0),
  total             INTEGER NOT NULL CHECK (total >= first + samples),   -- samples of the cell
  unit              INTEGER NOT NULL CHECK (unit > 0),     -- samples at whose multiples parts begin
  run_id            INTEGER NOT NULL REFERENCES run (id),
  checkpoint_sha256 TEXT,   -- weights of the network
  source_sha256     TEXT,   -- of the network on which images are made; NULL: none of its own
  device            TEXT NOT NULL,
  wall_s            REAL NOT NULL CHECK (wall_s >= 0),
  stored_at         TEXT NOT NULL,
  content           TEXT NOT NULL,   -- JSON, for the program
  PRIMARY KEY (cell_id, first)
) STRICT;
CREATE INDEX cell_part_run ON cell_part (run_id);
)sql";

}  // namespace unmask::store
