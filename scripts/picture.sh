#!/usr/bin/env bash
# The picture of a report that README shows: scripts/picture.sh [DATABASE]
#
# Writes docs/pictures/report.png, the top of the report of DATABASE (results/unmask.sqlite, which the quickstart makes). Needs
# chromium (scripts/setup.sh --browser). UNMASK names the program, else the newest build is taken.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
database=${1:-$root/results/unmask.sqlite}
# shellcheck disable=SC2012  # names of build folders have no line breaks
unmask=${UNMASK:-$(ls -t "$root"/build/*/bin/unmask 2>/dev/null | head -n 1 || true)}
[ -x "$unmask" ] || { echo "picture: no program; scripts/build.sh release builds it" >&2; exit 2; }
browser=$(command -v chromium || command -v chromium-browser) || { echo "picture: no chromium; scripts/setup.sh --browser installs it" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$unmask" report --db "$database" --out "$work/report.html" >/dev/null
"$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" --window-size=1280,1060 \
  --virtual-time-budget=5000 --screenshot="$work/report.png" "file://$work/report.html" >/dev/null 2>&1
mkdir -p "$root/docs/pictures"
mv "$work/report.png" "$root/docs/pictures/report.png"
ls -l "$root/docs/pictures/report.png"
