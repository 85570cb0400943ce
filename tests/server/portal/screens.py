# SPDX-License-Identifier: Apache-2.0
"""What the tests of the pages on the mock have in common: the mock, the browser, signing in."""

import threading

import checks
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


class Pages(checks.Checks):
    def setUp(self):
        self.browser = browser
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

    def asked(self, method, part):
        return [body for how, path, body in list(mock.asked) if how == method and part in path]
