#!/usr/bin/env bash
# Everything that there is to try on a GPU, in one call and within a time limit:
#
#   [DEVICE=cuda:0] [SECONDS_ALL=500] scripts/gpu/all.sh DEPS BUILD CIFAR10 OUT
#
# Builds (scripts/gpu/build.sh) and runs check.sh, golden.sh, the quickstart, throughput.sh and, in the time that is
# left, paper_width.sh, each with its logs in a folder of OUT. CIFAR10 holds the binary version of the data set. What
# fails does not stop what follows; the last line counts it.
set -uo pipefail
usage='usage: scripts/gpu/all.sh DEPS BUILD CIFAR10 OUT'
deps=${1:?$usage}
build=${2:?$usage}
data=${3:?$usage}
out=${4:?$usage}
device=${DEVICE:-cuda:0}
limit=${SECONDS_ALL:-500}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out" "$build"
failures=0

# step NAME SECONDS COMMAND...
step() {
  local name=$1 most=$2 start=$SECONDS code=0
  shift 2
  timeout "$most" "$@" || code=$?
  echo "[$SECONDS s] $name: exit $code after $((SECONDS - start)) s"
  [ "$code" -eq 0 ] || failures=$((failures + 1))
}

{
  date -u
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
  g++ --version | head -n 1
  cmake --version | head -n 1
  lscpu | grep 'Model name'
} >"$out/machine.txt" 2>&1
cat "$out/machine.txt"

if [ -z "${SKIP_BUILD:-}" ]; then
  step build 400 "$here/build.sh" "$deps" "$build" -DUNMASK_BUILD_TESTS=ON -DUNMASK_BUILD_BENCH=ON >"$out/build.log" 2>&1
  tail -n 1 "$out/build.log"
  grep -E 'FAILED:|error:|CMake Error' "$out/build.log" | head -n 12 | cut -c 1-300
fi
if [ ! -x "$build/bin/unmask" ]; then
  tail -n 20 "$out/build.log"
  exit 1
fi
export DEVICE=$device
step check 120 "$here/check.sh" "$build" "$out/check"
step golden 120 "$here/golden.sh" "$build" "$out/golden"
step quickstart 240 "$build/bin/unmask" run "$here/../../experiments/quickstart.json" --device "$device" --db "$out/quickstart.sqlite" \
  --progress plain >"$out/quickstart.log" 2>&1
"$build/bin/unmask" query robustness --db "$out/quickstart.sqlite" | tee "$out/quickstart.txt"
step throughput 130 "$here/throughput.sh" "$build" "$out/throughput"
left=$((limit - SECONDS - 40))
if [ "$left" -gt 60 ]; then
  step paper-width $((left + 40)) "$here/paper_width.sh" "$build" "$data" "$out/paper-width" "$left"
else
  echo "paper-width: not run, $left s left"
fi
echo "all: $failures failures after $SECONDS s, logs in $out"
exit "$((failures > 0))"
