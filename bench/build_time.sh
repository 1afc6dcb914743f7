#!/usr/bin/env bash
# How long a build from nothing takes, without compiler cache: bench/build_time.sh [PRESET] (default: release, what users build).
# Prints wall and processor time and the ten steps that took longest. Run it on an idle machine.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake --preset "$preset" -B "$folder" --log-level=WARNING -DCMAKE_CXX_COMPILER_LAUNCHER=
time cmake --build "$folder" >"$folder/build.log"
echo "longest steps [s]:"
awk -F'\t' '!/^#/ { printf "%6.1f  %s\n", ($2 - $1) / 1000, $4 }' "$folder/.ninja_log" | sort -rn | head -10
