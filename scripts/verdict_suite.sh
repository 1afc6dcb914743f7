#!/usr/bin/env bash
# Judges classifiers whose truth is known and compares.
#
#   scripts/verdict_suite.sh FOLDER [--budget quick|standard|thorough] [--seed N] [--db FILE] [--workers N]
#
# FOLDER holds truth.json, TorchScript files and images:
#   { "images": FILE, "n": COUNT, "norm": "linf", "eps": [RADIUS, ...],
#     "models": [ { "name": NAME, "file": FILE, "accept": ["masked" | "honest_weak" | "robust", ...],
#                   "judge_eps": [RADIUS, ...] (only these; default: all of "eps"),
#                   "adaptive": { RADIUS: percent that the best known attack leaves } }, ... ] }
# A model is right when it is judged "masked" and its truth is masked, or "not detected" and its truth is honest_weak
# or robust, and when its worst case lies at most 10 points above "adaptive" at every judged radius. The truth is
# compared with; nothing of it but the radii reaches the judge. Prints a line for each model and a confusion table; while
# it works, each verdict on standard error. --db keeps the evidence, and what it holds already does not run again.
# Exit code: 0 all are right, 1 some are not, 2 usage. UNMASK names the program, else the newest build is taken.
set -euo pipefail

usage() {
  echo "usage: scripts/verdict_suite.sh FOLDER [--budget quick|standard|thorough] [--seed N] [--db FILE] [--workers N]" >&2
  exit 2
}

folder="" budget=standard db="" more=()
while [ $# -gt 0 ]; do
  case "$1" in
    --budget) [ $# -ge 2 ] || usage; budget=$2; shift 2 ;;
    --db) [ $# -ge 2 ] || usage; db=$2; shift 2 ;;
    --workers|--seed) [ $# -ge 2 ] || usage; more+=("$1" "$2"); shift 2 ;;
    -*) usage ;;
    *) [ -z "$folder" ] || usage; folder=$1; shift ;;
  esac
done
[ -n "$folder" ] || usage
[ -f "$folder/truth.json" ] || { echo "verdict_suite: there is no $folder/truth.json" >&2; exit 2; }
command -v sqlite3 >/dev/null || { echo "verdict_suite: sqlite3 is missing; scripts/setup.sh installs it" >&2; exit 2; }

