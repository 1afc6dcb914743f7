#!/usr/bin/env bash
# The paper's networks at their own width on CIFAR-10, trained and attacked within a time limit:
#
#   [DEVICE=cuda:0] [WORKERS=4] [SMALL=1] scripts/gpu/paper_width.sh BUILD DATA OUT SECONDS
#
# DATA holds the binary version of CIFAR-10 (data_batch_1.bin ... test_batch.bin). Runs experiments/paper-width.json and
# then paper-width-1000-steps.json. What is not finished after SECONDS is stopped (a training leaves a snapshot), so the
# script ends at most half a minute later. OUT gets paper-width.txt (tables), paper-width.log and
# paper-width.tar.gz.part-NN, pieces of at most 15 MiB with the database and checkpoints. The next call takes such pieces
# from RESUME, a folder, and runs what is missing. SMALL=1 takes tiny networks, few images and full precision, which also
# a CPU can do.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage="usage: paper_width.sh BUILD DATA OUT SECONDS"
build=${1:?$usage}
data=${2:?$usage}
out=${3:?$usage}
seconds=${4:?$usage}
device=${DEVICE:-cuda:0}
unmask=$build/bin/unmask
log=$out/paper-width.log
table=$out/paper-width.txt
mkdir -p "$out"
if [ -e "$build/environment.sh" ]; then
  # shellcheck source=/dev/null
  . "$build/environment.sh"
fi
: >"$log"
: >"$table"
start=$SECONDS
worst=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
db=$work/results/paper-width.sqlite
mkdir -p "$work/results"
CIFAR10_DIR=$(cd "$data" && pwd)
export CIFAR10_DIR

if [ -n "${RESUME:-}" ]; then
  cat "$RESUME"/paper-width.tar.gz.part-* | tar -xzf - -C "$work"
  echo "paper width: goes on from $RESUME"
fi

experiments=$(cd "$here/../../experiments" && pwd)
studies=("$experiments/paper-width.json" "$experiments/paper-width-1000-steps.json")
if [ -n "${SMALL:-}" ]; then
  small='"define": {
    "dataset": { "cifar10": { "params": { "train_limit": 256, "test_limit": 10 } } },
    "model": { "so_resnet": { "params": { "channels": 8 } }, "resnet10": { "params": { "channels": 8 } } },
    "objective": { "short": { "params": { "epochs": 1, "precision": "full" } } },
    "attack": { "paper-pgd-linf-20": { "params": { "steps": 2 } }, "paper-pgd-linf-1000": { "params": { "steps": 4 } },
                "pgd-margin-100": { "params": { "steps": 2 } }, "spsa-short": { "params": { "steps": 1, "pairs": 2 } },
                "cw-linf-short": { "params": { "steps": 2 } } } },
  "evaluate": { "samples": 10, "batch_size": 5 }'
  for i in 0 1; do
    name=$(basename "${studies[$i]}" .json)
    printf '{ "version": 1, "name": "%s", "extends": ["%s"],\n  %s }\n' "$name" "${studies[$i]}" "$small" >"$work/$name.json"
    studies[i]=$work/$name.json
  done
fi

# The first SIGINT lets running cells end, the second stops them: trainings leave snapshots.
run() {
  local left=$((seconds - (SECONDS - start)))
  if [ "$left" -lt 5 ]; then
    echo "paper width: no time left for $(basename "$1")"
    return
  fi
  local status=0
  timeout -s INT -k 10 "$((left + 8))" timeout -s INT "$left" \
    "$unmask" run "$1" --device "$device" --workers "${WORKERS:-4}" --db "$db" --progress plain >>"$log" 2>&1 || status=$?
  echo "paper width: $(basename "$1") ended with status $status after $((SECONDS - start)) s"
  # 124: stopped when its time was over.
  if [ "$status" -ne 0 ] && [ "$status" -ne 124 ]; then
    worst=$status
    tail -n 5 "$log"
  fi
}
for study in "${studies[@]}"; do run "$study"; done

if [ -e "$db" ]; then
  for query in accuracy failures cost; do
    {
      echo "== $query"
      "$unmask" query "$query" --db "$db" || true
    } >>"$table" 2>&1
  done
  "$unmask" query "SELECT model, attack, gradient, n, round(100 * robust_accuracy, 1) AS accuracy FROM accuracy
    ORDER BY model DESC, n DESC, attack, gradient" --db "$db" 2>>"$log" | tee -a "$table" || true
fi

# Snapshots of unfinished trainings hold the optimiser's state too: they come along where there is room.
pack() { tar -czf - -C "$work" "$@" results | split -d -b 15M - "$out/paper-width.tar.gz.part-"; }
rm -f "$out"/paper-width.tar.gz.part-*
pack
if [ "$(du -cm "$out"/paper-width.tar.gz.part-* | tail -n 1 | cut -f 1)" -gt 58 ]; then
  rm -f "$out"/paper-width.tar.gz.part-*
  pack --exclude=unfinished
  echo "paper width: snapshots of unfinished trainings were too large to be kept"
fi
echo "paper width: $(find "$out" -name 'paper-width.tar.gz.part-*' | wc -l) pieces in $out, $((SECONDS - start)) s in all"
exit "$worst"
