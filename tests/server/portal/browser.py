# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that looks at the pages, and what tests ask of it."""

import base64
import json
import os
import pathlib
import shutil
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

WAIT = 30
SIZES = {"wide": (1280, 800), "phone": (390, 844), "narrow": (360, 640)}


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="northwind_portal_")
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-proxy-server",
            f"--user-data-dir={self.folder}/profile",
            "--lang=en-GB",
        ):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(
            executable_path=shutil.which("chromedriver"),
            env={**os.environ, "HOME": self.folder, "TZ": "America/New_York"},
        )
        self.driver = webdriver.Chrome(options=options, service=service)
        self.resize("wide")

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.folder, ignore_errors=True)

    def resize(self, size):
        width, height = SIZES[size]
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, dark):
        self.cdp(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )

    def offline(self, offline):
        self.cdp("Network.enable")
        self.cdp(
            "Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )

    def cdp(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def run_module(self, script):
        """The result of an asynchronous function's body, which may import()."""
        text = self.driver.execute_async_script(
            f"const done = arguments[0]; (async () => {{ {script} }})().then((x) => done(JSON.stringify({{x}})), (e) => done(JSON.stringify({{e: String(e)}})));"
        )
        answer = json.loads(text)
        if "e" in answer:
            raise AssertionError(answer["e"])
        return answer.get("x")

    def until(self, condition, what):
        end = time.monotonic() + WAIT
        while True:
            try:
                found = condition()
            except (StaleElementReferenceException, WebDriverException):
                found = None
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"not within {WAIT} s: {what}; the page says: {self.text()[:600]}")
            time.sleep(0.02)

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text

    def see(self, text):
        self.until(lambda: text in self.text(), f"“{text}”")

    def one(self, css):
        return self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, css), css)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def button(self, text, within=""):
        """Any control that a reader would call a button, by its text or label."""

        def find():
            for element in self.all(f"{within} button, {within} a.button"):
                if text in (element.text.strip(), element.get_attribute("aria-label")) and element.is_displayed():
                    return element
            return None

        return self.until(find, f"a button “{text}”")

    # What is found may be gone a moment later: a notice closes itself, a list is read again. It is looked for again then.

    def click(self, text, within=""):
        def click():
            element = self.button(text, within)
            self.run("arguments[0].scrollIntoView({block: 'center'})", element)
            element.click()
            return True

        self.until(click, f"a click on “{text}”")

    def fill(self, label, value):
        def fill():
            control = self.labelled(label)
            control.clear()
            control.send_keys(value)
            return True

        self.until(fill, f"“{label}” filled in")

    def labelled(self, label):
        def find():
            for element in self.all("label"):
                if element.text.strip() == label and element.is_displayed():
                    return (
                        self.driver.find_element(By.ID, element.get_attribute("for"))
                        if element.get_attribute("for")
                        else element
                    )
            return None

        return self.until(find, f"a field “{label}”")

    def choose(self, label, text):
        def choose():
            options = self.labelled(label).find_elements(By.TAG_NAME, "option")
            next(option for option in options if option.text == text).click()
            return True

        self.until(choose, f"“{text}” chosen for “{label}”")

    def settled(self):
        """Everything that the screen asked for has come."""
        self.until(
            lambda: self.run(
                "return document.querySelector('h1') && !document.querySelector('[aria-busy=true], .loading')"
            ),
            "a settled screen",
        )

    def complaints(self):
        """What the console has on errors and violations of the policy since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def press(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def tab_to(self, text):
        """Whether Tab alone comes to a control of that text."""
        for _ in range(120):
            self.press(Keys.TAB)
            if text in self.run(
                "const e = document.activeElement; return [e.textContent.trim(), e.getAttribute('aria-label')]"
            ):
                return True
        return False

    @property
    def keeps_pictures(self):
        return bool(os.environ.get("NORTHWIND_SCREENSHOTS"))

    def screenshot(self, name):
        folder = os.environ.get("NORTHWIND_SCREENSHOTS")
        if not folder:
            return
        width = self.run("return innerWidth")
        height = min(3000, self.run("return document.documentElement.scrollHeight"))
        shot = self.cdp(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1},
        )
        pathlib.Path(folder, f"{name}.png").write_bytes(base64.b64decode(shot["data"]))
