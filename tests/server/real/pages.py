# SPDX-License-Identifier: Apache-2.0
"""What the tests of the pages on the real server have in common: the world, the browser, signing in."""

import base64
import hashlib
import hmac
import pathlib
import sys
import unittest

from selenium.webdriver.common.keys import Keys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "portal"))
import checks  # noqa: E402
from browser import Browser  # noqa: E402


def start(of):
    """The world and a browser, which a module's tests share, and which end with them."""
    global world, browser
    world = of
    unittest.addModuleCleanup(world.close)
    browser = Browser()
    unittest.addModuleCleanup(browser.close)
    return world, browser


def signers(headers, body, secrets):
    """Whether each of the secrets signed it, as a receiver checks that (Standard Webhooks)."""
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    given = set(headers["webhook-signature"].split(" "))
    of = lambda secret: hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    return [f"v1,{base64.b64encode(of(secret)).decode()}" in given for secret in secrets]


class RealPages(checks.Checks):
    merchant = None

    def setUp(self):
        self.browser = browser
        browser.offline(False)
        browser.dark(False)
        browser.resize("wide")
        browser.driver.get(f"{world.address}/shared/style.css")  # the same origin, without a page of ours
        browser.driver.delete_all_cookies()
        browser.run("sessionStorage.clear()")
        browser.complaints()

    def sign_in(self, screen="/", merchant=None):
        browser.driver.get("about:blank")
        browser.driver.get(world.link(merchant or self.merchant))
        browser.see("Sign out")
        self.go(screen)

    def operate(self, screen="/", key=None, of=None):
        of = of or world
        browser.driver.get("about:blank")
        browser.driver.get(f"{of.address}/console/")
        browser.fill("Operator key", (key or of.server.key) + Keys.ENTER)
        browser.one("body:not(.signed-out)")
        self.go(screen)
