#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The operators' console in a headless Chromium, on a mock of the API: every screen at three sizes, the ways through them, their errors.

    .venv/bin/python tests/server/portal/console_test.py

NORTHWIND_SCREENSHOTS=FOLDER keeps a picture of every screen.
"""

import unittest

import screens
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


def setUpModule():
    global mock, browser
    mock, browser = screens.start()


def tearDownModule():
    screens.stop()


class EveryScreen(screens.Pages):
    def test_of_the_console_fits_is_named_and_breaks_no_rule_of_its_policy(self):
        self.operate()
        browser.until(lambda: browser.all("figure svg path"), "a plot with two points")
        for name, screen in [
            ("overview", "/"),
            ("quarantine", "/quarantine"),
            ("dead", "/dead"),
            ("run", "/run"),
            ("differences", "/run/discrepancies"),
            ("difference", "/run/discrepancies/payout%3Apo_1"),
            ("cutover", "/cutover"),
            ("mirror", "/mirror"),
            ("audit", "/audit"),
            ("keys", "/keys"),
        ]:
            self.look(f"console-{name}", screen)

    def test_without_anything_to_show_says_so(self):
        mock.data.quarantine, mock.data.dead, mock.data.days, mock.data.discrepancies = [], [], [], []
        self.operate()
        for screen, text in [
            ("/quarantine", "Nothing is in quarantine"),
            ("/dead", "No dead letters"),
            ("/run", "No days yet"),
        ]:
            self.look("empty-console" + screen.replace("/", "-"), screen)
            browser.see(text)


class Console(screens.Pages):
    def test_rolls_back_with_a_reason(self):
        self.operate("/cutover")
        browser.click("Route to batch")
        browser.click("Route to batch", "dialog")
        browser.see("Say why")
        self.assertFalse(mock.data.cutover["routed_to_batch"])
        browser.fill("Reason", "the bank is down")
        browser.click("Route to batch", "dialog")
        browser.see("Everything new is routed to the batch.")
        self.assertEqual(self.asked("POST", "route-to-batch"), [{"reason": "the bank is down"}])
        browser.screenshot("console-routed")
        self.assertIn("the bank is down", browser.all("main tbody tr")[-len(mock.data.cutover_log)].text)  # the newest first
        browser.see("Even if the gate is closed")
        browser.click("Resume routing")
        browser.fill("Reason", "it is up")
        browser.click("Resume routing", "dialog")
        browser.see("The gate is closed")
        browser.labelled("Even if the gate is closed").click()
        browser.click("Resume routing")
        browser.fill("Reason", "it is up")
        browser.click("Resume routing", "dialog")
        browser.until(lambda: "Everything new" not in browser.text(), "routed by the threshold again")
        self.assertEqual(self.asked("POST", "resume-routing")[-1], {"reason": "it is up", "force": True})

    def test_raises_after_a_preview_and_not_through_a_closed_gate(self):
        self.operate("/cutover")
        browser.see("4,560 of 18,240")
        browser.fill("The same in per cent", "60\t")
        browser.see("10,944 of 18,240")
        browser.click("Raise to 60 %")
        browser.fill("Reason", "all is well")
        browser.click("Raise", "dialog")
        browser.see("The gate is closed")
        self.assertEqual(mock.data.cutover["threshold"], 500)

    def overridden(self):
        for table in browser.all("table"):
            if "Overrides" in table.find_element(By.TAG_NAME, "caption").get_attribute("textContent"):
                return [row.text for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")]
        return []

    def test_lists_overrides_and_loads_more_of_them(self):
        self.operate("/cutover")
        browser.see("48 always here, 12 never")
        self.assertEqual(len(self.overridden()), 50)
        first = self.overridden()[0]
        for text in ("m_00000000", "Never here", "key:ada", "Too large for this step"):
            self.assertIn(text, first)
        browser.see("50 shown")
        browser.click("Load more")
        browser.see("60 shown, all there are")
        self.assertEqual(len(self.overridden()), 60)
        self.assertIn("m_00000059", self.overridden()[-1])
        mock.data.overrides.clear()
        self.go("/")
        self.go("/cutover")
        browser.see("Every merchant goes by the threshold.")

    def test_sets_and_clears_an_override_with_a_reason(self):
        self.operate("/cutover")
        browser.click("Set override")
        browser.see("Say which merchant.")
        browser.fill("Merchant", "a/b c")
        browser.click("Set override")
        browser.fill("Reason", "a slip")
        browser.click("Leave to the batch", "dialog")
        browser.see("'a/b c' is no merchant's id")  # the server's reason; nothing is lost
        self.assertEqual(browser.labelled("Merchant").get_attribute("value"), "a/b c")
        browser.click("Close this notice")
        browser.fill("Merchant", "a_new_one")
        browser.choose("New payouts", "Always here")
        browser.click("Set override")
        browser.see("Settle a_new_one here?")
        browser.click("Settle here", "dialog")
        browser.see("Say why")
        self.assertNotIn("a_new_one", mock.data.overrides)
        browser.fill("Reason", "goes first")
        browser.click("Settle here", "dialog")
        browser.until(lambda: "a_new_one" in self.overridden()[0], "the new one, first in the list")
        self.assertEqual(self.asked("PUT", "overrides/a_new_one"), [{"override": "allow", "reason": "goes first"}])
        browser.see("49 always here, 12 never")
        browser.see("override of a_new_one: none -> allow")  # among the changes
        self.assertEqual(browser.labelled("Merchant").get_attribute("value"), "")
        browser.click("Clear a_new_one")
        browser.click("Cancel", "dialog")
        self.assertEqual(self.asked("DELETE", "overrides"), [])
        browser.click("Clear a_new_one")
        browser.fill("Reason", "the step is done")
        browser.click("Clear", "dialog")
        browser.until(lambda: not any("a_new_one" in row for row in self.overridden()), "it is gone")
        self.assertEqual(self.asked("DELETE", "overrides/a_new_one"), [{"reason": "the step is done"}])
        browser.see("48 always here, 12 never")
        # Enter is as good as the button.
        browser.choose("New payouts", "Never here")
        browser.fill("Merchant", "m_by_enter" + Keys.ENTER)
        browser.see("Leave m_by_enter to the batch?")
        browser.fill("Reason", "too large" + Keys.ENTER)
        browser.until(lambda: mock.data.overrides.get("m_by_enter", {}).get("override") == "deny", "it is set")

    def test_redrives_and_discards_what_is_in_quarantine(self):
        self.operate("/quarantine")
        browser.run("arguments[0].click()", browser.all("tbody input")[0])
        browser.click("Redrive")
        browser.see("1 applied")
        self.assertEqual(len(mock.data.quarantine), 6)
        browser.click("Select all shown")
        browser.click("Discard")
        browser.click("Discard", "dialog")
        browser.see("Nothing is in quarantine")

    def test_goes_from_a_day_to_a_difference_and_explains_it(self):
        self.operate("/run")
        browser.one(f"main a[href='#/run/discrepancies?day={mock.data.days[1]['day']}&class=amount']").click()
        browser.until(lambda: "payout:po_1" in browser.text(), "the differences")
        browser.driver.find_element(By.LINK_TEXT, "payout:po_1").click()
        browser.click("Explain")
        browser.fill("Reason", "rounded by the batch")
        browser.click("Explain", "dialog")
        browser.see("rounded by the batch")

    def test_shows_a_new_key_once(self):
        self.operate("/keys")
        browser.click("New key")
        browser.fill("Name", "reader")
        browser.labelled("merchant:read").click()
        browser.click("Make the key")
        browser.see("nwk_key_")
        browser.click("I have stored it")
        browser.see("reader")
        self.assertNotIn("cdcdcd", browser.run("return document.documentElement.outerHTML"))

    def test_says_when_the_server_is_away_and_goes_on_when_it_is_back(self):
        self.operate()
        browser.see("Live")
        mock.fail = 500
        browser.see("Reconnecting")
        mock.fail = None
        browser.see("Live")

    def test_leads_to_signing_in_when_the_key_is_not_good_any_more(self):
        self.operate()
        mock.fail = 401
        browser.see("This key is not good any more.")

    def test_to_the_console_needs_a_good_key_which_the_tab_keeps(self):
        browser.driver.get(f"{mock.address}/console/")
        browser.fill("Operator key", "nwk_wrong" + Keys.ENTER)
        browser.see("This key is not known")
        browser.screenshot("console-signin")
        self.operate()
        browser.driver.refresh()
        browser.see("Events settled a second")
        browser.click("Sign out")
        browser.one("body.signed-out")
        self.assertEqual(browser.run("return sessionStorage.length"), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
