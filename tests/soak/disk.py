#!/usr/bin/env python3
"""Runs a small study on disks (tmpfs) of many sizes, most of them too small.

  tests/soak/disk.py PATH/TO/unmask [--sizes 32,64,...] [--folder DIR]

Everything lies on that disk: database, checkpoints, images, logs. When it is full, the run must end in order: exit code
1 (cells failed) or 5 (the database), a message that says that there is no room, a database that is undamaged or not
there, and every cell that was reported as done stored. A run that waits for room is given some, or is told to stop, in
turn. Then the disk grows, and the same command must finish the study with the rows of an undisturbed run and leave no
file that nothing refers to. Needs root for mounting (exit code 77 without). Failures of single operations of the
database are tried by tests/unit/store/failing_disk_test.cpp, all of them.
"""
import argparse
import os
import signal
import subprocess
import sys
import time

import kills

SIZES_KIB = "16,64,160,320,480,560,640,720,800,880,960,1040,1120,1200,1300,1400,1600,2000"
WORDS = ("disk is full", "No space left", "no space", "cannot be opened", "make room")


class Disk:
    def __init__(self, folder, kib):
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(folder)], check=True)

    def grow(self):
        subprocess.run(["mount", "-o", "remount,size=256m", str(self.folder)], check=True)

    def close(self):
        for _ in range(50):
            if subprocess.run(["umount", str(self.folder)], stderr=subprocess.DEVNULL).returncode == 0:
                return
            time.sleep(0.1)


class DiskSoak(kills.Soak):
    def one_size(self, kib, stops):
        """What happened on a disk of this size, as one word."""
        folder = self.base / f"disk-{kib}-{int(stops)}"
        disk = Disk(folder, kib)
        try:
            # The manifest is somewhere else: a user's own files have their room.
            study = self.base / "study.json"
            run = kills.Run(self.unmask, folder, self.base / "cache", study=study, log=self.base / "stderr.log")
            what = "finished"
            while not run.is_over():
                time.sleep(0.02)
                if any("waiting up to" in text for text in run.notices):
                    what = "was stopped" if stops else "went on"
                    if stops:
                        run.process.send_signal(signal.SIGTERM)
                    else:
                        disk.grow()
                    break
            code = run.wait()
            said = (self.base / "stderr.log").read_text() + "\n".join(run.notices + run.messages)
            self.check(folder, run.done)
            if code != 0:
                if code not in (1, 5):
                    raise kills.Lost(f"{kib} KiB: exit code {code}: {said[-2000:]}")
                if not any(word in said for word in WORDS):
                    raise kills.Lost(f"{kib} KiB: nothing says that the disk is full: {said[-2000:]}")
                what = f"ended with {code}" if what == "finished" else what
            disk.grow()
            again = kills.Run(self.unmask, folder, self.base / "cache", study=study, log=self.base / "stderr.log")
            code = again.wait()
            if code != 0:
                raise kills.Lost(f"{kib} KiB: the second run ended with {code}: "
                                 f"{(self.base / 'stderr.log').read_text()[-2000:]}")
            self.check(folder, run.done | again.done)
            if self.results(folder) != self.expected:
                raise kills.Lost(f"{kib} KiB: the rows are not those of an undisturbed run")
            self.check_files(folder)
            return what
        finally:
            disk.close()

    def run(self):
        calm = self.new_study()
        (self.base / "study.json").write_text((calm / "study.json").read_text())
        if kills.Run(self.unmask, calm, self.base / "cache").wait() != 0:
            raise kills.Lost("the undisturbed run failed")
        self.expected = self.results(calm)
        for number, kib in enumerate(int(size) for size in self.options.sizes.split(",")):
            print(f"{kib:6} KiB: {self.one_size(kib, number % 2 == 0)}", flush=True)
        print("PASSED")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unmask")
    parser.add_argument("--sizes", default=SIZES_KIB)
    parser.add_argument("--folder")
    parser.set_defaults(seed=1)
    options = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIPPED: only root can mount a small disk")
        return 77
    try:
        DiskSoak(options).run()
    except kills.Lost as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
