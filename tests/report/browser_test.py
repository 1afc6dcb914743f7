"""The pages of `unmask report` in Chromium, opened as files: the finished quickstart, and gradients.json in small with every
probe and kept images (tests/data/report; scripts/report_examples.sh makes them)."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "watch"))
from support import UNMASK, main, wait_for  # noqa: E402
from browser import PageTest, start_browser  # noqa: E402

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "report")
WIDTHS = (400, 1280)

# What a name may hold, and must stay.
EVIL = "<b>what</b> </script><img src=x onerror=alert(1)> & more"


class Pages:
    """The tests of one page; what derives from it names an example."""

    example = None
    hostile = False
    figures = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="unmask-report-")
        with tarfile.open(os.path.join(EXAMPLES, cls.example + ".tar.xz")) as archive:
            for member in archive.getmembers():  # what the script packed: plain files in one folder below
                if member.isfile() and not member.name.startswith(("/", "..")) and ".." not in member.name:
                    archive.extract(member, cls.folder)
        cls.database = os.path.join(cls.folder, cls.example + ".sqlite")
        subprocess.run([UNMASK, "db", "migrate", "--db", cls.database], check=True, stdout=subprocess.DEVNULL)
        if cls.hostile:
            with sqlite3.connect(cls.database) as database:
                database.execute("UPDATE manifest SET description = ?", (EVIL,))
            database.close()
        cls.file = os.path.join(cls.folder, "report.html")
        subprocess.run([UNMASK, "report", "--db", cls.database, "--out", cls.file], check=True,
                       stdout=subprocess.DEVNULL)
        cls.browser = start_browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.open(1280)

    def open(self, width, dark=False):
        self.resize(width, dark)
        self.browser.get("file://" + urllib.parse.quote(self.file))
        wait_for("the page", lambda: self.script("document.querySelectorAll('main section').length === 11"))

    def rows(self, section):
        return self.script("[...document.querySelectorAll('#' + arguments[0] + ' table')[0].tBodies[0].rows]"
                           ".map(r => [...r.cells].map(c => c.innerText))", section)

    def test_there_is_no_error_and_no_request(self):
        self.requests()
        self.open(1280)
        urls = {url for url in self.requests() if not url.startswith("data:image/png;base64,")}
        self.assertEqual({url.split(":")[0] for url in urls}, {"file"})
        self.assertEqual(len(urls), 1, urls)
        self.check_console()

    def test_every_figure_has_marks_and_a_table(self):
        shown = self.script("""[...document.querySelectorAll('figure')].map(f => ({
            marks: f.querySelectorAll('rect, circle, path').length, wide: f.getBoundingClientRect().width,
            label: f.querySelector('[role=img]').getAttribute('aria-label')}))""")
        for figure in shown:
            self.assertGreater(figure["marks"], 0)
            self.assertGreater(figure["wide"], 100)
            self.assertTrue(figure["label"])
        drawn = self.script("Object.keys(data.figures).filter(k => !data.figures[k].lacks)")
        for name in self.figures:
            self.assertIn(name, drawn)
        # Each that has data is on the page.
        said = self.script("[...document.querySelectorAll('.from code')].map(c => c.innerText)")
        for name in drawn:
            self.assertTrue(any("unmask figure %s " % name in s for s in said), name)
        self.script("[...document.querySelectorAll('details')].forEach(d => { d.open = true; })")
        wait_for("the numbers", lambda: self.script("""[...document.querySelectorAll('.panels')].every(p =>
            p.parentElement.querySelectorAll('details table tbody tr').length > 0)"""))

    def test_every_query_that_is_named_has_its_table(self):
        said = self.script("[...document.querySelectorAll('.from code')].map(c => c.innerText)")
        for name in ("verdicts", "robustness", "worst-case", "sample-classes", "effort", "plugins"):
            self.assertIn("unmask query " + name, said)

    def test_tables_sort_and_filter(self):
        before = self.rows("robustness")
        column = self.script("""[...document.querySelectorAll('#robustness table')[0].tHead.rows[0].cells]
            .map(c => c.innerText.trim()).indexOf('percent')""")
        self.assertGreaterEqual(column, 0)
        press = "[...document.querySelectorAll('#robustness table')[0].tHead.rows[0].cells][arguments[0]].firstChild.click()"
        self.script(press, column)
        up = [float(r[column]) for r in self.rows("robustness")]
        self.assertEqual(up, sorted(up))
        self.script(press, column)
        down = [float(r[column]) for r in self.rows("robustness")]
        self.assertEqual(down, sorted(down, reverse=True))
        self.assertEqual(len(up), len(before))

        self.script("""((input) => { input.value = 'spsa'; input.dispatchEvent(new Event('input')); })
            (document.querySelector('#robustness input[type=search]'))""")
        rows = self.rows("robustness")
        self.assertGreater(len(rows), 0)
        self.assertLess(len(rows), len(before))
        self.assertTrue(all("spsa" in " ".join(r) for r in rows))

    def test_a_rule_without_a_threshold_is_not_drawn_against_zero(self):
        rules = self.script("""records('verdict-rules').filter(r => typeof r.value === 'number')
            .map(r => typeof r.threshold === 'number')""")
        self.assertGreater(len(rules), 0)
        drawn = self.script("[...document.querySelectorAll('#evidence .rule')].map(r => r.querySelectorAll('svg').length)")
        # Each rule has its number drawn when, and only when, there is a threshold to draw it against.
        self.assertEqual(sum(drawn), sum(rules))
        without = self.script("""(() => { const r = drawnBullet({ value: 3, threshold: null }); for (const draw of redraws) draw();
            return [r.querySelectorAll('svg').length, r.innerText || r.textContent]; })()""")
        self.assertEqual(without, [0, "no threshold"])

    def test_it_is_dark_when_that_is_wanted(self):
        paper = "getComputedStyle(document.documentElement).backgroundColor"
        self.assertEqual(self.script(paper), "rgb(255, 255, 255)")
        self.script("document.getElementById('theme').click()")
        self.assertNotEqual(self.script(paper), "rgb(255, 255, 255)")
        self.open(1280, dark=True)
        self.assertNotEqual(self.script(paper), "rgb(255, 255, 255)")

    def test_it_fits_a_telephone(self):
        for width in WIDTHS:
            for dark in (False, True):
                self.open(width, dark)
                self.assertLessEqual(self.script("document.documentElement.scrollWidth"), width)
                self.picture("%s-%d-%s" % (self.example, width, "dark" if dark else "light"), 14000)

    def test_words_stand_out_from_the_paper(self):
        # WCAG 2.1, 1.4.3: the contrast of text is at least 4.5.
        contrast = """((selector) => {
            const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
            const light = (c) => rgb(c).slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
            const e = document.querySelector(selector);
            let p = e; while (p && rgb(getComputedStyle(p).backgroundColor)[3] === 0) p = p.parentElement;
            const a = light(getComputedStyle(e).color), b = light(getComputedStyle(p ?? document.documentElement).backgroundColor);
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); })(arguments[0])"""
        for dark in (False, True):
            self.open(1280, dark)
            for selector in ("h1", "#subtitle", "nav a", ".badge", ".card .quiet", "summary", ".from", "td"):
                self.assertGreaterEqual(self.script(contrast, selector), 4.5, (selector, dark))


class Quickstart(Pages, PageTest):
    example = "quickstart"
    hostile = True
    figures = ("robustness", "training", "attack-cost")

    def test_what_a_name_says_is_text(self):
        self.assertEqual(self.script("document.querySelectorAll('main b > b, main img').length"), 0)
        self.assertIn(EVIL, self.script("document.getElementById('summary').innerText"))

    def test_without_kept_images_it_says_how_to_keep_them(self):
        self.assertIn('"save": "adversarials"', self.script("document.getElementById('samples').innerText"))


class Gradients(Pages, PageTest):
    example = "gradients"
    figures = ("robustness", "accuracy-epsilon", "gradient-matrix", "elasticity", "training", "landscape", "gradient-cosine",
               "leak-ratio", "finite-differences", "loss-line", "attack-path", "attack-cost")

    def test_pictures_have_words_and_pixels(self):
        pictures = self.script("""[...document.querySelectorAll('#samples img')].map(i => ({
            alt: i.alt, wide: i.naturalWidth, shown: i.getBoundingClientRect().width}))""")
        self.assertGreaterEqual(len(pictures), 3)
        self.assertEqual(len(pictures) % 3, 0)
        for picture in pictures:
            self.assertEqual(picture["wide"], 20)
            self.assertGreater(picture["shown"], 40)
            self.assertGreater(len(picture["alt"]), 20)
        # Each sample says who fooled it, and how far away.
        for text in self.script("[...document.querySelectorAll('.pictured li')].map(l => l.innerText)"):
            self.assertRegex(text, r"distance [0-9.]")
            self.assertRegex(text, r"Fooled by \d+ of \d+: \w|None of \d+ attacks fools it")


if __name__ == "__main__":
    main()
