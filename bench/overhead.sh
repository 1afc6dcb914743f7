#!/usr/bin/env bash
# What the host itself costs: 10,000 trivial cells, and planning a stored study of 100,000 cells.
#   bench/overhead.sh [UNMASK] [CELLS_TO_RUN] [CELLS_STORED]
# Processor time counts, of the host and its workers apart, so that a busy machine tells the same. Needs sqlite3.
set -euo pipefail
cd "$(dirname "$0")/.."
unmask=${1:-build/release/bin/unmask}
to_run=${2:-10000}
stored=${3:-100000}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export TMPDIR=$folder

# manifest FILE TRAININGS RADII SEEDS: a linear network on 4 images, fgsm at RADII radii and SEEDS seeds.
manifest() {
  cat >"$1" <<JSON
{ "version": 1, "name": "overhead",
  "define": {
    "dataset":   { "strokes": { "plugin": "strokes", "params": { "train_count": 20, "test_count": 20 } } },
    "model":     { "net": { "plugin": "linear" } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 1, "batch_size": 10 } } },
    "solver":    { "euler": { "plugin": "euler" } },
    "attack":    { "fgsm": { "plugin": "fgsm" } } },
  "train":    { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["euler"], "seed": [$(seq -s, 1 "$2")] } },
  "evaluate": { "samples": 4, "batch_size": 4,
                "matrix": { "checkpoint": ["*"], "solver": ["@train"], "attack": ["*"], "epsilon": [$(seq -s, -f '"%g/100000"' 1 "$3")],
                            "seed": [$(seq -s, 1 "$4")] } } }
JSON
}

# timed WHAT COMMAND...: processor time and memory of the command, its children included.
timed() {
  local what=$1
  shift
  python3 - "$what" "$@" <<'P'
import resource, subprocess, sys, time
start = time.monotonic()
done = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{sys.argv[1]}: {use.ru_utime + use.ru_stime:.2f} s processor, {time.monotonic() - start:.2f} s wall, "
      f"{use.ru_maxrss // 1024} MiB at most in one process, exit {done.returncode}")
sys.exit(done.returncode)
P
}

# Memory of the host now and at its end tells whether it grows with what is done.
manifest "$folder/run.json" 1 100 $((to_run / 100))
"$unmask" run "$folder/run.json" --db "$folder/run.sqlite" --only kind=train --progress none
"$unmask" run "$folder/run.json" --db "$folder/run.sqlite" --progress none --workers 1 &
host=$!
: >"$folder/memory"
while kill -0 $host 2>/dev/null; do
  worker=$(pgrep -P $host | head -1 || true)
  { awk '/VmRSS/ { print $2 }' "/proc/$host/status"; cut -d' ' -f14,15 "/proc/$host/stat"
    if [ -n "$worker" ]; then cut -d' ' -f1,14,15 "/proc/$worker/stat"; else echo 0 0 0; fi; } 2>/dev/null | tr '\n' ' ' >>"$folder/memory" || true
  echo >>"$folder/memory"
  sleep 1
done
wait $host
# Workers are replaced now and then; what one does in its last second is not seen.
awk -v cells="$to_run" -v hz="$(getconf CLK_TCK)" 'NF == 6 { if (!first && $4 > 0) first = $1; if ($4 > 0) last = $1; host = $2 + $3; of_worker[$4] = $5 + $6 }
  END { for (pid in of_worker) worker += of_worker[pid]
        printf "%d cells run: host %.2f ms, worker %.2f ms of processor time per cell; memory of the host %.1f MiB at first, %.1f MiB at last\n",
        cells, 1000 * host / hz / cells, 1000 * worker / hz / cells, first / 1024, last / 1024 }' "$folder/memory"
sqlite3 "$folder/run.sqlite" "SELECT 'of these, in the cells themselves: ' || round(1000 * avg(wall_s), 2) || ' ms (wall)' FROM attempt a
  JOIN cell c ON c.id = a.cell_id WHERE c.kind = 'attack' AND a.state = 'done'"

# A study of which everything is stored: planned and registered by the program, its results made up.
manifest "$folder/plan.json" 10 100 $((stored / 1000))
"$unmask" run "$folder/plan.json" --db "$folder/plan.sqlite" --only kind=train --progress none
sqlite3 "$folder/plan.sqlite" "INSERT INTO attempt(id, cell_id, run_id, n, state, started_at, ended_at, wall_s, device, worker_pid, checkpoint_sha256,
    forwards, backwards, nfe)
  SELECT 'made up ' || c.id, c.id, 1, 1, 'done', r.started_at, r.started_at, 0.001, 'cpu', 1, k.sha256, 8, 4, 0
  FROM cell c JOIN run r ON r.id = 1 JOIN checkpoint k ON k.cell_id = c.checkpoint_cell_id"
timed "plan of $stored stored cells" "$unmask" plan "$folder/plan.json" --db "$folder/plan.sqlite"
# The first run judges all networks, since their results are new; the next ones find nothing to do.
timed "run of $stored stored cells, judged for the first time" "$unmask" run "$folder/plan.json" --db "$folder/plan.sqlite" --progress none
timed "run of $stored stored cells, nothing to do" "$unmask" run "$folder/plan.json" --db "$folder/plan.sqlite" --progress none