root=$(cd "$(dirname "$0")/.." && pwd)
unmask=${UNMASK:-}
if [ -z "$unmask" ]; then
  unmask=$(ls -t "$root"/build/*/bin/unmask 2>/dev/null | head -n 1 || true)
fi
[ -n "$unmask" ] && [ -x "$unmask" ] || { echo "verdict_suite: no program; scripts/build.sh release builds it" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -n "$db" ] || db=$work/suite.sqlite

# One question about truth.json (table t, column j) and the answers (table answer). Paths are data here: quotes doubled.
quote() { printf "'%s'" "${1//\'/\'\'}"; }
ask() { sqlite3 -batch -noheader -separator $'\t' "$work/answers.sqlite" "$1"; }
ask "CREATE TABLE t AS SELECT CAST(readfile($(quote "$folder/truth.json")) AS TEXT) AS j;
     CREATE TABLE model AS SELECT m.key AS place, m.value AS j FROM t, json_each(t.j, '\$.models') m;
     CREATE TABLE answer (place INTEGER, j TEXT, seconds REAL, cpu REAL);"
images=$(ask "SELECT json_extract(j, '\$.images') FROM t")
norm=$(ask "SELECT coalesce(json_extract(j, '\$.norm'), 'linf') FROM t")
samples=$(ask "SELECT coalesce(json_extract(j, '\$.n'), 200) FROM t")

export LC_ALL=C
TIMEFORMAT='%U %S'
while IFS=$'\t' read -r place file radii; do
  start=$(date +%s)
  status=0
  # `time` counts the worker processes, too: unmask waits for them.
  { time "$unmask" judge "$folder/$file" --data "$folder/$images" --epsilon "$radii" --norm "$norm" --samples "$samples" \
    --budget "$budget" --db "$db" --format json --progress none "${more[@]}" </dev/null >"$work/answer.json" 2>"$work/errors.txt" \
    || status=$?; } 2>"$work/time.txt"
  if [ "$status" -gt 1 ] || [ ! -s "$work/answer.json" ]; then
    echo "verdict_suite: $file could not be judged:" >&2
    cat "$work/errors.txt" >&2
    echo '{"judgement": "no answer", "radii": [], "verdicts": []}' >"$work/answer.json"
  fi
  read -r user_s system_s <"$work/time.txt"
  ask "INSERT INTO answer VALUES ($place, CAST(readfile($(quote "$work/answer.json")) AS TEXT), $(($(date +%s) - start)),
    $user_s + $system_s)"
  ask "SELECT printf('%-22s %s, in %d s (%.0f s of processors)', json_extract(m.j, '\$.name'),
         json_extract(a.j, '\$.judgement'), a.seconds, a.cpu)
       FROM answer a JOIN model m ON m.place = a.place WHERE a.place = $place" >&2
done < <(ask "SELECT m.place, json_extract(m.j, '\$.file'),
    (SELECT group_concat(value, ',') FROM json_each(coalesce(json_extract(m.j, '\$.judge_eps'), json_extract(t.j, '\$.eps'))))
  FROM model m, t ORDER BY m.place")

# expected: what accepted truths stand for. worst: percent at each judged radius, beside the best known attack.
ask "CREATE TABLE worst AS
  SELECT a.place, json_extract(r.value, '\$.epsilon') AS epsilon, 100 * json_extract(r.value, '\$.worst_case') AS found,
    (SELECT d.value FROM json_each(m.j, '\$.adaptive') d
     WHERE abs(CAST(d.key AS REAL) - json_extract(r.value, '\$.epsilon')) < 1e-9) AS adaptive
  FROM answer a JOIN model m ON m.place = a.place, json_each(a.j, '\$.radii') r;
CREATE TABLE result AS
  SELECT a.place, json_extract(m.j, '\$.name') AS name, json_extract(a.j, '\$.judgement') AS judgement,
    (SELECT group_concat(DISTINCT iif(e.value = 'masked', 'masked', 'not detected'))
     FROM json_each(m.j, '\$.accept') e) AS expected,
    EXISTS (SELECT 1 FROM json_each(m.j, '\$.accept') e
            WHERE iif(e.value = 'masked', 'masked', 'not detected') = json_extract(a.j, '\$.judgement')) AS is_right,
    (SELECT count(*) FROM worst w WHERE w.place = a.place)
      = json_array_length(coalesce(json_extract(m.j, '\$.judge_eps'), json_extract(t.j, '\$.eps')))
      AND NOT EXISTS (SELECT 1 FROM worst w WHERE w.place = a.place AND w.found > w.adaptive + 10 + 1e-9) AS is_broken,
    (SELECT group_concat(printf('%g: %.1f (%s)', epsilon, found, iif(adaptive IS NULL, 'unknown', printf('%.1f', adaptive))), ', ') FROM worst w WHERE w.place = a.place) AS worst,
    coalesce((SELECT group_concat(DISTINCT json_extract(r.value, '\$.rule'))
     FROM json_each(a.j, '\$.verdicts') v, json_each(v.value, '\$.rules') r
     WHERE json_extract(r.value, '\$.state') = 'decides'),
     (SELECT 'symptoms ' || group_concat(DISTINCT json_extract(r.value, '\$.rule'))
     FROM json_each(a.j, '\$.verdicts') v, json_each(v.value, '\$.rules') r
     WHERE json_extract(r.value, '\$.state') = 'symptom'), 'no rule') AS rules,
    a.seconds, a.cpu
  FROM answer a JOIN model m ON m.place = a.place, t;"
echo "model, verdict, expected; worst case in percent at each radius (best known attack); rules that decided"
ask "SELECT printf('%-5s %-22s %-22s expected %s; %s%s; %s; %d s', iif(is_right AND is_broken, 'right', 'WRONG'), name, judgement,
  expected, worst, iif(is_broken, '', iif(worst IS NULL, 'no worst case', ' MORE THAN 10 POINTS ABOVE')), rules, seconds) FROM result ORDER BY place"
echo
ask "SELECT printf('%-14s %8s %8s %13s %13s %10s', 'truth', 'masked', 'suspect', 'not detected', 'insufficient', 'no answer');
  SELECT printf('%-14s %8d %8d %13d %13d %10d', expected, sum(judgement = 'masked'), sum(judgement = 'suspect'),
    sum(judgement = 'not detected'), sum(judgement = 'insufficient evidence'), sum(judgement = 'no answer'))
  FROM result GROUP BY expected ORDER BY expected;
  SELECT printf('%d of %d verdicts are right, %d of %d worst cases are close enough; %d s (%.0f s of processors)', sum(is_right),
    count(*), sum(is_broken), count(*), sum(seconds), sum(cpu)) FROM result"
[ "$(ask "SELECT count(*) > 0 AND min(is_right AND is_broken) FROM result")" = 1 ]
