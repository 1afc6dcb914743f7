#!/usr/bin/env python3
"""Runs every hostile plugin that the tests have beside innocent ones and looks whether only itself is harmed.

  cmake --build build/ci --target unmask_zoo
  tests/soak/zoo.py build/ci [--only PATTERN] [--workers 2] [--folder DIR]

One study for each kind of plugin. Each mode of a hostile plugin must end as the table below says; every innocent cell
must be done with the bits of a run without hostile ones; the host must stay below 512 MiB; logs must stay bounded; no
process and no file may be left. Exit code 0: all of that holds.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

HOST_LIMIT_KIB = 512 << 10
LOG_LIMIT_BYTES = 48 << 20  # 16 MiB of a cell and of what a file held before, for two workers, and some room
WORKER_ADDRESS_SPACE = 6 << 30  # where the memory of the machine ends for the memory bombs

CRASH, TIMEOUT, OOM, INVALID, ERROR, DONE = "crash", "timeout", "oom", "invalid", "plugin_error", "done"
# Data that are not what data must be are wrong input: the run ends with 3 before its first cell and names them.
REFUSED = "refused"

EXPECTED = {
    "attack": {
        CRASH: "segfault abort terminate exit exit_at_once exit_quickly stack trap closes_all closes_host shuts_host"
               " garbage no_json no_message endless_frame heavy_frame born_crash born_crash_in_worker born_exit"
               " dies_crash_in_worker",
        TIMEOUT: "hang hang_deaf hang_blocked deadlock stopped orphan born_hang_in_worker dies_hang_in_worker",
        OOM: "memory memory_of_tensors",
        INVALID: "nan infinite one_nan logits_nan",
        ERROR: "nothing shape too_few too_many double integers booleans complex sparse throw throw_number throw_text"
               " throw_null throw_torch huge_message odd_message note_twice note_longer note_of_nothing"
               " note_odd_name note_no_name note_of_the_host note_check note_accuracy notes_many logits_shape"
               " rows_beyond rows_negative born_throw_number",
        DONE: "good with_gradient strided expanded other_order outside_ball outside_box flood odd_log rounding"
              " small_numbers traps locale default_type threads_wished no_gradients inference seed folder signals"
              " few_files variables writes_images writes_labels writes_logits thread fork child stray reads_host"
              " note_not_finite notes_vary born_prints logits_outside",
        # The crash comes a moment later, so it meets the cell or the idle worker.
        (CRASH, DONE): "thread_crashes",
        # LibTorch says so in words alone, and through a plugin: they are believed, and tried once more.
        (OOM, ERROR): "says_memory"},
    "dataset": {
        CRASH: "asked_crash asked_exit hash_crash load_crash",
        TIMEOUT: "asked_hang",  # after two minutes: reading a large data set is no hang
        ERROR: "asked_number hash_number hash_odd",
        REFUSED: "load_nothing load_few load_unequal load_shape load_nan load_range labels_beyond labels_negative"
                 " labels_real",
        DONE: "good"},
    "objective": {
        CRASH: "crash_late",
        INVALID: "nan_late infinite explodes",
        ERROR: "vector nothing constant integer detached throws_number",
        DONE: "good writes_images"},
    "model": {
        CRASH: "born_crash",
        INVALID: "nan nan_weights nan_judged",
        ERROR: "more_classes one_class flat three_axes integers detached nothing throws_late",
        DONE: "good double random counts grows writes_images writes_weights"},
    "probe": {
        CRASH: "crash",
        ERROR: "twice name_of_the_host name_of_a_mean accuracy varies longer complex",
        DONE: "good nan none writes_images"},
    "solver": {
        CRASH: "born_crash crash exit abort",
        TIMEOUT: "hang",
        INVALID: "nan error_nan error_huge failure",
        ERROR: "born_throw_number no_order no_controller nothing undefined components shape flat double integers"
               " error_missing error_shape stages throws_number writes_state writes_derivative asks_wrong_shape",
        DONE: "good error_none detached kept_negative prints"},
}
PLUGIN = {"attack": "misbehave", "dataset": "hostile_data", "objective": "hostile_loss", "model": "hostile_net",
          "probe": "hostile_probe", "solver": "hostile_solver"}
# Which column of the view `cells` names the definition.
COLUMN = {"attack": "method", "probe": "method", "dataset": "dataset", "objective": "objective", "model": "model", "solver": "train_solver"}


def study(kind, hows):
    hostile = {}
    for how in hows:
        hostile["bad_" + how] = {"plugin": PLUGIN[kind], "params": {"how": how}}
        if kind == "attack" and how in EXPECTED["attack"][TIMEOUT].split():
            hostile["bad_" + how]["timeout"] = "4s"
    define = {
        "dataset": {"strokes": {"plugin": "strokes", "params": {"train_count": 40, "test_count": 20}}},
        "model": {"linear": {"plugin": "linear"}},
        "objective": {"natural": {"plugin": "cross_entropy", "params": {"epochs": 1, "batch_size": 20}}},
        "solver": {"euler": {"plugin": "euler"}},
        "attack": {"pgd": {"plugin": "pgd", "params": {"steps": 3, "step_size": "${epsilon}/2"}},
                   "noise": {"plugin": "random_noise", "params": {"repeats": 3}}},
        "probe": {"norms": {"plugin": "gradient_norm"}}}
    define[kind].update(hostile)
    limits = {}
    if kind == "solver":
        define["model"]["ode"] = {"plugin": "odenet", "params": {"channels": 8, "blocks": 1}}
        limits = {"timeout": "20s"}  # a solver has none of its own
    return {
        "version": 1, "name": "zoo", "define": define, "run": limits,
        "train": {"matrix": {"dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["*"], "seed": [0]}},
        "evaluate": {"samples": 20, "batch_size": 10,
                     "matrix": {"checkpoint": ["*"], "solver": ["@train"], "attack": ["*"], "epsilon": ["8/255"],
                                "seed": [0], "clean": True, "probes": ["*"]}}}


RESULTS = [
    "SELECT c.key, k.sha256 FROM checkpoint k JOIN cell c ON c.id = k.cell_id ORDER BY 1",
    "SELECT c.key, o.sample, o.label, o.state, o.clean_prediction, o.prediction, o.distance, o.queries, o.passes"
    " FROM sample_outcome o JOIN cell c ON c.id = o.cell_id ORDER BY 1, 2",
    "SELECT c.key, m.name, m.value, m.flag, m.n FROM metric m JOIN cell c ON c.id = m.cell_id ORDER BY 1, 2",
]


def rows(folder, sql):
    database = sqlite3.connect(f"file:{folder / 'db.sqlite'}?mode=ro", uri=True)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def results_of(folder, keys=None):
    found = []
    for sql in RESULTS:
        found.append([row for row in rows(folder, sql) if keys is None or row[0] in keys])
    return found


class Zoo:
    def __init__(self, options):
        self.options = options
        self.build = pathlib.Path(options.build).resolve()
        self.base = pathlib.Path(options.folder or tempfile.mkdtemp(prefix="unmask-zoo-")).resolve()
        self.base.mkdir(parents=True, exist_ok=True)
        self.problems = []
        self.counts = {}

    def problem(self, text):
        self.problems.append(text)
        print("  WRONG " + text, flush=True)

    def run(self, name, manifest):
        """One study in a folder of its own: exit code, highest memory of the host in KiB, folder."""
        folder = self.base / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "study.json").write_text(json.dumps(manifest, indent=1))
        argv = [str(self.build / "bin/unmask"), "run", "study.json", "--db", "db.sqlite", "--progress", "plain",
                "--workers", str(self.options.workers), "--retry", "oom=0"]
        for plugins in ("tests/integration/plugins", "tests/soak/zoo"):
            argv += ["--plugin-dir", str(self.build / plugins)]
        with open(folder / "output.log", "w") as log:
            process = subprocess.Popen(
                argv, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=dict(os.environ, UNMASK_CACHE_DIR=str(self.base / "cache")),
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (WORKER_ADDRESS_SPACE,) * 2))
        highest = 0
        while process.poll() is None:
            try:
                for line in pathlib.Path("/proc", str(process.pid), "status").read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        highest = max(highest, int(line.split()[1]))
            except OSError:
                pass
            time.sleep(0.02)
        return process.returncode, highest, folder

    def left_in(self, folder):
        left = []
        for entry in os.listdir("/proc"):
            try:
                argv = pathlib.Path("/proc", entry, "cmdline").read_bytes() if entry.isdigit() else b""
                if argv and str(folder) in (os.readlink(f"/proc/{entry}/cwd"),):
                    left.append(int(entry))
            except OSError:
                continue
        return left

    def check_refused(self, kind, how):
        code, _, folder = self.run(f"{kind}-{how}", study(kind, [how]))
        said = (folder / "output.log").read_text().splitlines()
        self.counts[(kind, REFUSED)] = self.counts.get((kind, REFUSED), 0) + 1
        if code != 3 or "bad_" + how not in said[-1]:
            self.problem(f"{kind} {how}: exit code {code}: {said[-1]}")

    def check_kind(self, kind, calm_folder, calm):
        expected = {}
        for ends, hows in EXPECTED[kind].items():
            for how in hows.split():
                if not fnmatch.fnmatch(kind + "." + how, self.options.only):
                    continue
                if ends == REFUSED:
                    self.check_refused(kind, how)
                else:
                    expected["bad_" + how] = ends if isinstance(ends, tuple) else (ends,)
        if not expected:
            return
        start = time.monotonic()
        code, highest, folder = self.run(kind, study(kind, [name[4:] for name in expected]))
        print(f"{kind}: {len(expected)} modes, exit code {code}, host {highest >> 10} MiB,"
              f" {time.monotonic() - start:.0f} s", flush=True)
        if code not in (0, 1):
            self.problem(f"the run ended with {code}: see {folder}/output.log")
            return
        found = {}
        for name, state, failure in rows(
                folder, f"SELECT c.{COLUMN[kind]}, c.state, f.failure_class FROM cells c LEFT JOIN failures f"
                        f" ON f.cell_id = c.cell_id WHERE c.{COLUMN[kind]} LIKE 'bad%'"):
            end = DONE if state == "done" else failure or state
            # Of several cells of one mode (a training and what depends on it) the first failure counts.
            if end in (CRASH, TIMEOUT, OOM, INVALID, ERROR) or name not in found:
                found[name] = end
        for name, ends in sorted(expected.items()):
            end = found.get(name, "nothing of it is recorded")
            self.counts[(kind, end)] = self.counts.get((kind, end), 0) + 1
            if end not in ends:
                self.problem(f"{kind} {name[4:]}: {end} instead of {' or '.join(ends)}")
        keys = {key for key, in rows(calm_folder, "SELECT key FROM cell")}
        if results_of(folder, keys) != calm:
            self.problem("innocent cells are missing or have other bits")
        if rows(folder, "PRAGMA integrity_check") != [("ok",)]:
            self.problem("the database is damaged")
        if highest > HOST_LIMIT_KIB:
            self.problem(f"the host grew to {highest >> 10} MiB")
        logs = sum(f.stat().st_size for f in (folder / "logs").rglob("*") if f.is_file())
        if logs > LOG_LIMIT_BYTES:
            self.problem(f"the logs have {logs} bytes")
        if self.left_in(folder):
            self.problem(f"processes are left: {self.left_in(folder)}")
        known = {path for path, in rows(folder, "SELECT path FROM checkpoint")}
        there = {str(f.relative_to(folder / "checkpoints")) for f in (folder / "checkpoints").rglob("*") if f.is_file()}
        # Trainings that failed may go on from their last snapshots.
        left = [name for name in there - known if not name.startswith("unfinished/") or name.endswith(".tmp")]
        if left:
            self.problem(f"files are left: {sorted(left)}")

    def all(self):
        code, _, calm_folder = self.run("calm", study("attack", []))
        if code != 0:
            sys.exit(f"the innocent study failed: see {calm_folder}/output.log")
        calm = results_of(calm_folder)
        for kind in EXPECTED:
            self.check_kind(kind, calm_folder, calm)
        for (kind, end), count in sorted(self.counts.items()):
            print(f"  {kind:10} {end:14} {count}")
        print(f"{sum(self.counts.values())} modes, {len(self.problems)} problems ({self.base})")
        return 1 if self.problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="a folder that was built with tests")
    parser.add_argument("--only", default="*", help="kind.mode, e.g. attack.born_*")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder")
    return Zoo(parser.parse_args()).all()


if __name__ == "__main__":
    sys.exit(main())
