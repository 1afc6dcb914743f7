#!/usr/bin/env bash
# Fuzzes every parser of bytes that come from elsewhere, one after the other, for SECONDS each.
#
#   tests/fuzz/run.sh SECONDS [TARGET...]
#
# With clang's libFuzzer: instrumented, with AddressSanitizer and UBSan (preset fuzz). Where that is missing, or with
# UNMASK_FUZZ_BUILD naming a folder that was built otherwise (build/ci): changed seeds without coverage. What it learns is
# kept in build/fuzz-corpus, a finding lies in the working folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:?seconds for each parser}
shift
root=$(cd "$here/../.." && pwd)
declare -A program=([frames]=fuzz_plain [manifest]=fuzz_plain [plan]=fuzz_plain
  [cifar]=fuzz_tensors [idx]=fuzz_tensors [safetensors]=fuzz_tensors [schedules]=fuzz_tensors)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(cifar frames idx manifest plan safetensors schedules)
# Files that are read as they are; the dictionaries hold the words of the formats.
more() { [ "$1" != manifest ] || echo "$root/tests/data/manifests/good/masking.json" "$root/experiments/quickstart.json"; }

build=${UNMASK_FUZZ_BUILD:-$root/build/fuzz}
if [ -z "${UNMASK_FUZZ_BUILD:-}" ]; then
  if ! command -v clang > /dev/null || [ ! -e "$(clang -print-file-name=libclang_rt.fuzzer-x86_64.a)" ]; then
    echo "there is no clang with libFuzzer here (Debian: clang libclang-rt-14-dev); set UNMASK_FUZZ_BUILD=build/ci to do without" >&2
    exit 77
  fi
  cmake --preset fuzz --log-level=WARNING -S "$root"
  cmake --build --preset fuzz
fi

for target in "${targets[@]}"; do
  echo "== $target"
  binary=$build/bin/${program[$target]:?there is no such parser}
  if grep -qs '^UNMASK_FUZZ:BOOL=ON' "$build/CMakeCache.txt"; then
    corpus=$root/build/fuzz-corpus/$target
    mkdir -p "$corpus"
    for file in $(more "$target"); do cp "$file" "$corpus"; done
    dictionary=()
    [ ! -e "$here/dictionaries/$target.dict" ] || dictionary=("-dict=$here/dictionaries/$target.dict")
    UNMASK_FUZZ_TARGET=$target ASAN_OPTIONS=detect_leaks=0 OMP_NUM_THREADS=1 "$binary" "${dictionary[@]}" \
      -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 -print_final_stats=1 "$corpus" "$here/seeds/$target"
  else
    # shellcheck disable=SC2046
    OMP_NUM_THREADS=1 "$binary" "$target" --seconds "$seconds" --seed "$RANDOM" "$here/seeds/$target" $(more "$target")
  fi
done
