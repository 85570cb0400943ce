# SPDX-License-Identifier: Apache-2.0
"""What the tests of the pages have in common: signing in, going to a screen, and what holds for every one."""

import threading
import unittest

import mock_api
import mock_data
from browser import Browser
from selenium.webdriver.common.keys import Keys

tokens = iter(range(10**6))


def start():
    """The mock and the browser, which a module's tests share."""
    global mock, thread, browser
    mock = mock_api.Mock()
    thread = threading.Thread(target=mock.serve_forever)
    thread.start()
    try:
        browser = Browser()
    except BaseException:
        mock.shutdown()
        raise
    return mock, browser


def stop():
    browser.close()
    mock.cut_streams()
    mock.shutdown()
    thread.join()
    mock.server_close()


class Pages(unittest.TestCase):
    def setUp(self):
        mock.restart()
        browser.offline(False)
        browser.dark(False)
        browser.resize("wide")
        browser.driver.get(f"{mock.address}/shared/style.css")  # the same origin, without a page of ours
        browser.driver.delete_all_cookies()
        browser.run("sessionStorage.clear()")
        browser.complaints()

    def sign_in(self, screen="/"):
        browser.driver.get("about:blank")
        browser.driver.get(f"{mock.address}/portal/#/signin/good{next(tokens)}")
        browser.see("Sign out") if browser.run("return innerWidth") > 760 else browser.one("body:not(.signed-out)")
        self.go(screen)

    def operate(self, screen="/"):
        browser.driver.get("about:blank")
        browser.driver.get(f"{mock.address}/console/")
        browser.fill("Operator key", mock_data.OPERATOR_KEY + Keys.ENTER)
        browser.one("body:not(.signed-out)")
        self.go(screen)

    def go(self, screen):
        browser.run("location.hash = arguments[0]", f"#{screen}")
        browser.settled()

    def asked(self, method, part):
        return [body for how, path, body in list(mock.asked) if how == method and part in path]

    def assert_fits(self):
        wide = browser.run(
            """
            const over = [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5 && !e.closest('.hidden, svg') && !(innerWidth <= 760 && e.closest('thead'))).slice(0, 3);
            return [document.documentElement.scrollWidth, innerWidth, over.map((e) => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 60)}`)];"""
        )
        self.assertLessEqual(wide[0], wide[1], wide[2])
        self.assertEqual(wide[2], [])

    def assert_sound(self):
        """One h1, landmarks, and a name for everything that can be pressed or filled in."""
        bad = browser.run("""
            const bad = [];
            if (document.querySelectorAll('h1').length !== 1) bad.push('not one h1');
            if (!document.querySelector('main') || !document.querySelector('nav[aria-label]')) bad.push('landmarks');
            const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
            if (new Set(ids).size !== ids.length) bad.push('an id twice');
            for (const e of document.querySelectorAll('main a, main button, main input, main select')) {
              const name = e.getAttribute('aria-label') || e.textContent.trim() || [...(e.labels ?? [])].map((l) => l.textContent).join('');
              if (!name) bad.push(`no name: ${e.outerHTML.slice(0, 100)}`);
            }
            for (const e of document.querySelectorAll('[style]')) bad.push('a style attribute');
            return bad;""")
        self.assertEqual(bad, [])

    def look(self, name, screen):
        with self.subTest(screen=screen):
            self.go(screen)
            for size in ("wide", "phone", "narrow"):
                browser.resize(size)
                self.assert_fits()
                self.assert_sound()
                if size != "narrow":
                    browser.screenshot(f"{name}-{size}")
            browser.dark(True)
            browser.resize("wide")
            browser.screenshot(f"{name}-dark")
            browser.dark(False)
            self.assertEqual(browser.complaints(), [])
            self.assertEqual(browser.all(".failed, .notice.bad"), [])
