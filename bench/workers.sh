#!/usr/bin/env bash
# Which split of the processors into workers and threads finishes a study first:
# bench/workers.sh [build/release/bin/unmask]. Prints seconds for each split of two processors, in one run.
set -euo pipefail
cd "$(dirname "$0")/.."
unmask=${1:-build/release/bin/unmask}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for split in "2 1" "1 2" "1 1" "2 2"; do
  read -r workers threads <<<"$split"
  # The quickstart with fewer epochs and smaller attacks: the same kinds of work.
  sed -e 's/"epochs": [0-9]*/"epochs": 2/' -e 's/"pairs": 32/"pairs": 4/' -e "s|^}\$|, \"run\": { \"threads\": $threads } }|" \
    experiments/quickstart.json >"$folder/study.json"
  start=$(date +%s.%N)
  "$unmask" run "$folder/study.json" --db "$folder/$workers-$threads.sqlite" --device cpu --workers "$workers" --progress none 2>/dev/null
  end=$(date +%s.%N)
  printf '%s workers x %s threads: %.1f s\n' "$workers" "$threads" "$(awk "BEGIN { print $end - $start }")"
done
