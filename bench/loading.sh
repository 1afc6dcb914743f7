#!/usr/bin/env bash
# What it takes to read CIFAR-10, against Pillow and NumPy on the same files in one run:
#
#   bench/loading.sh DATA [build/release/bin/bench_loading]
#
# DATA holds cifar10-jpeg/{train,test}/CLASS/*.jpg and cifar-10-batches-bin/*.bin. Both sides take turns, ROUNDS (3) times,
# after all files were read once, so that none pays for the disk; the median counts. "first" begins without any cache, hashes
# and decodes all images and keeps them; "again" finds them kept. On our side each use is two processes, as in a run: the
# one that asks for the hash, and the one that loads. Neither side's figure has the start of its process. Python decodes with one
# thread and with two; ours with one for each processor, at most 4 (PREFIX="taskset -c 0,1" makes that two for everybody).
# Needs python3-pil and python3-numpy, else that side is skipped and said to be; PYTHON names another interpreter.
set -euo pipefail
data=${1:?usage: bench/loading.sh DATA [bench_loading]}
here=$(cd "$(dirname "$0")" && pwd)
bench=${2:-$here/../build/release/bin/bench_loading}
rounds=${ROUNDS:-3}
read -r -a prefix <<<"${PREFIX:-}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
lines=$folder/lines.jsonl
declare -A place=([image_folder]=$data/cifar10-jpeg [cifar10]=$data/cifar-10-batches-bin)

[ -x "$bench" ] || { echo "loading: $bench is not there; build it, or name it behind DATA" >&2; exit 2; }
plugins=()
for plugin in image_folder cifar10; do
  if [ -d "${place[$plugin]}" ]; then plugins+=("$plugin"); else echo "$plugin skipped: ${place[$plugin]} is not there"; fi
done
[ "${#plugins[@]}" -gt 0 ] || { echo "loading: $data has nothing to read" >&2; exit 2; }
python=
for candidate in ${PYTHON:-python3 /usr/bin/python3}; do
  if "$candidate" -c 'import numpy, PIL' 2>/dev/null; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  echo "python side skipped: no interpreter with Pillow and NumPy (Debian: python3-pil, python3-numpy); PYTHON names one"
fi

# note SIDE PLUGIN USE ROUND: adds to the line of JSON that it reads whose it is.
note() {
  sed "s/^{/{\"side\": \"$1\", \"plugin\": \"$2\", \"use\": \"$3\", \"round\": $4, /" >>"$lines"
}
ours() { # PLUGIN USE ROUND
  for step in hash load; do
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "${prefix[@]}" "$bench" "$1" "${place[$1]}" "$folder/ours" "$step" | note unmask "$@"
  done
}
theirs() { # THREADS PLUGIN USE ROUND
  [ -n "$python" ] || return 0
  "${prefix[@]}" "$python" "$here/loading/python_side.py" "$3" "$2" "${place[$2]}" "$folder/theirs" "$1" |
    note "Python, threads: $1" "${@:2}"
}

for plugin in "${plugins[@]}"; do
  find "${place[$plugin]}" -type f -exec cat {} + >/dev/null
  for ((round = 0; round < rounds; ++round)); do
    rm -rf "$folder/ours" "$folder/theirs"
    for use in first again; do ours "$plugin" "$use" "$round"; done
    for threads in 1 $([ "$plugin" = cifar10 ] || echo 2); do
      rm -rf "$folder/theirs"
      for use in first again; do theirs "$threads" "$plugin" "$use" "$round"; done
    done
  done
done
"${python:-/usr/bin/python3}" "$here/loading/python_side.py" table "$lines" || cat "$lines"
