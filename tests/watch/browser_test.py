"""The page of `unmask watch` in Chromium, through a whole small study."""

import os
import signal
import time

from browser import PageTest, start_browser
from support import LONG, Folder, Watch, main, wait_for


class Page(PageTest):
    def setUp(self):
        self.folder = Folder()
        self.watch = Watch(self.folder.database)
        self.browser = start_browser()
        self.resize(1280)
        self.browser.get(self.watch.url)

    def tearDown(self):
        self.browser.quit()
        self.watch.close()
        self.folder.close()

    def text(self, name):
        return self.script("document.getElementById(arguments[0]).innerText", name)

    def is_shown(self, name):
        return self.script("!document.getElementById(arguments[0]).hidden", name)

    def check_requests(self):
        """Nobody but the server was asked for anything."""
        asked = set(self.requests())
        own = "http://127.0.0.1:%d/" % self.watch.port
        self.assertTrue(asked)
        self.assertEqual([url for url in asked if not url.startswith((own, "data:"))], [])

    def test_a_study_from_its_beginning_to_its_end(self):
        wait_for("word of the missing database", lambda: "does not exist yet" in self.text("problem"))
        self.folder.train_for(LONG)
        run = self.folder.run()

        # It starts; a training runs, and how far it is.
        wait_for("a running cell", lambda: self.is_shown("workers"))
        self.assertEqual(self.text("state"), "running")
        self.assertIn("of 12 cells done", self.text("headline"))
        self.assertIn("train plain/strokes/natural/rk4 seed", self.text("worker-list"))
        self.picture("running")

        # Its worker is killed; the failure says so, and the end of the log is there.
        os.kill(self.folder.running_worker(), signal.SIGKILL)
        wait_for("the failure", lambda: self.is_shown("failures"))
        wait_for("its text", lambda: "crash" in self.text("failure-list"))
        self.assertIn("unmask exec", self.text("failure-list"))

        # Curves and accuracies grow.
        wait_for("a curve", lambda: self.script("document.querySelectorAll('#curve-chart path').length") > 0)
        wait_for("an accuracy", lambda: self.script("document.querySelectorAll('#accuracy-groups tbody tr').length") > 0)
        self.picture("growing")

        # The end; the page stays.
        self.assertEqual(run.wait(), 0, run.stderr.read())
        run.stderr.close()
        wait_for("the end", lambda: self.text("state") == "done")
        wait_for("the last accuracy", lambda: self.script("document.querySelectorAll('#accuracy-groups tbody tr').length") == 10)
        self.assertIn("12 of 12 cells done", self.text("headline"))
        self.assertFalse(self.is_shown("workers"))
        self.check_choices_outlive_a_reload()
        self.check_widths()
        self.check_console()
        self.check_requests()

    def check_choices_outlive_a_reload(self):
        self.script("(() => { const s = document.getElementById('metric'); s.value = 'learning_rate'; s.dispatchEvent(new Event('change')); })()")
        self.script("document.querySelector('#accuracy-groups summary').click()")
        self.script("(() => { const f = document.getElementById('filter'); f.value = 'seed 1'; f.dispatchEvent(new Event('input')); })()")
        self.script("document.getElementById('theme').click()")
        groups = self.script("document.querySelectorAll('#accuracy-groups > details').length")
        self.assertEqual(groups, 1)

        self.browser.refresh()
        wait_for("the page again", lambda: self.script("document.querySelectorAll('#accuracy-groups tbody tr').length") > 0)
        wait_for("the curve again", lambda: self.script("document.querySelectorAll('#curve-chart path').length") > 0)
        self.assertIn("12 of 12 cells done", self.text("headline"))
        self.assertTrue(self.is_shown("failures"))
        self.assertEqual(self.script("document.getElementById('metric').value"), "learning_rate")
        self.assertEqual(self.script("document.getElementById('filter').value"), "seed 1")
        self.assertEqual(self.script("document.querySelectorAll('#accuracy-groups > details').length"), 1)
        self.assertEqual(self.text("theme"), "theme: light")
        # Once more, for those who look at pictures.
        self.script("document.getElementById('theme').click(), document.getElementById('theme').click()")
        self.script("(() => { const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input')); })()")
        self.script("(() => { const s = document.getElementById('metric'); s.value = 'train_loss'; s.dispatchEvent(new Event('change')); })()")

    def check_widths(self):
        for width, dark in ((1280, False), (400, False), (400, True), (1280, True)):
            self.resize(width, dark)
            time.sleep(0.5)  # the page draws again 0.2 s after a change of its width
            self.assertLessEqual(self.script("document.documentElement.scrollWidth"), width)
            self.assertEqual(self.script("document.querySelectorAll('svg.plot').length > 0"), True)
            self.picture("done-%d-%s" % (width, "dark" if dark else "light"))
        self.check_contrast()

    def check_contrast(self):
        """Text on its ground has at least 4.5 : 1 (WCAG AA), light and dark."""
        code = """(() => {
          const light = (c) => { const v = c / 255; return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4); };
          const parse = (s) => s.match(/[\\d.]+/g).map(Number);
          const luminance = ([r, g, b]) => .2126 * light(r) + .7152 * light(g) + .0722 * light(b);
          const ground = (node) => { for (; node; node = node.parentElement) {
            const c = parse(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
          const bad = [];
          for (const node of document.querySelectorAll('main *, header *, footer *')) {
            if (![...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || !node.getClientRects().length) continue;
            const style = getComputedStyle(node);
            const ink = parse(node instanceof SVGElement ? style.fill : style.color);
            const [a, b] = [luminance(ink), luminance(ground(node))].sort((x, y) => y - x);
            if ((a + .05) / (b + .05) < 4.5) bad.push(node.tagName + ' ' + node.className + ' ' + style.color);
          }
          return bad;
        })()"""
        for dark in (False, True):
            self.resize(1280, dark)
            self.assertEqual(self.script(code), [])

    def test_progress_arrives_within_a_second(self):
        # The page notes when it shows what; the database says when it was committed. One clock serves both.
        self.script("(() => { window.shown = []; new MutationObserver(() => window.shown.push([Date.now(), document.getElementById('headline').textContent]))"
                    ".observe(document.getElementById('headline'), {childList: true, characterData: true, subtree: true}); })()")
        run = self.folder.run()
        self.assertEqual(run.wait(), 0, run.stderr.read())
        run.stderr.close()
        wait_for("the end", lambda: self.text("state") == "done")
        delays = []
        ended = [row[0] for row in self.folder.ask(
            "SELECT CAST((julianday(ended_at) - 2440587.5) * 86400000 AS INTEGER) FROM attempt WHERE state = 'done' ORDER BY ended_at")]
        for count, committed in enumerate(ended, 1):
            shown = [time_ms for time_ms, line in self.script("window.shown") if int(line.split(" ")[0]) >= count]
            self.assertTrue(shown, "%d cells were never shown" % count)
            delays.append(min(shown) - committed)
        # A busy machine may be late at times; the fastest half says what the page does.
        self.assertLess(sorted(delays)[len(delays) // 2], 1000, delays)

    def test_a_page_of_another_origin_learns_nothing(self):
        other = Watch(self.folder.database)
        self.browser.get(other.url)
        outcome = self.browser.execute_async_script(
            "const done = arguments[1]; fetch(arguments[0]).then((r) => done('read ' + r.status), (e) => done('refused'));", self.watch.url)
        self.assertEqual(outcome, "refused")
        other.close()


if __name__ == "__main__":
    main()
