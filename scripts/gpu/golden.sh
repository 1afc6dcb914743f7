#!/usr/bin/env bash
# Networks and solvers on a device against numbers recorded on the CPU, in float64 and float32:
#
#   [DEVICE=cuda:0] scripts/gpu/golden.sh BUILD OUT
#
# BUILD is a build folder with tests (they are built there first, if they are not); logs go to OUT/golden-*.log, and
# a summary to OUT/golden.txt. DEVICE=cpu tries the script itself. What is allowed stands in
# tests/data/golden/models/README.md and in tests/verification/solvers/golden_test.cpp: in float64 the same as on the
# CPU; float32 solvers the same, float32 networks ten times as much, for Winograd's transforms.
set -euo pipefail
build=${1:?usage: golden.sh BUILD OUT}
out=${2:?usage: golden.sh BUILD OUT}
device=${DEVICE:-cuda:0}
mkdir -p "$out"
if [ -e "$build/environment.sh" ]; then
  # shellcheck source=/dev/null
  . "$build/environment.sh"
fi
summary=$out/golden.txt
: >"$summary"

say() { echo "$*" | tee -a "$summary"; }

# Executables of tests lie in BUILD/tests/... or BUILD/bin, as the build has it.
find_test() { find "$build" -type f -name "$1" -perm -u+x -print -quit; }

for test in solver_verification_test model_verification_test; do
  [ -n "$(find_test "$test")" ] || cmake --build "$build" --target "$test" >"$out/golden-build-$test.log" 2>&1 || {
    say "golden: $test could not be built in $build; see $out/golden-build-$test.log (a build folder needs tests)"
    exit 1
  }
done

failed=0
# run NAME TEST FILTER LABEL
run() {
  local log=$out/golden-$1.log status=0 start=$SECONDS
  UNMASK_TEST_DEVICE=$device OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
    "$(find_test "$2")" --gtest_color=no --gtest_filter="$3" >"$log" 2>&1 || status=$?
  local passed wrong
  passed=$(grep -c '^\[       OK \]' "$log") || true
  wrong=$(grep -c '^\[  FAILED  \].* ms)' "$log") || true
  say "golden $4 on $device: $passed passed, $wrong failed, status $status, $((SECONDS - start)) s"
  if [ "$status" -ne 0 ]; then
    failed=1
    grep -E '^\[  FAILED  \]|Failure$|^(Expected|  Actual|The difference)' "$log" | head -20 || true
  fi
}

run solvers solver_verification_test 'SolverGolden.*' 'solvers, float64 and float32'
run models model_verification_test 'Shipped/GoldenModels.*:GoldenModels.*:Gpu.*' 'networks, float64 and float32'
grep -hE 'largest use of the allowance|^\[   kink' "$out"/golden-solvers.log "$out"/golden-models.log | tee -a "$summary" || true
exit "$failed"
