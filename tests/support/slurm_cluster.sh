#!/usr/bin/env bash
# A Slurm cluster of this machine alone, for tests: a controller and some nodes as plain processes on the
# loopback device, without systemd, cgroups, munge or a database. Nothing of it is fit for real work.
#
#   slurm_cluster.sh start FOLDER [NODES]   begin; prints the line that makes Slurm's commands talk to it
#   slurm_cluster.sh node FOLDER n1         begin a node again that was killed
#   slurm_cluster.sh kill FOLDER n1         kill a node with all that runs on it, as a power failure does
#   slurm_cluster.sh stop FOLDER            end the processes that `start` began, and no others
#
# Needs slurmctld, slurmd and Slurm's commands (Debian: slurmctld slurmd slurm-client).
set -euo pipefail
action=${1:?start, node, kill or stop}
mkdir -p "${2:?a folder}"
folder=$(cd "$2" && pwd)
export SLURM_CONF=$folder/slurm.conf

# The process of a pid file, when it is alive and what it should be.
process_of() { # FILE PROGRAM
  local pid
  [ -s "$1" ] || return 1
  pid=$(cat "$1")
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && echo "$pid"
}

environment_of() { { tr '\0' '\n' < "/proc/$1/environ"; } 2>/dev/null || true; }

# Processes of jobs of this cluster, by their environment; of one node when it is named. Who only talks to the
# cluster has the first line, too, but no node.
job_processes() { # [NODE]
  local entry pid text
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    text=$(environment_of "$pid")
    grep -qxF "SLURM_CONF=$SLURM_CONF" <<< "$text" || continue
    grep -q "^SLURMD_NODENAME=${1:-n[0-9]*}$" <<< "$text" || continue
    echo "$pid"
  done
}

# The daemons that watch over jobs; of one node when it is named: those above its jobs.
step_daemons() { # [NODE]
  local pid child
  for pid in $(pgrep -x slurmstepd || true); do
    environment_of "$pid" | grep -qxF "SLURM_CONF=$SLURM_CONF" || continue
    if [ -z "${1:-}" ]; then
      echo "$pid"
      continue
    fi
    for child in $(pgrep -P "$pid" || true); do
      if environment_of "$child" | grep -qxF "SLURMD_NODENAME=$1"; then
        echo "$pid"
        break
      fi
    done
  done
}

write_configuration() { # NODES
  # A range of ports of its own for every cluster of this machine.
  local port=$((20000 + ($$ % 2000) * 10)) host
  host=$(hostname -s)
  mkdir -p "$folder"/state "$folder"/log "$folder"/run
  cat > "$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/none
CredType=cred/none
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/run/controller.pid
SlurmdPidFile=$folder/run/%n.pid
SlurmctldLogFile=$folder/log/controller.log
SlurmdLogFile=$folder/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=10
KillWait=5
MinJobAge=3600
JobRequeue=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
  local i
  for i in $(seq 1 "$1"); do
    echo "NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1 + i)) CPUs=1 State=UNKNOWN"
  done >> "$SLURM_CONF"
}

begin_node() {
  mkdir -p "$folder/spool-$1"
  slurmd -N "$1"
}

case $action in
start)
  nodes=${3:-2}
  write_configuration "$nodes"
  slurmctld -i
  for i in $(seq 1 "$nodes"); do begin_node "n$i"; done
  for _ in $(seq 300); do
    if [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" = "$nodes" ]; then
      echo "export SLURM_CONF=$SLURM_CONF"
      exit 0
    fi
    sleep 0.2
  done
  echo "the cluster did not begin; see $folder/log" >&2
  exit 1
  ;;
node) begin_node "${3:?name of the node}" ;;
kill)
  pids=$(process_of "$folder/run/${3:?name of the node}.pid" slurmd || true)
  pids="$pids $(step_daemons "$3") $(job_processes "$3")"
  for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
  ;;
stop)
  scancel -u "$(id -un)" 2>/dev/null || true
  for _ in $(seq 50); do
    [ -z "$(timeout 2 squeue -h 2>/dev/null || true)" ] && break
    sleep 0.2
  done
  pids=
  for file in "$folder"/run/n*.pid; do pids="$pids $(process_of "$file" slurmd || true)"; done
  pids="$pids $(process_of "$folder/run/controller.pid" slurmctld || true)"
  pids="$pids $(step_daemons) $(job_processes)"
  for pid in $pids; do kill -TERM "$pid" 2>/dev/null || true; done
  for _ in $(seq 50); do
    left=0
    for pid in $pids; do [ ! -d "/proc/$pid" ] || left=1; done
    [ $left = 1 ] || exit 0
    sleep 0.1
  done
  for pid in $pids; do kill -KILL "$pid" 2>/dev/null || true; done
  ;;
*)
  echo "start, node, kill or stop, not $action" >&2
  exit 2
  ;;
esac
