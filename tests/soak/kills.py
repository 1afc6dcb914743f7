#!/usr/bin/env python3
"""Kills a small study at random moments, again and again, and looks after each kill whether anything was lost.

  tests/soak/kills.py PATH/TO/unmask [--kills 200] [--seed 1] [--pace 2.5] [--folder DIR]

Every run of the study is the same command. While it runs, SIGKILL hits the host, a worker, both, or one of the
children that list plugins, construct them or read the data: what is there at a random moment. A run whose host
lives must end with 0. After every run:

  - every cell that was reported as done is stored (in this run or in one before);
  - no cell has two results, `integrity_check` and `foreign_key_check` find nothing (looked at in a copy, so that the
    program itself has to recover the write-ahead log);
  - no process of the run is left.

When a study is complete, its rows must be those of an undisturbed run, and its folders must hold what the database
refers to and nothing else. Then the next study begins in a new folder. Every other one keeps adversarial images, so
that its cells run whole; the others run in parts of one batch, whose rows must be those of whole cells. Exit code 0:
nothing went wrong.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

STUDY = {
    "version": 1, "name": "kills",
    "define": {
        "dataset": {"strokes": {"plugin": "strokes", "params": {"train_count": 100, "test_count": 40}}},
        "model": {"plain": {"plugin": "resnet", "params": {"channels": 8, "blocks": [1], "strides": [2]}},
                  "ode": {"plugin": "so_resnet", "params": {"channels": 8, "blocks": [1], "strides": [2]}}},
        "objective": {"natural": {"plugin": "cross_entropy",
                                  "params": {"epochs": 6, "batch_size": 20, "learning_rate": 0.05}}},
        "solver": {"bosh3": {"plugin": "bosh3", "params": {"rtol": 0.1, "atol": 0.1}}},
        "attack": {"pgd": {"plugin": "pgd", "params": {"steps": 5, "step_size": "${epsilon}/2"}},
                   "noise": {"plugin": "random_noise", "params": {"repeats": 5}}},
        "probe": {"norms": {"plugin": "gradient_norm"}}},
    "train": {"matrix": {"dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["bosh3"], "seed": [0]}},
    "evaluate": {"samples": 40, "batch_size": 10,
                 "matrix": {"checkpoint": ["*"], "solver": ["@train"], "attack": ["*"], "epsilon": ["8/255"],
                            "seed": [0], "clean": True, "probes": ["norms"]}}}
# By whether images are kept.
STUDIES = {False: STUDY, True: {**STUDY, "evaluate": {**STUDY["evaluate"], "save": "adversarials"}}}
# What makes every batch of a cell that may be divided a part.
IN_PARTS = ["--part-seconds", "0.000001"]

# All that results are: no times, attempts or machines.
RESULTS = [
    "SELECT key, kind, spec_json FROM cell ORDER BY key",
    "SELECT c.key, k.sha256, k.bytes FROM checkpoint k JOIN cell c ON c.id = k.cell_id ORDER BY 1",
    "SELECT c.key, k.sha256, k.bytes FROM adversarials k JOIN cell c ON c.id = k.cell_id ORDER BY 1",
    "SELECT c.key, o.sample, o.label, o.state, o.clean_prediction, o.prediction, o.distance, o.queries, o.passes"
    " FROM sample_outcome o JOIN cell c ON c.id = o.cell_id ORDER BY 1, 2",
    "SELECT c.key, m.name, m.value, m.flag, m.n FROM metric m JOIN cell c ON c.id = m.cell_id ORDER BY 1, 2",
    "SELECT c.key, m.sample, m.name, m.value, m.flag FROM sample_metric m JOIN cell c ON c.id = m.cell_id"
    " ORDER BY 1, 2, 3",
    "SELECT c.key, s.name, s.step, s.value FROM series s JOIN cell c ON c.id = s.cell_id"
    " WHERE s.name <> 'images_per_s' ORDER BY 1, 2, 3",
    "SELECT c.key, s.phase, s.solve, s.solves, s.nfe_total, s.accepted, s.rejected, s.step_min, s.step_max"
    " FROM solve_stats s JOIN cell c ON c.id = s.cell_id ORDER BY 1, 2, 3",
    "SELECT c.key, a.forwards, a.backwards, a.nfe FROM attempt a JOIN cell c ON c.id = a.cell_id"
    " WHERE a.state = 'done' ORDER BY 1",
]


class Lost(Exception):
    """Something that was promised does not hold."""


def children_of(pid):
    """(process id, what it is) of the engines that a host has started."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path("/proc", entry, "stat").read_text()
            if int(stat[stat.rindex(")") + 1:].split()[1]) != pid:
                continue
            argv = pathlib.Path("/proc", entry, "cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if len(argv) > 2 and argv[1] == b"__engine":
            found.append((int(entry), argv[2].decode()))
    return found


class Run:
    """`unmask run` with its events read as they come."""

    def __init__(self, unmask, folder, cache, study="study.json", log=None, more=()):
        env = dict(os.environ, UNMASK_CACHE_DIR=str(cache))
        # Whatever is killed is tried again as often as it takes: the kills come from outside.
        argv = [unmask, "run", str(study), "--db", "db.sqlite", "--workers", "2", "--retry", "crash=100",
                "--progress", "json", *more]
        self.log = open(log or folder / "stderr.log", "a+" if log is None else "w+")
        self.process = subprocess.Popen(argv, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=self.log)
        self.done, self.ready = set(), set()
        self.notices, self.messages = [], []  # what the run told, and why cells failed
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the host was killed in the middle of a line
            if event["event"] == "cell_done":
                self.done.add(event["key"])
            elif event["event"] == "worker_started":
                self.ready.add(event["pid"])
            elif event["event"] == "notice":
                self.notices.append(event["text"])
            elif event["event"] == "cell_failed":
                self.messages.append(event["message"])

    def is_over(self):
        return self.process.poll() is not None

    def wait(self):
        code = self.process.wait(timeout=600)
        self.reader.join(timeout=60)
        return code


class Soak:
    def __init__(self, options):
        self.unmask = os.path.realpath(options.unmask)
        self.options = options
        self.random = random.Random(options.seed)
        self.base = pathlib.Path(options.folder or tempfile.mkdtemp(prefix="unmask-kills-"))
        self.base.mkdir(parents=True, exist_ok=True)
        self.kills = collections.Counter()
        self.studies = self.runs = self.copies = self.parts = 0
        self.expected = {}

    def new_study(self, keeps_images):
        self.studies += 1
        folder = self.base / f"study-{self.studies}"
        folder.mkdir()
        (folder / "study.json").write_text(json.dumps(STUDIES[keeps_images]))
        return folder

    def copy_of(self, folder):
        """The database as it lies on the disk, log and all, in a folder of its own."""
        self.copies += 1
        copy = self.base / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        copy.mkdir()
        for name in ("db.sqlite", "db.sqlite-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, copy / name)
        return sqlite3.connect(copy / "db.sqlite")

    def check(self, folder, acknowledged):
        if not (folder / "db.sqlite").exists():
            if acknowledged:
                raise Lost("the database is gone")
            return
        database = self.copy_of(folder)
        try:
            if database.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise Lost("integrity_check finds damage")
            if database.execute("PRAGMA foreign_key_check").fetchall():
                raise Lost("a row refers to nothing")
            if not database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'attempt'").fetchall():
                if acknowledged:
                    raise Lost("the tables are gone")
                return  # killed before the tables were committed
            rows = database.execute("SELECT c.key, count(*) FROM attempt a JOIN cell c ON c.id = a.cell_id"
                                    " WHERE a.state = 'done' GROUP BY 1").fetchall()
            if any(count > 1 for _, count in rows):
                raise Lost("a cell has two results")
            self.parts += database.execute("SELECT count(*) FROM cell_part").fetchone()[0]
            missing = acknowledged - {key for key, _ in rows}
            if missing:
                raise Lost(f"reported as done and not stored: {sorted(missing)}")
        finally:
            database.close()

    def results(self, folder):
        database = self.copy_of(folder)
        try:
            return [database.execute(sql).fetchall() for sql in RESULTS]
        finally:
            database.close()

    def check_files(self, folder):
        database = self.copy_of(folder)
        try:
            for name, table in (("checkpoints", "checkpoint"), ("adversarials", "adversarials")):
                there = {str(f.relative_to(folder / name)) for f in (folder / name).rglob("*") if f.is_file()}
                known = {path for path, in database.execute(f"SELECT path FROM {table}")}
                if there != known:
                    raise Lost(f"in {name}/ {sorted(there - known)} left over, {sorted(known - there)} missing")
        finally:
            database.close()

    def kill_something(self, run):
        """One kill of what is there. True when it ends the run."""
        pid = run.process.pid
        children = children_of(pid)
        workers = [child for child, what in children if what == "worker"]
        others = [(child, what) for child, what in children if what != "worker"]
        if not others and not workers and self.random.random() < 0.8:
            return False  # the host alone is there often, and not much happens then
        choices = ["host"] + ["child"] * (3 * len(others)) + ["worker"] * (5 * len(workers))
        if workers:
            choices += ["host", "both"]
        what = self.random.choice(choices)
        try:
            if what == "child":
                child, name = self.random.choice(others)
                os.kill(child, signal.SIGKILL)
                self.kills["child " + name] += 1
            elif what == "worker":
                child = self.random.choice(workers)
                os.kill(child, signal.SIGKILL)
                self.kills["worker" if child in run.ready else "starting worker"] += 1
            else:
                if what == "both":
                    for child in workers:
                        os.kill(child, signal.SIGKILL)
                run.process.kill()
                self.kills["host and workers" if what == "both" else "host"] += 1
        except ProcessLookupError:
            return False  # it ended by itself at that moment
        return what in ("host", "both")

    def one_run(self, folder, acknowledged):
        """Run and kill. True when the study is complete."""
        self.runs += 1
        # Every third run finds nothing remembered, so that plugins are listed and constructed again.
        cache = self.base / "cache"
        if self.runs % 3 == 0:
            shutil.rmtree(cache, ignore_errors=True)
        run = Run(self.unmask, folder, cache, more=IN_PARTS)
        was_ended = False
        while not run.is_over():
            deadline = time.monotonic() + self.random.expovariate(1 / self.options.pace)
            while time.monotonic() < deadline and not run.is_over():
                time.sleep(0.01)
            if run.is_over() or sum(self.kills.values()) >= self.options.kills:
                break
            before = self.kills.copy()
            was_ended = self.kill_something(run) or was_ended
            if was_ended:
                break
            for name in self.kills - before:
                if name.startswith("child ") or name == "starting worker":
                    self.let_pass(run, name.split()[-1])
        code = run.wait()
        for _ in range(500):
            left = self.left_of(folder)
            if not left:
                break
            time.sleep(0.01)
        else:
            raise Lost(f"processes are left: {left}")
        acknowledged |= run.done
        self.check(folder, acknowledged)
        if was_ended:
            return False
        if code != 0:
            run.log.seek(0)
            raise Lost(f"a run whose host was not killed ended with {code}:\n{run.log.read()[-3000:]}")
        return True

    def let_pass(self, run, killed):
        """Wait until what followed a killed child has come to something: twice in a row, it is blamed."""
        known = len(run.ready)
        while not run.is_over():
            kinds = {what for _, what in children_of(run.process.pid)}
            if len(run.ready) > known or (killed != "worker" and kinds - {killed}):
                return
            time.sleep(0.02)

    def left_of(self, folder):
        left = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == str(folder):
                    if pathlib.Path("/proc", entry, "cmdline").read_bytes():
                        left.append(int(entry))
            except OSError:
                continue
        return left

    def run(self):
        for keeps_images in STUDIES:
            calm = self.new_study(keeps_images)
            start = time.monotonic()
            run = Run(self.unmask, calm, self.base / "cache")
            if run.wait() != 0:
                raise Lost("the undisturbed run failed")
            self.expected[keeps_images] = self.results(calm)
            self.check_files(calm)
            print(f"undisturbed: {len(run.done)} cells in {time.monotonic() - start:.1f} s", flush=True)
        complete = 0
        while sum(self.kills.values()) < self.options.kills:
            keeps_images = complete % 2 == 1
            folder, acknowledged = self.new_study(keeps_images), set()
            while not self.one_run(folder, acknowledged):
                pass
            if self.results(folder) != self.expected[keeps_images]:
                raise Lost("the rows are not those of an undisturbed run")
            if self.copy_of(folder).execute("SELECT count(*) FROM cell_part").fetchone()[0]:
                raise Lost("parts of cells are left in a complete study")
            self.check_files(folder)
            complete += 1
            total = sum(self.kills.values())
            print(f"[{time.strftime('%T')}] {total} kills, {self.runs} runs, {complete} complete studies: "
                  + ", ".join(f"{n} {what}" for what, n in sorted(self.kills.items())), flush=True)
            shutil.rmtree(folder)
        print(f"PASSED: {sum(self.kills.values())} kills, {self.copies} looks into the database, "
              f"{self.parts} parts of cells that were done when a run ended, nothing lost")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unmask")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=2.5, help="mean seconds between two kills")
    parser.add_argument("--folder")
    soak = Soak(parser.parse_args())
    try:
        soak.run()
    except Lost as problem:
        print(f"FAILED after {sum(soak.kills.values())} kills in {soak.base}: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
