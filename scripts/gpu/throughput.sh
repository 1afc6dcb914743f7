#!/usr/bin/env bash
# Steps of an attack and of training on a device, with unmask (plain and as CUDA graphs) and with torchdiffeq in
# Python, in one call:
#
#   [DEVICE=cuda:0] [SMALL=1] scripts/gpu/throughput.sh BUILD OUT
#
# BUILD holds bin/bench_throughput (made there first, if it is missing: configure with -DUNMASK_BUILD_BENCH=ON).
# Prints a Markdown table, kept in OUT/throughput.md beside OUT/throughput.json. OURS (50) and THEIRS (40) are the
# seconds after which no further case begins; PYTHON names the interpreter. SMALL=1 takes tiny networks and batches.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: throughput.sh BUILD OUT}
out=${2:?usage: throughput.sh BUILD OUT}
device=${DEVICE:-cuda:0}
python=${PYTHON:-python3}
side=$here/../../bench/gpu/python_side.py
bench=$build/bin/bench_throughput
lines=$out/throughput.jsonl
options=(--device "$device")
[ -z "${SMALL:-}" ] || options+=(--small)
mkdir -p "$out"
# Libraries that the build needs are none of Python's.
python_path=${LD_LIBRARY_PATH:-}
if [ -e "$build/environment.sh" ]; then
  # shellcheck source=/dev/null
  . "$build/environment.sh"
fi
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

if [ ! -x "$bench" ]; then
  cmake --build "$build" --target bench_throughput >"$out/throughput-build.log" 2>&1 || {
    echo "throughput: bench_throughput could not be built in $build; see $out/throughput-build.log"
    exit 1
  }
fi
networks=$(mktemp -d)
trap 'rm -rf "$networks"' EXIT
log=$out/throughput.log
"$bench" "${options[@]}" --export "$networks" >"$log" 2>&1 || {
  echo "throughput: the networks could not be exported"
  tail -n 3 "$log"
  exit 1
}
status=0
"$bench" "${options[@]}" --seconds "${OURS:-50}" >"$lines" 2>>"$log" || status=$?
[ "$status" -eq 0 ] || echo "throughput: bench_throughput ended with status $status; see $log"
their_python() { LD_LIBRARY_PATH=$python_path "$python" "$@"; }
if missing=$(their_python -c 'import torch, torchdiffeq' 2>&1); then
  their_python "$side" "${options[@]}" --networks "$networks" --seconds "${THEIRS:-40}" >>"$lines" 2>>"$log" || {
    status=$?
    echo "throughput: the Python side ended with status $status; see $log"
  }
else
  echo "throughput: Python side not run: $python says: ${missing##*$'\n'}"
fi
their_python "$side" --table "$lines" --json "$out/throughput.json" | tee "$out/throughput.md"
exit "$status"
