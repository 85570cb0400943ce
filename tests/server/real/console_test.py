#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The operators' console in a headless Chromium, on the real server: one with a cutover, claims, a mirror and a parallel run, and one without.

    .venv/bin/python tests/server/real/console_test.py

NORTHWIND_SCREENSHOTS=FOLDER keeps a picture of every screen.
"""

import unittest

import pages
import world
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from world import until

MERCHANTS = [f"m_{i:03d}" for i in range(40)]
SCREENS = [
    ("overview", "/"),
    ("quarantine", "/quarantine"),
    ("dead", "/dead"),
    ("run", "/run"),
    ("differences", "/run/discrepancies"),
    ("difference", "/run/discrepancies/capture%3Apay_1"),
    ("cutover", "/cutover"),
    ("mirror", "/mirror"),
    ("audit", "/audit"),
    ("keys", "/keys"),
]
DAY = "2026-07-01"


def setUpModule():
    global w, browser
    w, browser = pages.start(world.World(True))
    fill()


def fill():
    """Merchants on both sides, payouts that nobody here may pay yet, events that cannot be read, webhooks that were given up."""
    w.ask("POST", "/v1/operator/cutover/merchants", {"merchant_ids": MERCHANTS})
    w.raise_to(500)
    w.endpoint(MERCHANTS[0], "/gone", events=["payment.captured"])
    w.receiver.answers["/gone"] = 503
    at = f"{DAY}T12:00:00Z"
    events = [w.event("PAYMENT_CAPTURED", m, f"pay_{i}", 100_000 + i, occurred_at=at) for i, m in enumerate(MERCHANTS)]
    w.settle(events)
    w.settle([{"type": "NOTHING", "id": i} for i in range(5)], "quarantined")
    until(lambda: w.deliveries(MERCHANTS[0], "state=dead"), "a webhook is given up")
    ours = lambda: {d["day"] for d in w.ask("GET", "/v1/operator/parallel-run/days")["data"]}
    until(lambda: DAY in ours(), "the parallel run has followed")


class Console(pages.RealPages):
    def cutover(self):
        return w.ask("GET", "/v1/operator/cutover")

    def confirm(self, action, reason=None):
        if reason:
            browser.fill("Reason", reason)
        browser.click(action, "dialog")


class EveryScreen(Console):
    def test_opens_without_an_error_and_breaks_no_rule_of_its_policy(self):
        w.ask("POST", f"/v1/operator/parallel-run/days/{DAY}/close", {})
        self.operate()
        browser.until(lambda: browser.all("figure svg path"), "a plot with two points")
        for name, screen in SCREENS:
            self.look(f"console-{name}", screen)

    def test_opens_from_its_address_alone(self):
        self.operate("/cutover")
        browser.driver.refresh()
        browser.see("Stop sending")
        browser.driver.get(f"{w.address}/console/#/run/discrepancies")
        browser.driver.refresh()
        browser.see("Differences")
        self.assertEqual(browser.complaints(), [])


class EveryScreenOfAServerAlone(pages.RealPages):
    def test_opens_without_an_error_and_says_what_is_not_configured(self):
        with world.World(False) as alone:
            self.operate(of=alone)
            for name, screen in SCREENS:
                self.look(f"console-alone-{name}", screen)
            for screen, text in [
                ("/quarantine", "Nothing is in quarantine"),
                ("/run", "No parallel run is configured"),
                ("/cutover", "No cutover is configured"),
                ("/mirror", "No mirror is configured"),
            ]:
                self.go(screen)
                browser.see(text)
            browser.driver.get("about:blank")  # nothing is asked any more


class Cutover(Console):
    def test_is_raised_past_the_gate_rolled_back_and_resumed(self):
        self.addCleanup(lambda: self.cutover()["threshold"] == 500 or w.ask("POST", "/v1/operator/cutover/lower", {"threshold": 500, "reason": "as before"}))
        before = self.cutover()
        self.operate("/cutover")
        browser.fill("The same in per cent", "60\t")
        preview = w.ask("GET", "/v1/operator/cutover/preview?threshold=6000")
        browser.see(f"{preview['then']['merchants']} of {preview['merchants']}")
        browser.click("Raise to 60 %")
        self.confirm("Raise", "all is well")
        browser.see("the next stage is 2500")  # the server's reason
        self.assertEqual(self.cutover()["threshold"], 500)
        browser.click("Close this notice")
        browser.labelled("Even if the gate is closed").click()
        browser.click("Raise to 60 %")
        self.confirm("Raise", "all is well")
        browser.see(f"Epoch {before['epoch'] + 1}")
        self.assertEqual(self.cutover()["threshold"], 6000)

        browser.click("Route to batch")
        self.confirm("Route to batch")
        browser.see("Say why")
        self.confirm("Route to batch", "the bank is down")
        browser.see("Everything new is routed to the batch.")
        self.assertTrue(self.cutover()["routed_to_batch"])
        newest = browser.all("main section")[-1].find_elements(By.CSS_SELECTOR, "tbody tr")[0].text
        self.assertIn("the bank is down", newest)
        self.assertIn("key:first", newest)
        browser.click("Resume routing")
        self.confirm("Resume routing", "it is up")
        browser.see("clean days")  # the gate is closed, and says why
        browser.click("Close this notice")
        browser.labelled("Even if the gate is closed").click()
        browser.click("Resume routing")
        self.confirm("Resume routing", "it is up")
        browser.until(lambda: not self.cutover()["routed_to_batch"], "routed by the threshold again")

        browser.click("Stop sending")
        self.confirm("Stop sending", "the bank is down")
        browser.see("Sending is stopped")
        browser.click("Resume sending")
        self.confirm("Resume sending", "it is up")
        browser.until(lambda: not self.cutover()["sending_stopped"], "sent again")

        browser.fill("The same in per cent", "5\t")
        browser.click("Lower to 5 %")
        self.confirm("Lower", "back to the first stage")
        browser.until(lambda: self.cutover()["threshold"] == 500, "lowered")
        # Every change, with who made it, is in the trail of the operators as well.
        self.go("/audit")
        for action in ("raiseCutover", "routeToBatch", "resumeRouting", "stopSending", "resumeSending", "lowerCutover"):
            browser.see(action)

    def test_overrides_are_set_listed_and_cleared(self):
        one, many = MERCHANTS[2], [f"m_over_{i:02d}" for i in range(55)]  # not known, which an override need not be
        place = lambda merchant: f"/v1/operator/cutover/overrides/{merchant}"
        listed = lambda: {o["merchant_id"]: o for o in w.ask("GET", "/v1/operator/cutover/overrides?limit=1000")["data"]}

        def clear():
            for merchant in listed():
                w.ask("DELETE", place(merchant), {"reason": "the test is over"})

        clear()
        self.addCleanup(clear)
        self.operate("/cutover")
        browser.see("Every merchant goes by the threshold.")
        browser.fill("Merchant", one)
        browser.choose("New payouts", "Always here")
        browser.click("Set override")
        self.confirm("Settle here", "goes first")
        browser.see("1 always here, 0 never")
        section = browser.until(lambda: next(s for s in browser.all("main section") if "Single merchants" in s.text), "the section")
        row = section.find_element(By.CSS_SELECTOR, "tbody tr").text
        for text in (one, "Always here", "key:first", "goes first"):
            self.assertIn(text, row)
        self.assertEqual((listed()[one]["override"], listed()[one]["reason"]), ("allow", "goes first"))
        browser.fill("Merchant", "no such id")
        browser.click("Set override")
        self.confirm("Settle here", "a slip")
        browser.see("is no merchant's id")  # the server's reason
        browser.click("Close this notice")
        browser.click(f"Clear {one}")
        self.confirm("Clear", "the step is done")
        browser.see("Every merchant goes by the threshold.")
        self.assertEqual(listed(), {})

        for merchant in many:
            w.ask("PUT", place(merchant), {"override": "deny", "reason": "too large"})
        browser.complaints()  # of what was refused
        self.go("/")
        self.go("/cutover")
        browser.see("50 shown")
        browser.click("Load more")
        browser.see("55 shown, all there are")
        browser.see(many[-1])
        self.assertEqual(browser.complaints(), [])

    def test_gives_back_what_nobody_has_claimed(self):
        w.ask("POST", "/v1/operator/cutover/stop-sending", {"reason": "so that nothing is claimed"})
        self.addCleanup(w.ask, "POST", "/v1/operator/cutover/resume-sending", {"reason": "the test is over"})
        w.ask("PUT", f"/v1/operator/cutover/overrides/{MERCHANTS[1]}", {"override": "allow", "reason": "for the test"})
        w.settle([w.event("PAYOUT_REQUESTED", MERCHANTS[1], "po_unclaimed", 100)])
        residue = lambda: w.ask("GET", "/v1/operator/cutover/residue")["data"]
        until(residue, "it is assigned, and not claimed")
        self.operate("/cutover")
        browser.see("po_unclaimed")
        browser.click("Hand unclaimed ones back")
        self.confirm("Hand back", "the batch pays it")
        browser.see("1 handed back")
        browser.until(lambda: not residue(), "nothing is left over")


class Care(Console):
    def test_events_in_quarantine_are_looked_at_tried_again_and_discarded(self):
        self.operate("/quarantine")
        self.assertEqual(len(browser.all("main tbody tr")), 5)
        browser.one("main tbody button").click()
        browser.see("NOTHING")
        browser.click("Close", "dialog")
        browser.click("Select all shown")
        browser.click("Redrive")
        browser.see("5 quarantined")
        browser.click("Select all shown")
        browser.click("Discard")
        self.confirm("Discard")
        browser.see("Nothing is in quarantine")

    def test_dead_letters_are_tried_again(self):
        self.operate("/dead")
        browser.one("main tbody input[type=checkbox]")
        del w.receiver.answers["/gone"]
        browser.click("Redrive all deliveries")
        self.confirm("Redrive")
        until(lambda: not w.deliveries(MERCHANTS[0], "state=dead"), "nothing is dead any more")

    def test_differences_are_explained(self):
        w.ask("POST", f"/v1/operator/parallel-run/days/{DAY}/close", {})
        self.operate("/run")
        browser.see("The gate is closed")
        browser.driver.find_element(By.CSS_SELECTOR, f"main a[href^='#/run/discrepancies?day={DAY}&class=']").click()
        browser.until(lambda: browser.all("main tbody tr"), "the differences")
        browser.driver.find_element(By.LINK_TEXT, "capture:pay_2").click()
        browser.click("Explain")
        self.confirm("Explain", "the batch does not know it")
        browser.see("the batch does not know it")
        browser.see("Explained")

    def test_the_ledger_is_verified_and_backed_up(self):
        self.operate("/mirror")
        browser.see("Records behind")
        browser.click("Verify the ledger")
        browser.see("All is well")
        browser.fill("Name", "before-the-holidays")
        browser.click("Make a backup")
        browser.see("The backup is in")
        self.assertTrue((w.server.data / "backups" / "before-the-holidays").is_dir())

    def test_a_key_is_made_rotated_and_revoked(self):
        self.operate("/keys")
        browser.click("New key")
        browser.fill("Name", "reader")
        browser.labelled("operator:read").click()
        browser.click("Make the key")
        browser.see("nwk_key_")
        made = browser.one("dialog code.secret").text
        browser.click("I have stored it")
        w.ask("GET", "/v1/operator/overview", key=made)
        browser.click("Rotate reader")
        browser.choose("The old one stays good for", "Not at all")
        browser.click("Rotate", "dialog")
        browser.see("nwk_key_")
        now = browser.one("dialog code.secret").text
        browser.click("I have stored it")
        w.ask("GET", "/v1/operator/overview", status=401, key=made)
        w.ask("GET", "/v1/operator/overview", key=now)
        browser.click("Revoke reader")
        self.confirm("Revoke")
        browser.see("reader was revoked.")
        w.ask("GET", "/v1/operator/overview", status=401, key=now)


class SigningIn(Console):
    def test_needs_a_good_key_with_operators_rights(self):
        weak = w.key("merchants-only", ["merchant:read"])["key"]
        browser.driver.get(f"{w.address}/console/")
        for key, said in (("nwk_wrong", "This key is not known"), (weak, "This key has no operator rights")):
            browser.fill("Operator key", key + Keys.ENTER)
            browser.see(said)
        self.operate()
        browser.click("Sign out")
        browser.one("body.signed-out")

    def test_of_a_reader_lets_nothing_be_changed(self):
        reader = w.key("reads-only", ["operator:read"])["key"]
        self.operate("/cutover", key=reader)
        browser.click("Stop sending")
        self.confirm("Stop sending", "trying")
        browser.see("This credential does not allow that.")
        self.assertFalse(self.cutover()["sending_stopped"])

    def test_ends_when_the_key_is_revoked(self):
        made = w.key("short-lived", ["operator:read"])
        self.operate(key=made["key"])
        w.ask("DELETE", f"/v1/operator/keys/{made['view']['id']}", status=204)
        browser.see("This key is not good any more.")


if __name__ == "__main__":
    unittest.main(verbosity=2)
