#!/usr/bin/env bash
# Time, memory and size of the report of a large study: bench/report.sh [DATABASE [UNMASK]]
#
# Takes a finished study (results/unmask.sqlite, the quickstart's) and makes it larger in a copy: its attacks again under further
# training seeds until there are CELLS (1000), each with SAMPLES (1000) outcomes, repeated from its own. Then `unmask report`
# writes its page twice; the second time is told.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
database=${1:-$root/results/unmask.sqlite}
unmask=${2:-$root/build/release/bin/unmask}
cells=${CELLS:-1000}
samples=${SAMPLES:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$unmask" db backup "$work/large.sqlite" --db "$database" >/dev/null

sqlite3 -bail "$work/large.sqlite" <<SQL
PRAGMA foreign_keys = OFF;
BEGIN;
CREATE TEMP TABLE old AS SELECT p.*, row_number() OVER (ORDER BY p.place) AS nth FROM plan_cell p
  JOIN cell c ON c.id = p.cell_id WHERE c.kind = 'attack' AND p.plan_id = (SELECT plan_id FROM run ORDER BY id DESC LIMIT 1);
CREATE TEMP TABLE new AS
  WITH RECURSIVE round(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM round WHERE k * (SELECT count(*) FROM old) < $cells)
  SELECT old.*, k, (SELECT max(id) FROM cell) + (k - 1) * (SELECT count(*) FROM old) + nth AS id FROM round, old
  LIMIT $cells - (SELECT count(*) FROM old);
INSERT INTO cell SELECT new.id, lower(hex(randomblob(32))), kind, checkpoint_cell_id, source_cell_id, spec_json, norm
  FROM new JOIN cell c ON c.id = new.cell_id;
INSERT INTO plan_cell SELECT plan_id, 100000 + row_number() OVER (ORDER BY new.id), id, 0, dataset, model, objective, train_solver,
  train_seed + 10 * k, solver, gradient, source, method, epsilon, epsilon_text, seed FROM new;
INSERT INTO cell_plugin SELECT new.id, role, plugin_id FROM new JOIN cell_plugin p ON p.cell_id = new.cell_id;
INSERT INTO attempt SELECT lower(hex(randomblob(16))), new.id, run_id, n, state, failure_class, message, log_tail, signal, exit_code,
  started_at, ended_at, wall_s, device, peak_bytes, forwards, backwards, nfe, worker_pid, checkpoint_sha256, source_sha256
  FROM new JOIN attempt a ON a.cell_id = new.cell_id AND a.state = 'done';
INSERT INTO metric SELECT new.id, name, value, flag, n, reason FROM new JOIN metric m ON m.cell_id = new.cell_id;
CREATE TEMP TABLE few AS SELECT * FROM sample_outcome WHERE cell_id IN (SELECT cell_id FROM old);
INSERT INTO sample_outcome SELECT new.id, o.sample + s.k * 100, label, state, clean_prediction, prediction, distance, queries, passes
  FROM new JOIN few o ON o.cell_id = new.cell_id,
  (WITH RECURSIVE s(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM s WHERE k < $samples / 100 - 1) SELECT k FROM s) s;
COMMIT;
SQL
for _ in 1 2; do
  /usr/bin/time -f '%U %S %e %M' -o "$work/time" "$unmask" report --db "$work/large.sqlite" --out "$work/report.html" >/dev/null
done
read -r user system wall memory <"$work/time"
printf '%s cells, %s outcomes, database %.0f MB: report %.2f MB in %s s user, %s s system, %s s wall, %.0f MB of memory\n' \
  "$(sqlite3 "$work/large.sqlite" "SELECT count(*) FROM cell WHERE kind = 'attack'")" \
  "$(sqlite3 "$work/large.sqlite" "SELECT count(*) FROM sample_outcome")" "$(($(stat -c %s "$work/large.sqlite") / 1000000))" \
  "$(awk "BEGIN { print $(stat -c %s "$work/report.html") / 1e6 }")" "$user" "$system" "$wall" "$((memory / 1024))"
