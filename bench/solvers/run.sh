#!/usr/bin/env bash
# What ODE solves cost, with unmask and with torchdiffeq, in one run:
#
#   PYTHONPATH=<torchdiffeq checkout> bench/solvers/run.sh [build/release/bin/bench_solvers] [lines.jsonl]
#
# Both sides take turns, so that a busy machine slows both. ROUNDS (3) such turns with REPEATS (3)
# measurements each; the median of the rounds' medians counts. PYTHON names the interpreter (python3). When
# it cannot import torch or torchdiffeq, that side is skipped with its reason. PREFIX, if set, stands before
# every measured command ("taskset -c 0,1"). CASES picks from: small_state mlp sonet sonet_flipped
# sonet_sample mixed_batch. All measured lines are kept in the second argument, if given.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bench=${1:-$here/../../build/release/bin/bench_solvers}
python=${PYTHON:-python3}
rounds=${ROUNDS:-3}
repeats=${REPEATS:-3}
cases=${CASES:-small_state mlp sonet sonet_flipped sonet_sample mixed_batch}
read -r -a prefix <<<"${PREFIX:-}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
lines=${2:-$folder/lines.jsonl}
: >"$lines"

reason=
if ! reason=$("$python" -c 'import torch, torchdiffeq' 2>&1); then
  reason="${reason##*$'\n'}"
  echo "torchdiffeq side skipped: $python says: ${reason:-no reason}"
  with_python=
else
  with_python=yes
  "$python" -c 'import torch, torchdiffeq
print("torchdiffeq", getattr(torchdiffeq, "__version__", "0.0.1"), "on PyTorch", torch.__version__)'
fi

# ours THREADS CASE, theirs THREADS CASE: threads are set by option and, for BLAS, by environment.
ours() {
  OMP_NUM_THREADS=$1 OPENBLAS_NUM_THREADS=$1 "${prefix[@]}" "$bench" --json --case "$2" --threads "$1" \
    --repeats "$repeats" --export "$folder" >>"$lines" || echo "unmask: $2 with $1 threads failed with status $?"
}
theirs() {
  [ -n "$with_python" ] || return 0
  OMP_NUM_THREADS=$1 OPENBLAS_NUM_THREADS=$1 "${prefix[@]}" "$python" "$here/torchdiffeq_side.py" --case "$2" \
    --threads "$1" --repeats "$repeats" --networks "$folder" >>"$lines" ||
    echo "torchdiffeq: $2 with $1 threads failed with status $?"
}

for ((round = 0; round < rounds; ++round)); do
  for case in $cases; do
    case $case in
      small_state | mlp) ours 1 "$case"; theirs 1 "$case" ;;
      sonet) for threads in 1 2; do ours $threads sonet; theirs $threads sonet; done ;;
      sonet_flipped)
        [ -e "$folder/sonet.safetensors" ] || ours 1 sonet
        for threads in 1 2; do theirs $threads sonet_flipped; done ;;
      sonet_sample | mixed_batch) ours 1 "$case" ;;
      *) echo "there is no case $case" >&2; exit 1 ;;
    esac
  done
done
"$python" "$here/torchdiffeq_side.py" --ratios "$lines" || cat "$lines"
