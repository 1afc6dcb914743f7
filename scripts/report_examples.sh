#!/usr/bin/env bash
# The studies whose reports tests open: scripts/report_examples.sh NAME DATABASE
#
# Packs a finished study as tests/data/report/NAME.tar.xz, without weights and without what names the machine and its folders,
# and of kept images those of attacks that fooled something. NAME quickstart is experiments/quickstart.json (ten minutes of two cores),
# gradients is tests/report/gradients.json (two minutes).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 2 ] || { echo "usage: scripts/report_examples.sh NAME DATABASE" >&2; exit 2; }
name=$1
database=$2
[ -f "$database" ] || { echo "report_examples: there is no $database" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/$name.sqlite

sqlite3 -bail "$database" "VACUUM INTO '${copy//\'/\'\'}'"
sqlite3 -bail "$copy" "
  UPDATE manifest SET file = replace(file, rtrim(file, replace(file, '/', '')), '');
  UPDATE run SET argv = '[\"unmask\",\"run\",\"$name.json\"]', pid = 0;
  UPDATE run_plugin SET file = replace(file, rtrim(file, replace(file, '/', '')), '');
  UPDATE attempt SET log_tail = NULL;
  UPDATE environment SET host = 'removed', json = json_remove(json, '\$.host', '\$.kernel');
  DELETE FROM adversarials WHERE cell_id NOT IN (SELECT cell_id FROM attack_effort WHERE n_fooled > 0);
  PRAGMA journal_mode = DELETE; VACUUM;" >/dev/null
files=("$name.sqlite")
if [ -d "$(dirname "$database")/adversarials" ]; then
  mkdir "$work/adversarials"
  while read -r file; do
    cp "$(dirname "$database")/adversarials/$file" "$work/adversarials/"
    files+=("adversarials/$file")
  done < <(sqlite3 "$copy" "SELECT path FROM adversarials ORDER BY path")
fi
mkdir -p "$root/tests/data/report"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - "${files[@]}" | xz -9e >"$root/tests/data/report/$name.tar.xz"
ls -l "$root/tests/data/report/$name.tar.xz"
