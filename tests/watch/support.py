"""What the tests of this folder share: a study of a few seconds, a running `unmask watch`, plain HTTP."""

import copy
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

UNMASK = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "unmask"

# Epochs of a training that lasts for seconds on every machine.
LONG = 100

# Waiting for something that must come; a machine may be busy. Claims about times are made elsewhere.
PATIENCE = 120  # seconds

MANIFEST = {
    "version": 1,
    "name": "watched",
    "description": "Two small networks & <b>what</b> becomes of them",
    "define": {
        "dataset": {"strokes": {"plugin": "strokes", "params": {"train_count": 200, "test_count": 40}}},
        "model": {"plain": {"plugin": "resnet", "params": {"channels": 8, "blocks": [1], "strides": [2]}}},
        "objective": {"natural": {"plugin": "cross_entropy",
                                  "params": {"batch_size": 10, "learning_rate": 0.05}}},
        "solver": {"rk4": {"plugin": "rk4"}},
        "attack": {"pgd": {"plugin": "pgd", "params": {"steps": 3, "step_size": "${epsilon}/2"}},
                   "noise": {"plugin": "random_noise", "params": {"repeats": 3}}},
    },
    "train": {"matrix": {"dataset": ["*"], "model": ["*"], "objective": ["*"], "solver": ["rk4"], "seed": [0, 1]}},
    "evaluate": {"samples": 20, "batch_size": 10,
                 "matrix": {"checkpoint": ["*"], "solver": ["@train"], "attack": ["*"], "epsilon": ["4/255", "8/255"],
                            "seed": [0], "clean": True}},
}


def wait_for(what, condition, patience=PATIENCE):
    """The first value of condition() that counts as true. Looks often: how soon it comes may matter."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain for " + what)


class Folder:
    """A folder of a test with a manifest and the name of a database."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="unmask-watch-")
        self.path = self._folder.name
        self.database = os.path.join(self.path, "db.sqlite")
        self.manifest = os.path.join(self.path, "study.json")
        self.train_for(6)

    def train_for(self, epochs):
        """Writes the manifest. A test that wants to see a training run, or to end one, needs it to last."""
        manifest = copy.deepcopy(MANIFEST)
        manifest["define"]["objective"]["natural"]["params"]["epochs"] = epochs
        with open(self.manifest, "w", encoding="utf-8") as file:
            json.dump(manifest, file)

    def close(self):
        self._folder.cleanup()

    def run(self, *more, **options):
        """Starts `unmask run` and returns its process."""
        return subprocess.Popen([UNMASK, "run", self.manifest, "--db", self.database, "--workers", "1",
                                 "--progress", "none", *more],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)

    def run_to_end(self, *more):
        run = self.run(*more)
        _, err = run.communicate()
        if run.returncode != 0:
            raise AssertionError(err)

    def ask(self, sql):
        """Rows of a query; none while the database or its tables are missing."""
        try:
            with sqlite3.connect("file:" + self.database + "?mode=ro", uri=True) as database:
                return database.execute(sql).fetchall()
        except sqlite3.OperationalError:
            return []

    def running_worker(self):
        """Process id of the worker that executes a cell."""
        return wait_for("a running cell", lambda: self.ask(
            "SELECT worker_pid FROM attempt WHERE state = 'running'"))[0][0]


class Watch:
    """A running `unmask watch`."""

    def __init__(self, database, *more):
        self.process = subprocess.Popen([UNMASK, "watch", database, *more], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.url = None
        for line in self.process.stdout:
            found = re.match(r"open (http://127\.0\.0\.1:(\d+)/\?token=([0-9a-f]{64}))$", line.strip())
            if found:
                self.url, self.port, self.token = found.group(1), int(found.group(2)), found.group(3)
                break
        if self.url is None:
            raise AssertionError("no address: " + self.process.stderr.read())

    def close(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def request(self, path=None, method="GET", host=None, headers=(), body=b""):
        """Status, headers (lower case) and body of one request, sent byte by byte as written here."""
        path = path if path is not None else "/?token=" + self.token
        host = host if host is not None else "127.0.0.1:%d" % self.port
        lines = ["%s %s HTTP/1.1" % (method, path)] + (["Host: " + host] if host else []) + list(headers)
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
            answer = b""
            try:
                while chunk := connection.recv(65536):
                    answer += chunk
            except ConnectionResetError:  # it hung up on a body that it does not want to read
                if not answer:
                    raise
        head, _, content = answer.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        return (int(status.split()[1]),
                {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}, content)


class Stream:
    """The events of one viewer, read in the background: the latest of each kind, and when it came."""

    def __init__(self, watch, study=None):
        self.events = {}
        self.count = {}
        self.came_at = {}
        self.first = {}
        self._connection = socket.create_connection(("127.0.0.1", watch.port), 20)
        self._connection.settimeout(None)
        path = "/events?token=" + watch.token + ("&study=" + study if study else "")
        self._connection.sendall(("GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (path, watch.port)).encode())
        self._file = self._connection.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers = {}
        while (line := self._file.readline().strip()):
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _lines(self):
        text = b""
        while True:  # chunks of HTTP: size, bytes, end of line
            size = self._file.readline().strip()
            if not size or int(size, 16) == 0:
                return
            text += self._file.read(int(size, 16))
            self._file.readline()
            *lines, text = text.split(b"\n")
            yield from lines

    def _read(self):
        name, data = None, []
        try:
            for line in self._lines():
                field, _, value = line.decode().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
                elif not line and name:
                    self.count[name] = self.count.get(name, 0) + 1
                    self.came_at[name] = time.monotonic()
                    self.events[name] = json.loads("\n".join(data))
                    name, data = None, []
        except (OSError, ValueError):
            pass

    def wait(self, name, condition=lambda event: True):
        return wait_for("event " + name, lambda: name in self.events and condition(self.events[name]) and self.events[name])

    def close(self):
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other side was first
        self._thread.join(PATIENCE)
        self._file.close()
        self._connection.close()


def skip(reason):
    print("skipped: " + reason)
    sys.exit(77)


def main():
    unittest.main(argv=[sys.argv[0], "-v"] + sys.argv[1:])
