#!/usr/bin/env bash
# Robust accuracy and cost of our attacks and of the published programs, on the same trained networks, in one run:
#
#   AUTOATTACK_DIR=<checkout> FOOLBOX_DIR=<foolbox>:<eagerpy> TORCHATTACKS_DIR=<checkout> \
#     bench/attacks/run.sh [build/release/bin/unmask] [folder]
#
# Trains a ResNet on strokes, naturally and with TRADES (attacks.json), takes the weights into the same network in
# PyTorch, checks that all logits agree, and lets both sides attack the first 500 test samples in turn, one thread each,
# with the same budgets. What only one AutoAttack fools is attacked again by both with other seeds. Ends with status 1 when
# ours then leaves more than one sample standing that the published one fools. About 90 minutes on one core; SAMPLES (500),
# ATTACKS (globs of the names in attacks.json: "*-linf") and NETWORKS ("natural trades") make it shorter.
#
# PYTHON names the interpreter (python3); it needs torch (Debian: python3-torch, the LibTorch that unmask is built with). Programs
# that cannot be imported are skipped with their reason. Foolbox needs two more modules (Debian: python3-git, python3-requests).
# PREFIX, if set, stands before every measured command ("nice -n 15"). Results and lines stay in the second argument, if
# given; a second run in the same folder, with the same SAMPLES, measures only what is missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
unmask=${1:-$here/../../build/release/bin/unmask}
python=${PYTHON:-python3}
read -r -a patterns <<<"${ATTACKS:-*}"
read -r -a networks <<<"${NETWORKS:-natural trades}"
read -r -a prefix <<<"${PREFIX:-}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
folder=${2:-$scratch}
mkdir -p "$folder"
db=$folder/results.sqlite
lines=$folder/lines.jsonl
touch "$lines" "$folder/done.txt"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
study=$folder/attacks.json
sed "s/\"samples\": 500/\"samples\": ${SAMPLES:-500}/" "$here/attacks.json" >"$study"

# ours FILTER...: runs the cells that match.
ours() {
  local filters=() filter
  for filter in "$@"; do filters+=(--only "$filter"); done
  local status=0
  "${prefix[@]}" "$unmask" run "$study" --db "$db" --device cpu --workers 1 --progress none "${filters[@]}" \
    >"$scratch/said" 2>&1 || status=$?
  cat "$scratch/said" >>"$folder/log.txt"
  return "$status"
}

# our_line NAME NETWORK: runs our cell and prints what the whole command took of the processor, children included;
# nothing about a cell that was stored before.
our_line() {
  local TIMEFORMAT='%U %S'
  { time ours "attack=$1,objective=$2"; } 2>"$scratch/time"
  grep -q '^0 cells ran' "$scratch/said" ||
    awk -v start="{\"program\": \"unmask\", \"attack\": \"$1\", \"network\": \"$2\"" \
      '{ printf "%s, \"cpu_s\": %.2f}\n", start, $1 + $2 }' "$scratch/time"
}

# is_known NAME NETWORK: whether both sides had their turn in an earlier run.
is_known() { grep -q "^done $1 $2\$" "$folder/done.txt"; }

python_reason=
if ! said=$("$python" -c 'import torch' 2>&1); then
  python_reason=${said##*$'\n'}
  echo "python side skipped: $python says: ${python_reason:-no reason}"
fi

ours probe=logits
for network in "${networks[@]}"; do our_line clean "$network" >>"$lines"; done
if [ -z "$python_reason" ]; then
  "$python" "$here/python_side.py" --db "$db" --agree
fi

names=$(sed -n 's/^ *"\([a-z-]*-\(linf\|l2\|l1\)\)": *{.*/\1/p' "$here/attacks.json")
for name in $names; do
  chosen=
  for pattern in "${patterns[@]}"; do
    # shellcheck disable=SC2053  # a glob on purpose
    if [[ $name == $pattern ]]; then chosen=yes; fi
  done
  [ -n "$chosen" ] || continue
  for network in "${networks[@]}"; do
    if is_known "$name" "$network"; then continue; fi
    our_line "$name" "$network" >"$scratch/turn"
    if [ -z "$python_reason" ]; then  # reads its settings from the database, so it comes second
      "${prefix[@]}" "$python" "$here/python_side.py" --db "$db" --attack "$name" --network "$network" \
        >>"$scratch/turn" 2>>"$folder/log.txt" || echo "python: $name on $network failed, see log.txt"
    fi
    cat "$scratch/turn" >>"$lines"
    echo "done $name $network" >>"$folder/done.txt"
  done
done
grep -h " skipped: " "$folder/log.txt" | sort -u || true
if [ -z "$python_reason" ]; then
  "${prefix[@]}" "$python" "$here/python_side.py" --db "$db" --again "$lines" --unmask "$unmask" 2>>"$folder/log.txt" ||
    echo "python: attacking again failed, see log.txt"
fi
"$python" "$here/python_side.py" --db "$db" --table "$lines"
