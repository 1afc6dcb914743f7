#!/usr/bin/env bash
# What a build does on its device: scripts/gpu/check.sh BUILD OUT
#
# Writes to OUT what `unmask doctor` says, the tests labelled gpu, and a tenth of the quickstart with its table. DEVICE=cpu tries the script
# itself on a machine without a GPU. Goes on after a failure and ends with the number of failures.
set -uo pipefail
usage='usage: scripts/gpu/check.sh BUILD OUT'
build=$(cd "${1:?$usage}" && pwd)
out=${2:?$usage}
mkdir -p "$out"
out=$(cd "$out" && pwd)
device=${DEVICE:-cuda}
cd "$(dirname "$0")/../.." || exit
if [ -e "$build/environment.sh" ]; then . "$build/environment.sh"; fi
unmask=$build/bin/unmask
failures=0

# step NAME COMMAND...: runs it with its log in OUT/NAME.log and says how it ended.
step() {
  local name=$1 start=$SECONDS code=0
  shift
  "$@" >"$out/$name.log" 2>&1 || code=$?
  echo "$name: exit $code after $((SECONDS - start)) s"
  if [ "$code" -ne 0 ]; then
    failures=$((failures + 1))
    tail -n 15 "$out/$name.log"
  fi
}

# A tenth of the training and of the attacked images: whether it runs at all, not what it finds.
sed -e 's/"train_count": [0-9]*/"train_count": 300/' -e 's/"epochs": [0-9]*/"epochs": 3/' \
  -e 's/"samples": [0-9]*/"samples": 10/' experiments/quickstart.json >"$out/small.json"

step doctor "$unmask" doctor
grep -i -A4 device "$out/doctor.log" || true
step small "$unmask" run "$out/small.json" --device "$device" --db "$out/small.sqlite"
step small_graphs "$unmask" run "$out/small.json" --device "$device" $([ "$device" = cpu ] || echo --cuda-graphs) --db "$out/small_graphs.sqlite"
step small_table "$unmask" query robustness --db "$out/small.sqlite"
for database in small small_graphs; do
  "$unmask" query failures --db "$out/$database.sqlite" | head -n 20
done
if [ -e "$build/CTestTestfile.cmake" ] && [ -d "$build/tests" ]; then
  step gpu_tests ctest --test-dir "$build" -L gpu --output-on-failure --no-tests=error
fi
echo "check: $failures failures, logs in $out"
exit "$((failures > 0))"
