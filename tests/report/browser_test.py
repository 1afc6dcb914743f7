"""The page of `unmask report` in Chromium: a small study is run, its report opened as a file."""

import json
import os
import shutil
import subprocess
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "watch"))
from support import PATIENCE, UNMASK, Folder, main, skip, wait_for  # noqa: E402

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
except ImportError:
    skip("no selenium here (apt install python3-selenium, or scripts/setup.sh --browser)")

BROWSER, DRIVER = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
if not BROWSER or not DRIVER:
    skip("no chromium or chromedriver here (apt install chromium chromium-driver, or scripts/setup.sh --browser)")


def start_browser():
    options = Options()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
                     "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(DRIVER), options=options)
    browser.set_page_load_timeout(PATIENCE)
    return browser


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder()
        cls.folder.run_to_end()
        cls.file = os.path.join(cls.folder.path, "report.html")
        subprocess.run([UNMASK, "report", "--db", cls.folder.database, "--out", cls.file], check=True,
                       stdout=subprocess.DEVNULL)
        cls.browser = start_browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.folder.close()

    def setUp(self):
        self.open(1280)

    def open(self, width, dark=False):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                     {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.browser.get("file://" + urllib.parse.quote(self.file))
        wait_for("the page", lambda: self.script("document.querySelectorAll('main section').length === 11"))

    def script(self, code, *arguments):
        return self.browser.execute_script("return " + code, *arguments)

    def rows(self, section):
        return self.script("[...document.querySelectorAll('#' + arguments[0] + ' table')[0].tBodies[0].rows]"
                           ".map(r => [...r.cells].map(c => c.innerText))", section)

    def test_there_is_no_error_and_no_request(self):
        self.browser.get_log("performance")
        self.open(1280)
        asked = [json.loads(line["message"])["message"] for line in self.browser.get_log("performance")]
        urls = {m["params"]["request"]["url"] for m in asked if m["method"] == "Network.requestWillBeSent"}
        self.assertEqual({url.split(":")[0] for url in urls}, {"file"})
        self.assertEqual(len(urls), 1, urls)
        self.assertEqual([line["message"] for line in self.browser.get_log("browser")], [])

    def test_every_figure_has_marks_and_a_table(self):
        figures = self.script("""[...document.querySelectorAll('figure')].map(f => ({
            marks: f.querySelectorAll('rect, circle, path').length, wide: f.getBoundingClientRect().width}))""")
        self.assertGreaterEqual(len(figures), 4)
        for figure in figures:
            self.assertGreater(figure["marks"], 0)
            self.assertGreater(figure["wide"], 100)
        self.script("[...document.querySelectorAll('details')].forEach(d => { d.open = true; })")
        wait_for("the numbers", lambda: self.script("""[...document.querySelectorAll('.panels')].every(p =>
            p.parentElement.querySelectorAll('details table tbody tr').length > 0)"""))

    def test_what_a_name_says_is_text(self):
        self.assertEqual(self.script("document.querySelectorAll('main b > b').length"), 0)
        self.assertIn("<b>what</b>", self.script("document.getElementById('summary').innerText"))

    def test_tables_sort_and_filter(self):
        before = self.rows("robustness")
        column = self.script("""[...document.querySelectorAll('#robustness table')[0].tHead.rows[0].cells]
            .map(c => c.innerText.trim()).indexOf('percent')""")
        self.assertGreaterEqual(column, 0)
        press = "[...document.querySelectorAll('#robustness table')[0].tHead.rows[0].cells][arguments[0]].firstChild.click()"
        self.script(press, column)
        up = [int(r[column]) for r in self.rows("robustness")]
        self.assertEqual(up, sorted(up))
        self.script(press, column)
        down = [int(r[column]) for r in self.rows("robustness")]
        self.assertEqual(down, sorted(down, reverse=True))
        self.assertEqual(len(up), len(before))

        self.script("""((input) => { input.value = 'noise'; input.dispatchEvent(new Event('input')); })
            (document.querySelector('#robustness input[type=search]'))""")
        rows = self.rows("robustness")
        self.assertGreater(len(rows), 0)
        self.assertLess(len(rows), len(before))
        self.assertTrue(all("noise" in " ".join(r) for r in rows))

    def test_it_is_dark_when_that_is_wanted(self):
        paper = "getComputedStyle(document.documentElement).backgroundColor"
        self.assertEqual(self.script(paper), "rgb(255, 255, 255)")
        self.script("document.getElementById('theme').click()")
        self.assertNotEqual(self.script(paper), "rgb(255, 255, 255)")
        self.open(1280, dark=True)
        self.assertNotEqual(self.script(paper), "rgb(255, 255, 255)")

    def test_it_fits_a_telephone(self):
        for width in (400, 1280):
            self.open(width)
            self.assertLessEqual(self.script("document.documentElement.scrollWidth"), width)

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


if __name__ == "__main__":
    main()
