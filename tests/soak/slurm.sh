#!/usr/bin/env bash
# A study of 45 cells on a Slurm cluster of this machine alone, while things go wrong: a node is killed with its
# job, a task is put into the queue again, a shard runs twice, a shard is missing and is sent again. The merged
# database must be that of a single run. Takes some ten minutes on two processors.
#
#   tests/soak/slurm.sh PATH/TO/unmask [FOLDER]
set -euo pipefail
unmask=$(realpath "${1:?the program}")
here=$(cd "$(dirname "$0")/../support" && pwd)
work=${2:-$(mktemp -d)}
mkdir -p "$work"
cd "$work"
export TMPDIR=$work/tmp
mkdir -p tmp

for program in slurmctld slurmd sbatch; do
  command -v $program > /dev/null || { echo "SKIPPED: there is no $program (Debian: slurmctld slurmd slurm-client)"; exit 77; }
done
say() { echo "[$(date +%T)] $*"; }

cat > study.json <<'END'
{ "version": 1, "name": "soak",
  "define": {
    "dataset": { "strokes": { "plugin": "strokes", "params": { "train_count": 200, "test_count": 40 } } },
    "model": { "plain": { "plugin": "resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } },
               "ode": { "plugin": "so_resnet", "params": { "channels": 8, "blocks": [1], "strides": [2] } } },
    "objective": { "natural": { "plugin": "cross_entropy", "params": { "epochs": 10, "batch_size": 20, "learning_rate": 0.05 } } },
    "solver": { "rk4": { "plugin": "rk4" }, "bosh3": { "plugin": "bosh3", "params": { "rtol": 0.1, "atol": 0.1 } } },
    "attack": { "pgd": { "plugin": "pgd", "params": { "steps": 3, "step_size": "${epsilon}/2" } },
                "noise": { "plugin": "random_noise", "params": { "repeats": 3 } } },
    "probe": { "norms": { "plugin": "gradient_norm" } } },
  "train": { "matrix": { "dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["bosh3"], "seed": [0, 1, 2] } },
  "evaluate": { "samples": 20, "batch_size": 10, "save": "adversarials",
    "matrix": { "checkpoint": ["*"], "solver": ["@train", "rk4"], "attack": ["*"], "epsilon": ["8/255"], "seed": [0],
                "clean": true, "probes": ["norms"] } }
}
END

# All that results are; no times, attempts or machines.
results() {
  local database=$1 sql
  for sql in \
    "SELECT study, kind, model, train_seed, solver, method, norm, place, key, state FROM cells ORDER BY place" \
    "SELECT c.key, k.sha256, k.bytes FROM checkpoint k JOIN cell c ON c.id = k.cell_id ORDER BY 1" \
    "SELECT c.key, k.sha256, k.bytes FROM adversarials k JOIN cell c ON c.id = k.cell_id ORDER BY 1" \
    "SELECT c.key, o.sample, o.label, o.state, o.clean_prediction, o.prediction, o.distance, o.queries, o.passes FROM sample_outcome o JOIN cell c ON c.id = o.cell_id ORDER BY 1, 2" \
    "SELECT c.key, m.name, m.value, m.flag, m.n FROM metric m JOIN cell c ON c.id = m.cell_id ORDER BY 1, 2" \
    "SELECT c.key, m.sample, m.name, m.value, m.flag FROM sample_metric m JOIN cell c ON c.id = m.cell_id ORDER BY 1, 2, 3" \
    "SELECT c.key, s.name, s.step, s.value FROM series s JOIN cell c ON c.id = s.cell_id WHERE s.name <> 'images_per_s' ORDER BY 1, 2, 3" \
    "SELECT c.key, s.phase, s.solve, s.solves, s.nfe_total, s.accepted, s.rejected, s.step_min, s.step_max FROM solve_stats s JOIN cell c ON c.id = s.cell_id ORDER BY 1, 2, 3" \
    "SELECT c.key, a.forwards, a.backwards, a.nfe FROM attempt a JOIN cell c ON c.id = a.cell_id WHERE a.state = 'done' ORDER BY 1" \
    "SELECT model, train_seed, solver, judgement, sentence FROM verdict ORDER BY 1, 2, 3"; do
    "$unmask" query "$sql" --db "$database" --format csv
  done
}

say "a single run"
"$unmask" run study.json --db single/unmask.sqlite --progress none
results single/unmask.sqlite > single.csv
cells=$("$unmask" query "SELECT count(*) FROM cells" --db single/unmask.sqlite --format csv | tail -1)
[ "$cells" -ge 40 ] || { echo "only $cells cells" >&2; exit 1; }

say "a cluster of two nodes"
eval "$("$here/slurm_cluster.sh" start "$work/cluster" 2)"
trap '"$here/slurm_cluster.sh" stop "$work/cluster"' EXIT

wait_until() { # WHAT COMMAND...: at most ten minutes
  local what=$1
  shift
  for _ in $(seq 3000); do
    if "$@"; then return 0; fi
    hurry
    sleep 0.2
  done
  echo "waited too long for: $what" >&2
  squeue >&2
  exit 1
}
has_begun() { grep -qs "ran\|train\|attack" "plan/logs/shard-$1.log"; }
node_of() { squeue -h -r -t R -o "%K %N" | awk -v task="$1" '$1 == task { print $2 }'; }
runs() { [ -n "$(node_of "$1")" ]; }
# A task that was put into the queue again waits two minutes by default; not here.
hurry() { for job in $(squeue -h -r -t PD -o "%F_%K %r" | awk '$2 == "BeginTime" { print $1 }'); do scontrol update jobid="$job" StartTime=now 2> /dev/null || true; done; }
queue_is_empty() { [ -z "$(squeue -h)" ]; }

echo '{"partition": "main", "cpus_per_task": 1, "max_requeues": 5}' > site.json
"$unmask" submit study.json --shards 6 --folder plan --db merged/unmask.sqlite --profile site.json --workers 1 > jobs
read -r array merge < jobs
say "array $array, merge $merge"

wait_until "the first task" runs 1
wait_until "its first cell" has_begun 1
node=$(node_of 1)
say "kills node $node with task 1"
"$here/slurm_cluster.sh" kill "$work/cluster" "$node"
scontrol update nodename="$node" state=down reason=soak
"$here/slurm_cluster.sh" node "$work/cluster" "$node"
scontrol update nodename="$node" state=resume 2> /dev/null || true

wait_until "the third task" runs 3
say "puts task 3 into the queue again"
scontrol requeue "${array}_3"

say "runs shard 2 a second time, by hand"
bash plan/task.sh 2 > twice.log 2>&1

wait_until "the end of the array and the merge" queue_is_empty
results merged/unmask.sqlite > merged.csv
cmp single.csv merged.csv
again=0
for log in plan/logs/shard-*.log; do
  [ "$(grep -c "shard ./6 of" "$log")" -lt 2 ] || again=$((again + 1))
done
say "merged equals single; $again tasks began again"
[ "$again" -ge 2 ] || { echo "the node or the queue was too slow to be caught: nothing was tried" >&2; exit 1; }

say "a shard vanishes and is sent again"
rm plan/shards/shard-4-of-6-*.sqlite
rm -r merged
"$unmask" submit --missing plan --dry-run 2> missing.txt || true
grep -q "in 1 shard" missing.txt
"$unmask" submit --missing plan
wait_until "the second array and its merge" queue_is_empty
results merged/unmask.sqlite > again.csv
cmp single.csv again.csv
"$unmask" query "SELECT a.state, count(*) AS attempts FROM attempt a GROUP BY 1" --db merged/unmask.sqlite
say "OK: $cells cells; a node killed, a task queued again, a shard twice, a shard sent again: merged equals single"
