"""Terminals, pipes, completion, manual page."""

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import unittest

from support import LONG, PATIENCE, UNMASK, Folder, main

COMMANDS = ["check", "plan", "run", "status", "watch", "explain", "submit", "merge", "exec", "verify", "import", "query", "report", "compare",
            "pivot", "figure", "export", "verdict", "judge", "samples", "db", "plugins", "schema", "doctor", "help", "completion", "man"]


def on_terminal(arguments, columns=80, environment=None, both=False):
    """What a program writes to a terminal of that width, and its exit code. Without `both`, only standard output is one."""
    master, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "TERM")}
    variables.update({"TERM": "xterm"}, **(environment or {}))
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=end, stderr=end if both else subprocess.DEVNULL, env=variables)
    os.close(end)
    text = b""
    while select.select([master], [], [], PATIENCE)[0]:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # nobody has the other end any more
            break
        if not chunk:
            break
        text += chunk
    os.close(master)
    return text.decode().replace("\r\n", "\n"), process.wait(PATIENCE)


def captured(arguments, **options):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, **options)


class Terminal(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.folder.run_to_end()

    @classmethod
    def tearDownClass(cls):
        cls.folder.close()

    def query(self, *more):
        return [UNMASK, "query", *more, "--db", self.folder.database]

    def test_tables_fit_a_terminal_and_keep_their_numbers(self):
        numbers = lambda text: re.findall(r"\d+ +\d+ - \d+$", text, re.MULTILINE)  # percent and interval
        wide = captured(self.query("robustness")).stdout
        self.assertTrue(numbers(wide))
        for columns in (120, 80, 60):
            text, code = on_terminal(self.query("robustness"), columns)
            self.assertEqual(code, 0)
            self.assertLessEqual(max(map(len, text.split("\n"))), columns, text)
            self.assertEqual(list(map(str.split, numbers(text))), list(map(str.split, numbers(wide))))

    def test_texts_are_cut_where_nothing_else_helps(self):
        question = "SELECT id, spec_json FROM cell"
        text, code = on_terminal(self.query(question), 60)
        self.assertEqual(code, 0)
        self.assertLessEqual(max(map(len, text.split("\n"))), 60)
        self.assertIn("~\n", text)

    def test_columns_is_heeded(self):
        text, _ = on_terminal(self.query("SELECT key, spec_json FROM cell"), 200, {"COLUMNS": "70"})
        self.assertLessEqual(max(map(len, text.split("\n"))), 70)

    def test_files_and_pipes_get_the_same_text_from_every_terminal(self):
        for arguments in (self.query("metrics"), self.query("SELECT spec_json FROM cell")):
            texts = {captured(arguments, env=dict(os.environ, COLUMNS=width)).stdout for width in ("30", "300")}
            self.assertEqual(len(texts), 1)
            self.assertNotIn("~", texts.pop())

    def test_other_formats_are_never_cut(self):
        for name in ("csv", "json", "markdown"):
            text, _ = on_terminal(self.query("metrics", "--format", name), 40)
            self.assertEqual(text, captured(self.query("metrics", "--format", name)).stdout)

    def test_colours_are_for_terminals(self):
        wrong = [UNMASK, "query", "no-such-query"]
        red = "\x1b[31m"
        self.assertIn(red, on_terminal(wrong, both=True)[0])
        self.assertNotIn("\x1b", captured(wrong).stderr)
        self.assertNotIn("\x1b", on_terminal(wrong, both=True, environment={"NO_COLOR": "1"})[0])
        self.assertNotIn("\x1b", on_terminal(wrong, both=True, environment={"TERM": "dumb"})[0])
        self.assertNotIn("\x1b", on_terminal([*wrong, "--color", "never"], both=True)[0])
        self.assertIn(red, captured([*wrong, "--color=always"]).stderr)
        self.assertEqual(captured([*wrong, "--color", "blue"]).returncode, 2)

    def test_progress_fits_and_a_dumb_terminal_gets_lines(self):
        for environment, is_redrawn in (({}, True), ({"TERM": "dumb"}, False)):
            folder = Folder()
            run = [UNMASK, "run", folder.manifest, "--db", folder.database, "--only", "kind=train,train_seed=0"]
            text, code = on_terminal(run, 60, environment, both=True)
            self.assertEqual(code, 0, text)
            self.assertEqual("\x1b[" in text, is_redrawn)
            drawn = [line for line in re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", text).split("\n") if re.match(r"\d+ (-|[\d.]+[smh])|\d+/\d+ cells", line)]
            if is_redrawn:
                self.assertTrue(drawn)
                self.assertLess(max(map(len, drawn)), 60)
            else:
                self.assertIn("done   worker 1", text)
            folder.close()

    def test_following_a_finished_run_says_so_at_once(self):
        follow = [UNMASK, "status", "--follow", "--db", self.folder.database]
        outcome = captured(follow)
        self.assertEqual(outcome.returncode, 0, outcome.stderr)
        self.assertEqual(outcome.stdout, "study watched\ndone: 12/12 cells\n")
        self.assertIn("\x1b[32mdone", on_terminal(follow)[0])
        self.assertEqual(captured([*follow, self.folder.manifest]).stdout, outcome.stdout)

    def test_following_a_run_ends_with_it(self):
        folder = Folder()
        folder.train_for(LONG)
        run = folder.run()
        folder.running_worker()
        text, code = on_terminal([UNMASK, "status", "--follow", "--db", folder.database, "--interval", "0.1"], 50)
        self.assertEqual(run.wait(), 0)
        self.assertEqual(code, 0)
        self.assertIn("\x1b[J", text)
        self.assertTrue(text.rstrip().replace("\x1b[0m", "").endswith("done: 12/12 cells"), text[-300:])
        plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]|\r", "", text)
        self.assertLessEqual(max(map(len, plain.split("\n"))), 50)
        run.stderr.close()
        folder.close()

    def test_following_needs_a_database_and_a_sensible_interval(self):
        self.assertEqual(captured([UNMASK, "status", "--follow", "--db", self.folder.path + "/none.sqlite"]).returncode, 5)
        for interval in ("0", "-1", "nan", "soon"):
            self.assertEqual(captured([UNMASK, "status", "--follow", "--interval", interval]).returncode, 2, interval)

    def test_a_reader_who_has_seen_enough_is_no_error(self):
        question = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n"
        for start in ("", "trap '' PIPE; "):
            outcome = captured(["bash", "-c", start + '"$0" query "$1" --db "$2" | head -n 1; echo ${PIPESTATUS[0]}',
                                UNMASK, question, self.folder.database])
            self.assertEqual(outcome.stderr, "")
            self.assertEqual(outcome.stdout.split("\n")[1], "141")

    def test_a_full_disk_is_one(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            outcome = subprocess.run(self.query("metrics"), stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        self.assertEqual(outcome.returncode, 5)
        self.assertIn("cannot write to standard output", outcome.stderr)


class Help(unittest.TestCase):
    def test_commands_and_topics_are_explained(self):
        overview = captured([UNMASK, "help"]).stdout
        for command in COMMANDS:
            self.assertRegex(overview, r"\n  %s +\S" % command)
            self.assertEqual(captured([UNMASK, "help", command]).returncode, 0)
        topics = re.findall(r"\n  (\S+)", overview[overview.index("topics, for"):])
        self.assertLessEqual({"manifest", "filters", "verdicts", "database"}, set(topics))
        for topic in topics:
            self.assertIn(topic + ": ", captured([UNMASK, "help", topic]).stdout)
        self.assertIn("usage: unmask query", captured([UNMASK, "help", "query"]).stdout)

    def test_a_mistyped_topic_is_guessed(self):
        outcome = captured([UNMASK, "help", "manifets"])
        self.assertEqual(outcome.returncode, 2)
        self.assertIn("manifest", outcome.stderr)

    def test_every_option_of_the_help_is_in_completion_and_manual(self):
        scripts = {shell: captured([UNMASK, "completion", shell]).stdout for shell in ("bash", "zsh", "fish")}
        manual = captured([UNMASK, "man"]).stdout.replace("\\-", "-")
        for command in COMMANDS:
            for option in re.findall(r"^  (?:-\w \[ )?--([\w-]+)", captured([UNMASK, command, "--help"]).stdout, re.MULTILINE):
                self.assertIn("--" + option, scripts["bash"])
                self.assertIn("--" + option, scripts["zsh"])
                self.assertIn(" -l " + option, scripts["fish"])
                self.assertIn("--" + option, manual)


class Completion(unittest.TestCase):
    def bash(self, *words):
        """What bash offers for the last of the words."""
        code = ('source <("$0" completion bash) && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) && _unmask && '
                'printf "%s\\n" "${COMPREPLY[@]}"')
        outcome = captured(["bash", "--norc", "-c", code, UNMASK, *words])
        self.assertEqual(outcome.stderr, "")
        return [line for line in outcome.stdout.split("\n") if line]

    def test_bash_completes_commands_options_and_values(self):
        self.assertEqual(self.bash("unmask", "st"), ["status"])
        self.assertEqual(self.bash("unmask", ""), COMMANDS + ["--help", "--version"])
        self.assertEqual(self.bash("unmask", "run", "--fail"), ["--fail-fast"])
        self.assertEqual(self.bash("unmask", "run", "--progress", "t"), ["terminal"])
        self.assertEqual(self.bash("unmask", "run", "--progress", "=", "p"), ["plain"])
        self.assertEqual(self.bash("unmask", "run", "--progress", "="), ["auto", "terminal", "plain", "json", "none"])
        self.assertEqual(self.bash("unmask", "query", "gradient"), ["gradient-matrix"])
        self.assertEqual(self.bash("unmask", "plugins", "te"), ["test"])
        self.assertEqual(self.bash("unmask", "help", "verdict"), ["verdict", "verdicts"])
        self.assertEqual(self.bash("unmask", "run", "stu"), [])  # bash goes on with files
        self.assertEqual(self.bash("unmask", "run", "--db", "x"), [])

    def test_zsh_reads_its_script(self):
        if not shutil.which("zsh"):
            self.skipTest("no zsh here (apt install zsh)")
        code = 'autoload -Uz compinit && compinit -u -D && source <("$0" completion zsh) && print -r -- $_comps[unmask]'
        outcome = captured(["zsh", "-f", "-c", code, UNMASK])
        self.assertEqual((outcome.stdout, outcome.stderr), ("_unmask\n", ""))

    def test_fish_completes_commands_options_and_values(self):
        if not shutil.which("fish"):
            self.skipTest("no fish here (apt install fish)")
        folder = Folder()

        def offered(line):
            code = "%s completion fish | source; complete -C '%s'" % (UNMASK, line)
            outcome = captured(["fish", "--no-config", "-c", code], cwd=folder.path, env=dict(os.environ, HOME=folder.path))
            self.assertEqual(outcome.stderr, "")
            return [entry.split("\t")[0] for entry in outcome.stdout.split("\n") if entry]

        self.assertEqual(offered("unmask stat"), ["status"])
        self.assertIn("--fail-fast", offered("unmask run --fa"))
        self.assertEqual(offered("unmask run --progress ter"), ["terminal"])
        self.assertEqual(offered("unmask query gradient"), ["gradient-matrix"])
        self.assertIn("study.json", offered("unmask run stu"))
        folder.close()


class Manual(unittest.TestCase):
    def test_groff_has_nothing_to_say_against_it(self):
        if not shutil.which("groff"):
            self.skipTest("no groff here (apt install groff)")
        page = captured([UNMASK, "man"]).stdout
        outcome = captured(["groff", "-ww", "-man", "-Tutf8"], input=page)
        self.assertEqual((outcome.returncode, outcome.stderr), (0, ""))
        # Bold comes as a colour code or as a letter upon itself, and lines are justified with blanks.
        text = re.sub(r" +", " ", re.sub(r"\x1b\[[0-9;]*m|.\x08", "", outcome.stdout))
        for word in ("NAME", "SYNOPSIS", "unmask run MANIFEST [options]", "--fail-fast", "EXIT STATUS", "ENVIRONMENT", "NO_COLOR"):
            self.assertIn(word, text)


if __name__ == "__main__":
    main()
