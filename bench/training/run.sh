#!/usr/bin/env bash
# Training steps with unmask and in Python, in one run:
#
#   PYTHONPATH=<torchdiffeq checkout> bench/training/run.sh [build/release/bin/bench_training] [lines.jsonl]
#
# Both sides take turns, so that a busy machine slows both. ROUNDS (3) such turns with STEPS (4) measured steps each;
# the median of the rounds' medians counts. THREADS ("1 2") and CASES (resnet10 sonet sonet_flipped) choose what is
# measured; PYTHON names the interpreter (python3). When it cannot import torch (for SONet torchdiffeq too), that side
# is skipped with its reason. PREFIX, if set, stands before every measured command ("taskset -c 0,1"). All measured
# lines are kept in the second argument, if given.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bench=${1:-$here/../../build/release/bin/bench_training}
python=${PYTHON:-python3}
rounds=${ROUNDS:-3}
steps=${STEPS:-4}
cases=${CASES:-resnet10 sonet sonet_flipped}
threads_list=${THREADS:-1 2}
read -r -a prefix <<<"${PREFIX:-}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
lines=${2:-$folder/lines.jsonl}
: >"$lines"

# missing CASE: what keeps Python from running the case, or nothing.
missing() {
  local modules=torch
  [ "$1" = resnet10 ] || modules="torch, torchdiffeq"
  local said
  said=$("$python" -c "import $modules" 2>&1) || echo "${said##*$'\n'}"
}
declare -A reason
for case in $cases; do
  reason[$case]=$(missing "$case")
  [ -z "${reason[$case]}" ] || echo "python side of $case skipped: ${reason[$case]}"
done

# ours THREADS CASE, theirs THREADS CASE: threads are set by option and, for BLAS, by environment.
ours() {
  OMP_NUM_THREADS=$1 OPENBLAS_NUM_THREADS=$1 "${prefix[@]}" "$bench" --json --case "$2" --threads "$1" \
    --steps "$steps" >>"$lines" || echo "unmask: $2 with $1 threads failed with status $?"
}
theirs() {
  [ -z "${reason[$2]}" ] || return 0
  OMP_NUM_THREADS=$1 OPENBLAS_NUM_THREADS=$1 "${prefix[@]}" "$python" "$here/python_side.py" --case "$2" \
    --threads "$1" --steps "$steps" --networks "$folder" >>"$lines" ||
    echo "python: $2 with $1 threads failed with status $?"
}

OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$bench" --export "$folder"
for case in $cases; do
  [ -z "${reason[$case]}" ] || continue
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$python" "$here/python_side.py" --agree --case "$case" --threads 1 \
    --networks "$folder" >>"$lines"
done
for ((round = 0; round < rounds; ++round)); do
  for case in $cases; do
    for threads in $threads_list; do
      [ "$case" = sonet_flipped ] || ours "$threads" "$case"
      theirs "$threads" "$case"
    done
  done
done
"$python" "$here/python_side.py" --ratios "$lines" || cat "$lines"
