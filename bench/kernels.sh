#!/usr/bin/env bash
# What `--kernels portable` costs against native, side by side: a training and attacks on it, both ways in turn.
#   bench/kernels.sh [UNMASK] [ROUNDS]
# Processor time counts, of all processes, so that a busy machine tells the same. Says whether the bits are equal, too. Needs sqlite3.
set -euo pipefail
cd "$(dirname "$0")/.."
unmask=${1:-build/release/bin/unmask}
rounds=${2:-2}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/kernels.json" <<'JSON'
{ "version": 1, "name": "kernels",
  "define": {
    "dataset":   { "strokes": { "plugin": "strokes", "params": { "train_count": 1000, "test_count": 100 } } },
    "model":     { "resnet": { "plugin": "resnet", "params": { "channels": 16, "blocks": [1, 1], "strides": [2, 2] } } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 3, "batch_size": 50, "learning_rate": 0.05 } } },
    "solver":    { "rk4": { "plugin": "rk4" } },
    "attack":    { "pgd": { "plugin": "pgd", "params": { "steps": 20, "step_size": "${epsilon}/5" } } } },
  "train":    { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["rk4"], "seed": [0] } },
  "evaluate": { "samples": 100, "batch_size": 50,
                "matrix": { "checkpoint": ["*"], "solver": ["@train"], "attack": ["*"], "epsilon": ["2/255"], "seed": [0], "clean": true } } }
JSON

# measured KERNELS DATABASE FILTER
measured() {
  python3 - "$1" "$3" "$unmask" run "$folder/kernels.json" --db "$2" --kernels "$1" --only "$3" --workers 1 --progress none <<'P'
import resource, subprocess, sys
done = subprocess.run(sys.argv[3:], stderr=subprocess.DEVNULL)
use = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{sys.argv[1]:9} {sys.argv[2]:12} {use.ru_utime:.2f} s user")
sys.exit(done.returncode)
P
}

"$unmask" doctor --kernels native | grep kernels || true
"$unmask" doctor --kernels portable | grep kernels || true
for round in $(seq "$rounds"); do
  for kernels in native portable; do
    measured "$kernels" "$folder/$kernels-$round.sqlite" kind=train
    measured "$kernels" "$folder/$kernels-$round.sqlite" kind=attack
  done
done
for kernels in native portable; do
  sqlite3 "$folder/$kernels-1.sqlite" "SELECT sha256 FROM checkpoint; SELECT sample, prediction, distance FROM sample_outcome" >"$folder/$kernels.txt"
done
if cmp -s "$folder/native.txt" "$folder/portable.txt"; then echo "equal bits"; else echo "other bits"; fi
