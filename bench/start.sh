#!/usr/bin/env bash
# What the commands that compute nothing cost, with an empty memory and with a filled one:
# bench/start.sh [build/release/bin/unmask]. Needs a finished quickstart for the last row; makes one when --db of
# it is not given: bench/start.sh UNMASK DATABASE.
set -euo pipefail
cd "$(dirname "$0")/.."
unmask=${1:-build/release/bin/unmask}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
database=${2:-$folder/quickstart.sqlite}
manifest=experiments/quickstart.json
export UNMASK_CACHE_DIR=$folder/memory
[ -e "$database" ] || "$unmask" run "$manifest" --db "$database" --progress none

measure() { # NAME COMMAND...
  local name=$1 TIMEFORMAT='%R s wall, %U s user, %S s system'
  shift
  rm -rf "$UNMASK_CACHE_DIR"
  printf '%-16s first   ' "$name"
  time "$@" >/dev/null 2>&1
  for _ in 1 2 3; do
    printf '%-16s again   ' "$name"
    time "$@" >/dev/null 2>&1
  done
}
measure 'plugins list' "$unmask" plugins list
measure check "$unmask" check "$manifest"
measure plan "$unmask" plan "$manifest" --db "$database"
measure 'run, no-op' "$unmask" run "$manifest" --db "$database" --progress none
