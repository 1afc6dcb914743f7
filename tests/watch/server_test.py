"""`unmask watch` as a browser and as an attacker see it, without a browser."""

import hashlib
import os
import signal
import subprocess
import time
import unittest

from support import LONG, UNMASK, Folder, Stream, Watch, main, wait_for

# Between a commit of the writer and the event: the server looks four times a second. What a busy
# machine adds is counted by the fastest of several.
SOON = 1.0  # seconds


class FreshDatabase(unittest.TestCase):
    """Nothing ran yet: who may come in does not depend on it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.watch = Watch(cls.folder.database)

    @classmethod
    def tearDownClass(cls):
        assert cls.watch.close() == 0
        cls.folder.close()

    def status(self, *arguments, **options):
        return self.watch.request(*arguments, **options)[0]

    def test_the_page_comes_with_its_headers(self):
        status, headers, body = self.watch.request()
        self.assertEqual(status, 200)
        self.assertTrue(body.startswith(b"<!doctype html>"))
        self.assertIn("default-src 'none'", headers["content-security-policy"])
        self.assertIn("frame-ancestors 'none'", headers["content-security-policy"])
        self.assertNotIn("unsafe", headers["content-security-policy"])
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["referrer-policy"], "no-referrer")
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertNotIn("access-control-allow-origin", headers)

    def test_a_missing_or_wrong_token_is_refused(self):
        for path in ("/", "/?token=", "/?token=" + "0" * 64, "/events", "/events?token=" + self.watch.token[:-1],
                     "/anything", "/?Token=" + self.watch.token):
            status, _, body = self.watch.request(path)
            self.assertEqual(status, 403, path)
            self.assertNotIn(self.watch.token.encode(), body)

    def test_a_foreign_host_is_refused(self):
        for host in ("attacker.example", "attacker.example:%d" % self.watch.port, "127.0.0.1:1", ""):
            self.assertIn(self.status(host=host), (400, 403), host)

    def test_a_foreign_origin_is_refused(self):
        for path in ("/?token=", "/events?token="):
            for header in ("Origin: https://attacker.example", "Origin: null", "Sec-Fetch-Site: cross-site"):
                self.assertEqual(self.status(path + self.watch.token, headers=[header]), 403, header)

    def test_nothing_but_get_is_answered(self):
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            self.assertIn(self.status(method=method), (400, 405), method)

    def test_other_paths_do_not_exist(self):
        for path in ("/../etc/passwd", "/db.sqlite", "/%2e%2e/x"):
            self.assertEqual(self.status(path + "?token=" + self.watch.token), 404, path)

    def test_garbage_harms_nobody(self):
        for path in ("/" + "a" * 100000, "/?token=%zz", "/\x01"):
            try:
                self.assertGreaterEqual(self.status(path), 400)
            except (ConnectionError, IndexError):
                pass  # it hung up
        self.assertEqual(self.status(), 200)

    def test_the_page_waits_for_the_database(self):
        stream = Stream(self.watch)
        self.assertEqual(stream.status, 200)
        self.assertTrue(stream.headers["content-type"].startswith("text/event-stream"))
        self.assertIn("does not exist yet", stream.wait("overview")["problem"])
        stream.close()
        self.assertFalse(os.path.exists(self.folder.database), "it was made by somebody who only reads")


class FullHouse(unittest.TestCase):
    """Apart from the others, who would find no place while the last pages are being counted out."""

    def setUp(self):
        self.folder = Folder()
        self.watch = Watch(self.folder.database)

    def tearDown(self):
        self.watch.close()
        self.folder.close()

    def test_pages_have_a_limit_and_are_counted_out(self):
        streams = [Stream(self.watch) for _ in range(16)]
        self.assertEqual([stream.status for stream in streams], [200] * 16)
        self.assertEqual(self.watch.request("/events?token=" + self.watch.token)[0], 503)
        self.assertEqual(self.watch.request()[0], 200, "the page itself")
        for stream in streams:
            stream.close()
        # The server looks for pages that are gone as often as for news.
        wait_for("room", self._has_room)

    def _has_room(self):
        stream = Stream(self.watch)
        stream.close()
        return stream.status == 200


class OneStudy(unittest.TestCase):
    def setUp(self):
        self.folder = Folder()
        self.watch = Watch(self.folder.database)
        self.stream = Stream(self.watch)

    def tearDown(self):
        self.stream.close()
        self.watch.close()
        self.folder.close()

    def test_a_study_from_before_it_begins_until_after_it_ended(self):
        self.assertIn("does not exist yet", self.stream.wait("overview")["problem"])
        self.folder.train_for(LONG)
        run = self.folder.run()

        # It begins: the cells are known, one of them runs, and how far it is.
        overview = self.stream.wait("overview", lambda o: o.get("workers"))
        self.assertEqual(overview["study"], "watched")
        self.assertEqual(overview["run"]["state"], "running")
        self.assertEqual(overview["run"]["pid"], run.pid)
        self.assertEqual([kind["cells"] for kind in overview["kinds"]], [2, 10, 0])
        worker = self.stream.wait("overview", lambda o: o["workers"] and o["workers"][0]["done"] > 0)["workers"][0]
        self.assertEqual(worker["total"], 20 * LONG)  # batches
        self.assertTrue(worker["title"].startswith("train plain/strokes/natural/rk4 seed"))

        # Its worker is killed: a failure, and another try.
        os.kill(self.folder.running_worker(), signal.SIGKILL)
        killed = self.stream.wait("failures", lambda f: f["total"] > 0)["rows"][0]
        self.assertEqual(killed["class"], "crash")
        self.assertEqual(killed["attempt"], 1)
        self.assertTrue(killed["title"])
        self.assertIn("log", killed["log_tail"])

        # Results arrive as they are committed.
        self.stream.wait("curves", lambda c: any(row["name"] == "train_loss" for row in c["rows"]))
        self.stream.wait("accuracy", lambda a: len(a["rows"]) >= 2)

        # The end, and the page goes on.
        self.assertEqual(run.wait(), 0, run.stderr.read())
        overview = self.stream.wait("overview", lambda o: o["run"]["state"] == "ended")
        self.assertEqual(overview["run"]["exit_code"], 0)
        self.assertEqual(overview["workers"], [])
        accuracy = self.stream.wait("accuracy", lambda a: len(a["rows"]) == 10)
        self.assertEqual(self.stream.wait("failures")["rows"][0]["state"], "done")
        self.assertEqual(self.watch.request()[0], 200)
        self.check_numbers(accuracy["rows"])

        # Who comes now sees the same; nothing was written.
        before = self.fingerprint()
        late = Stream(self.watch)
        self.assertEqual(late.wait("accuracy"), self.stream.events["accuracy"])
        late.wait("overview")
        late.close()
        self.assertEqual(self.fingerprint(), before)
        run.stderr.close()

    # Every number is the one of the query.
    def check_numbers(self, rows):
        stored = self.folder.ask("SELECT attack, epsilon_text, n, robust_accuracy, lower, upper FROM accuracy ORDER BY cell_id")
        self.assertEqual(len(stored), len(rows))
        for expected, row in zip(sorted(stored), sorted(rows, key=lambda r: (r["attack"], r["epsilon_text"], r["n"], r["robust"]))):
            self.assertEqual(row["n"], expected[2])
            for name, value in zip(("robust", "lower", "upper"), expected[3:]):
                self.assertAlmostEqual(row[name], value, delta=5e-6 * max(1, abs(value)))  # six digits are sent

    def fingerprint(self):
        with open(self.folder.database, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def test_a_writer_that_dies_is_missed(self):
        self.folder.train_for(LONG)
        run = self.folder.run()
        self.stream.wait("overview", lambda o: o.get("workers"))
        follower = subprocess.Popen([UNMASK, "status", "--follow", "--db", self.folder.database, "--interval", "0.1"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.kill(run.pid, signal.SIGKILL)
        run.wait()

        overview = self.stream.wait("overview", lambda o: o["run"]["state"] == "gone")
        self.assertEqual(overview["workers"], [])
        out, err = follower.communicate(timeout=60)
        self.assertEqual(follower.returncode, 1, err)
        self.assertIn("ended without a word", out)

        # The same command goes on, and so does the page.
        again = self.folder.run()
        self.stream.wait("overview", lambda o: o["run"]["state"] == "running" and o["run"]["id"] == 2)
        self.assertEqual(again.wait(), 0, again.stderr.read())
        self.stream.wait("overview", lambda o: o["run"]["state"] == "ended")
        for process in (run, again):
            process.stderr.close()

    def test_what_is_committed_is_seen_within_a_second(self):
        run = self.folder.run()
        delays = []
        for count in range(1, 7):
            wait_for("%d results" % count, lambda: self.folder.ask("SELECT count(*) FROM attempt WHERE state = 'done'")[0][0] >= count
                     if os.path.exists(self.folder.database) and self.folder.ask("SELECT 1 FROM attempt") else False)
            start = time.monotonic()
            self.stream.wait("overview", lambda o: "kinds" in o and sum(kind["done"] for kind in o["kinds"]) >= count)
            delays.append(time.monotonic() - start)
        run.wait()
        run.stderr.close()
        self.assertLess(min(delays), SOON, delays)

    def test_two_studies_in_one_database(self):
        self.folder.run_to_end("--only", "kind=train,train_seed=0")
        with open(self.folder.manifest, encoding="utf-8") as file:
            other = file.read().replace('"watched"', '"other study"')
        with open(self.folder.manifest, "w", encoding="utf-8") as file:
            file.write(other)
        self.folder.run_to_end("--only", "kind=train,train_seed=0")

        self.assertEqual(self.stream.wait("overview", lambda o: o.get("study") == "other study")["study"], "other study")
        first = Stream(self.watch, "watched")
        overview = first.wait("overview")
        self.assertEqual(overview["study"], "watched")
        self.assertEqual([one["study"] for one in overview["studies"]], ["other study", "watched"])
        first.close()
        unknown = Stream(self.watch, "nobody")
        self.assertIn("no study", unknown.wait("overview")["problem"])
        unknown.close()


class Usage(unittest.TestCase):
    def complaint(self, *arguments):
        outcome = subprocess.run([UNMASK, "watch", *arguments], capture_output=True, text=True, timeout=60)
        return outcome.returncode, outcome.stderr

    def test_mistakes_are_named(self):
        for arguments in (("a.sqlite", "--db", "b.sqlite"), ("--port", "70000"), ("--port", "-1"), ("study.json",),
                          ("--address", "192.0.2.1")):
            code, err = self.complaint(*arguments)
            self.assertEqual(code, 2, err)
        self.assertIn("is a manifest", self.complaint("study.json")[1])

    def test_a_port_is_taken_once(self):
        folder = Folder()
        watch = Watch(folder.database)
        code, err = self.complaint(folder.database, "--port", str(watch.port))
        self.assertEqual(code, 2, err)
        self.assertIn("--port", err)
        watch.close()
        folder.close()


if __name__ == "__main__":
    main()
