#!/usr/bin/env bash
# How long `unmask plan` takes for 10,000 cells: bench/plan_10000.sh [build/release/bin/unmask]
set -euo pipefail
cd "$(dirname "$0")/.."
unmask=${1:-build/release/bin/unmask}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
seeds=$(seq -s, 0 99)
epsilons=$(seq -s, -f '"%g/1000"' 1 49)
# 1 model x 100 seeds = 100 trainings; 100 checkpoints x (1 attack x 49 radii x 2 solvers + 1 clean) = 9,900.
cat >"$folder/big.json" <<JSON
{ "version": 1, "name": "big",
  "define": {
    "dataset":   { "strokes": { "plugin": "strokes" } },
    "model":     { "net": { "plugin": "so_resnet" } },
    "objective": { "natural": { "plugin": "cross_entropy" } },
    "solver":    { "bosh3": { "plugin": "bosh3" }, "rk4": { "plugin": "rk4" } },
    "attack":    { "pgd": { "plugin": "pgd", "params": { "step_size": "\${epsilon}/10" } } } },
  "train":    { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["bosh3"], "seed": [$seeds] } },
  "evaluate": { "matrix": { "checkpoint": ["*"], "solver": ["@train", "rk4"], "attack": ["*"], "epsilon": [$epsilons], "seed": [0],
                            "clean": true } } }
JSON
TIMEFORMAT='%R s wall, %U s user'
time "$unmask" plan "$folder/big.json" --db "$folder/none.sqlite" | grep -E '^ *all|^cells'
