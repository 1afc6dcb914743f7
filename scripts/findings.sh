#!/usr/bin/env bash
# Makes the tables of docs/findings.md and of the first screen of README.md from a database.
#
#   scripts/findings.sh [DATABASE [PAGE...]]            write the tables again
#   scripts/findings.sh --check [DATABASE [PAGE...]]    compare; exit code 1 and a difference when a page says something else
#   scripts/findings.sh --export DATABASE               keep what the tables need, with every sample, in tests/data/findings
#
# Each table is what the command printed before it answers: a block ```sh ... ``` followed by the lines <!-- table --> and
# <!-- end of table -->. DATABASE holds the studies mnist-solvers, cifar10-small and paper-solvers; it may be compressed (.gz)
# and is the exported one when it is left out. UNMASK names the program, else the newest build is taken.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
kept=$root/tests/data/findings/unmask.sqlite.gz
mode="write"
case "${1:-}" in
  --check | --export) mode=${1#--}; shift ;;
  -*) echo "usage: scripts/findings.sh [--check | --export] [DATABASE [PAGE...]]" >&2; exit 2 ;;
esac
database=${1:-$kept}
pages=("${@:2}")
[ "${#pages[@]}" -gt 0 ] || pages=("$root/docs/findings.md" "$root/README.md")
[ -f "$database" ] || { echo "findings: there is no $database" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/results"
copy=$work/results/unmask.sqlite

if [ "$mode" = export ]; then
  # Everything but curves, values of single samples beside their outcomes, and what names the machine and its folders.
  # The file must fit into a repository; outcomes stay, since worst cases are counted from them.
  sqlite3 -bail "$database" "VACUUM INTO '${copy//\'/\'\'}'"
  sqlite3 -bail "$copy" "
    DELETE FROM series; DELETE FROM sample_metric;
    UPDATE manifest SET file = replace(file, rtrim(file, replace(file, '/', '')), 'experiments/');
    UPDATE run SET argv = '[]', pid = 0;
    UPDATE run_plugin SET file = replace(file, rtrim(file, replace(file, '/', '')), '');
    UPDATE attempt SET log_tail = NULL;
    UPDATE environment SET host = 'removed', json = json_remove(json, '\$.host', '\$.kernel');
    PRAGMA journal_mode = DELETE; VACUUM;" >/dev/null
  mkdir -p "$(dirname "$kept")"
  gzip -9 -n <"$copy" >"$kept"
  ls -l "$kept"
  exit 0
fi

unmask=${UNMASK:-}
if [ -z "$unmask" ]; then
  # shellcheck disable=SC2012  # names of build folders have no line breaks
  unmask=$(ls -t "$root"/build/*/bin/unmask 2>/dev/null | head -n 1 || true)
fi
[ -x "$unmask" ] || { echo "findings: no program; scripts/build.sh release builds it" >&2; exit 2; }
unmask=$(readlink -f "$unmask")
case "$database" in
  *.gz) gzip -dc "$database" >"$copy" ;;
  *) sqlite3 -bail "$database" "VACUUM INTO '${copy//\'/\'\'}'" ;;
esac
"$unmask" db migrate --db "$copy" >/dev/null  # what an older unmask wrote; the copy alone is changed

# The commands of a page find the program by its name and the database where it is by default.
mkdir "$work/bin"
ln -s "$unmask" "$work/bin/unmask"
tables() { # PAGE -> the page with its tables made again
  local line block="" in_block=0 in_table=0
  while IFS= read -r line; do
    if [ "$line" = '<!-- end of table -->' ]; then in_table=0; fi
    if [ "$in_table" = 1 ]; then continue; fi
    printf '%s\n' "$line"
    case "$line" in
      '```sh') block="" in_block=1 ;;
      '```') in_block=0 ;;
      '<!-- table -->')
        in_table=1
        (cd "$work" && PATH=$work/bin:$PATH bash -euc "$block")
        ;;
      *) if [ "$in_block" = 1 ]; then block+=$line$'\n'; fi ;;
    esac
  done <"$1"
}

status=0
for page in "${pages[@]}"; do
  tables "$page" >"$work/page"
  if [ "$mode" = write ]; then
    cmp -s "$work/page" "$page" || cp "$work/page" "$page"
  elif ! diff -u --label "$page" --label "$page, from the database" "$page" "$work/page"; then
    status=1
  fi
done
exit "$status"
