"""Chromium for tests of pages, through Selenium. Where one of them is missing, importing this ends the test with 77 and a reason."""

import base64
import json
import os
import shutil
import time
import unittest

from support import PATIENCE, skip

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
except ImportError:
    skip("no selenium here (apt install python3-selenium, or scripts/setup.sh --browser)")

BROWSER, DRIVER = shutil.which("chromium") or shutil.which("chromium-browser"), shutil.which("chromedriver")
if not BROWSER or not DRIVER:
    skip("no chromium or chromedriver here (apt install chromium chromium-driver, or scripts/setup.sh --browser)")

# Where to leave pictures for people; empty: nowhere.
PICTURES = os.environ.get("UNMASK_TEST_PICTURES", "")


def start_browser():
    options = Options()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                     "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(service=Service(DRIVER), options=options)
    browser.set_page_load_timeout(PATIENCE)
    browser.set_script_timeout(PATIENCE)
    return browser


class PageTest(unittest.TestCase):
    """A test with a browser in self.browser."""

    def script(self, code, *arguments):
        return self.browser.execute_script("return " + code, *arguments)

    def resize(self, width, dark=False):
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                     {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def requests(self):
        """Addresses that the page asked for since the last call."""
        lines = [json.loads(line["message"])["message"] for line in self.browser.get_log("performance")]
        return [m["params"]["request"]["url"] for m in lines if m["method"] == "Network.requestWillBeSent"]

    def check_console(self):
        bad = [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] != "DEBUG"]
        self.assertEqual(bad, [])

    def picture(self, name, most=6000):
        """The page as NAME.png, down to `most` pixels, where such pictures are wanted."""
        if not PICTURES:
            return
        time.sleep(0.5)
        height = self.script("document.documentElement.scrollHeight")
        shot = self.browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": {
            "x": 0, "y": 0, "width": self.script("innerWidth"), "height": min(height, most), "scale": 1}})
        with open(os.path.join(PICTURES, name + ".png"), "wb") as file:
            file.write(base64.b64decode(shot["data"]))
