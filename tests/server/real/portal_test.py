#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The merchant portal in a headless Chromium, on the real server: real events, the simulated bank, webhooks to a receiver of the test's.

    .venv/bin/python tests/server/real/portal_test.py

NORTHWIND_SCREENSHOTS=FOLDER keeps a picture of every screen.
"""

import datetime
import json
import threading
import unittest

import pages
import world
from selenium.webdriver.common.by import By
from world import until

COFFEE = "m_northsea_coffee"
OTHER = "m_other"
PAYOUTS = 70
REFUSED = 3  # of them, for want of money


def setUpModule():
    global w, browser
    w, browser = pages.start(world.World(True))
    w.go_live(COFFEE, OTHER)
    fill()


def fill():
    """A month of a shop: payments, some refunds and disputes, payouts in two currencies, endpoints that work and do not."""
    w.endpoint(COFFEE, "/shop", events=["payout.*", "payment.refunded"])
    w.endpoint(COFFEE, "/books", events=["payout.paid"], policy={**world.SHORT_POLICY, "retry": {"delays_seconds": [0]}})
    w.receiver.answers["/books"] = 503
    events = []
    for i in range(40):
        ago = 86400.0 * 30 - 60_000 * i
        units, asset = (12_345_678 + i, "USD/2") if i % 8 else (912_345 + i, "JPY/0")
        events.append(w.event("PAYMENT_CAPTURED", COFFEE, f"pay_{7000 + i}", units, asset, fee=units // 40, ago=ago, metadata={"order": f"A-{i}"}))
        if i % 10 == 5:
            events.append(w.event("PAYMENT_REFUNDED", COFFEE, f"pay_{7000 + i}", 2500, asset, ago=ago - 60, refund_id=f"re_{i}"))
        if i % 20 == 7:
            events.append(w.event("DISPUTE_OPENED", COFFEE, f"pay_{7000 + i}", 9900, asset, ago=ago - 120))
    for i in range(PAYOUTS - REFUSED):
        units, asset = (100_050 + 7 * i, "USD/2") if i % 9 else (4_500 + i, "JPY/0")
        # What the simulated bank does with a payout depends on its id and this moment alone: some of these fail.
        at = f"2026-06-01T12:{i // 60:02}:{i % 60:02}Z"
        events.append(w.event("PAYOUT_REQUESTED", COFFEE, f"po_{20000 + i}", units, asset, occurred_at=at))
    events.append(w.event("PAYMENT_CAPTURED", OTHER, "pay_of_another", 777_777))
    w.settle(events)
    for i in range(REFUSED):
        w.settle([w.event("PAYOUT_REQUESTED", COFFEE, f"po_{20900 + i}_of_an_id_that_is_about_as_long_as_ids_may_be", 10**12)], "rejected")
    ended = lambda: sum(len(payouts(f"state={state}")) for state in ("paid", "failed")) == PAYOUTS - REFUSED
    until(ended, "the bank has executed or refused all payouts")
    # One endpoint has been told of everything, and of what the other one is to be told some is given up: the rest waits, as it fails so often.
    until(lambda: deliveries("state=dead") and not deliveries(f"state=pending&endpoint={endpoint_at('/shop')}"), "all is told or given up")


def payouts(query=""):
    return w.ask("GET", f"/v1/merchants/{COFFEE}/payouts?limit=1000&{query}")["data"]


def deliveries(query=""):
    return w.deliveries(COFFEE, f"limit=1000&{query}")


def endpoint_at(path):
    return next(e["id"] for e in w.ask("GET", f"/v1/merchants/{COFFEE}/endpoints")["data"] if e["url"].endswith(path))


class Portal(pages.RealPages):
    merchant = COFFEE

    def rows(self, within="main"):
        return browser.all(f"{within} tbody tr")

    def row(self, text):
        return next((r for r in self.rows() if text in r.text), None)

    def shown(self, text):
        """The row's text, if it is there now."""
        found = self.row(text)
        return found.text if found else ""


class EveryScreen(Portal):
    def test_opens_without_an_error_and_breaks_no_rule_of_its_policy(self):
        one = lambda state: payouts(f"state={state}")[0]["payout_id"]
        shop, books = endpoint_at("/shop"), endpoint_at("/books")
        dead = deliveries("state=dead")[0]
        good = deliveries("state=delivered")[0]
        for name, screen in [
            ("overview", "/"),
            ("payouts", "/payouts"),
            ("payout", f"/payouts/{one('paid')}"),
            ("payout-failed", f"/payouts/{one('failed')}"),
            ("payout-rejected", f"/payouts/{one('rejected')}"),
            ("transactions", "/transactions"),
            ("endpoints", "/endpoints"),
            ("endpoint-new", "/endpoints/new"),
            ("endpoint", f"/endpoints/{shop}"),
            ("endpoint-failing", f"/endpoints/{books}"),
            ("endpoint-edit", f"/endpoints/{books}/edit"),
            ("policy", "/endpoints/policy"),
            ("deliveries", "/deliveries"),
            ("delivery", f"/deliveries/{good['endpoint_id']}/{good['message_id']}"),
            ("delivery-dead", f"/deliveries/{dead['endpoint_id']}/{dead['message_id']}"),
            ("dead", "/dead"),
            ("secrets", "/secrets"),
            ("events", "/events"),
        ]:
            self.sign_in()  # a session has a rate, which nobody who looks at screens comes to
            self.look(name, screen)

    def test_of_a_merchant_without_anything_says_so(self):
        self.sign_in(merchant="m_nobody_yet")
        for screen, text in [
            ("/", "No balance yet"),
            ("/payouts", "No payouts yet"),
            ("/transactions", "No transactions yet"),
            ("/endpoints", "No endpoints yet"),
            ("/deliveries", "No deliveries yet"),
            ("/dead", "No dead letters"),
            ("/secrets", "No endpoints yet"),
            ("/events", "No endpoint can be tested"),
        ]:
            self.look("empty" + screen.replace("/", "-"), screen)
            browser.see(text)


class SigningIn(Portal):
    def test_works_once_with_a_link(self):
        link = w.link(COFFEE)
        browser.driver.get(link)
        browser.see(f"Signed in as {COFFEE}")
        self.assertNotIn("signin", browser.driver.current_url)
        browser.driver.refresh()
        browser.see("Available, USD")
        browser.driver.get("about:blank")
        browser.driver.delete_all_cookies()
        browser.driver.get(link)
        browser.see("This link is not good any more")
        self.assertNotIn(COFFEE, browser.text())

    def test_out_ends_the_session_at_the_server(self):
        self.sign_in()
        cookies = browser.cdp("Network.getCookies", urls=[w.address])["cookies"]
        self.assertTrue(all(c["httpOnly"] and c["sameSite"] == "Strict" for c in cookies), cookies)
        browser.click("Sign out")
        browser.see("You are signed out")
        self.assertEqual(browser.cdp("Network.getCookies", urls=[w.address])["cookies"], [])
        browser.cdp("Network.setCookie", url=w.address, **{n: cookies[0][n] for n in ("name", "value", "httpOnly", "sameSite")})
        browser.driver.refresh()
        browser.see("There is no password here")


class Live(Portal):
    def test_a_payout_goes_from_requested_to_paid_under_a_readers_eyes(self):
        w.ask("POST", "/v1/operator/cutover/stop-sending", {"reason": "so that it stays requested"})
        self.addCleanup(w.ask, "POST", "/v1/operator/cutover/resume-sending", {"reason": "the test is over"})
        self.sign_in("/payouts")
        browser.see("Live")
        browser.run("window.sameDocument = true")
        w.settle([w.event("PAYOUT_REQUESTED", COFFEE, "po_watched", 4_200)])
        browser.until(lambda: "Requested" in self.shown("po_watched"), "the new payout")
        # Paid by somebody else, of which an event tells.
        w.settle([w.event("PAYOUT_PAID", COFFEE, "po_watched")])
        browser.until(lambda: "Paid" in self.shown("po_watched"), "the payout is paid")
        self.assertTrue(browser.run("return window.sameDocument"))

    def test_what_the_bank_pays_and_what_that_leaves_is_shown_as_it_happens(self):
        self.sign_in("/payouts")
        browser.see("Live")
        w.settle([w.event("PAYOUT_REQUESTED", COFFEE, f"po_bank_{i}", 1_000) for i in range(5)])
        ended = lambda: [p for p in payouts() if p["payout_id"].startswith("po_bank_") and p["settled_at"]]
        until(lambda: len(ended()) == 5, "all five have ended")
        for p in ended():
            state = p["state"].capitalize()
            browser.until(lambda: state in self.shown(p["payout_id"]), f"{p['payout_id']}: {state}")  # noqa: B023 (called here)
        self.go("/")
        w.settle([w.event("PAYMENT_CAPTURED", COFFEE, "pay_euro", 123_456, "EUR/2")])
        browser.see("1,234.56 EUR")

    def test_goes_on_after_the_server_was_started_anew(self):
        self.sign_in("/payouts")
        browser.see("Live")
        w.restart()
        w.settle([w.event("PAYOUT_REQUESTED", COFFEE, "po_meanwhile", 1_000)])
        browser.until(lambda: self.shown("po_meanwhile"), "what came meanwhile")
        browser.see("Live")

    def test_is_of_ones_own_only(self):
        self.sign_in("/transactions")
        browser.see("Live")
        w.settle([w.event("PAYMENT_CAPTURED", OTHER, "pay_secret", 1)])
        w.settle([w.event("PAYMENT_CAPTURED", COFFEE, "pay_mine", 1)])
        browser.see("pay_mine")
        self.assertNotIn("pay_secret", browser.text())


class Lists(Portal):
    def test_of_payouts_page_and_filter(self):
        self.sign_in("/payouts")
        everything = len(payouts())
        self.assertEqual(len(self.rows()), 50)
        browser.click("Load more")
        browser.until(lambda: len(self.rows()) == everything, "all of them")
        browser.choose("State", "Rejected")
        browser.until(lambda: len(self.rows()) == REFUSED, "rejected ones only")
        browser.driver.refresh()
        browser.until(lambda: len(self.rows()) == REFUSED, "the same after a reload")
        browser.click("Clear")
        browser.until(lambda: len(self.rows()) == 50, "the first page of all")
        browser.fill("Asset", "USD/2")
        browser.fill("Amount from", "1,001.20")
        browser.fill("Amount to", "1,001.41")
        browser.click("Filter")
        wanted = {p["payout_id"] for p in payouts("asset=USD/2&min_units=100120&max_units=100141")}
        self.assertTrue(wanted)
        browser.until(lambda: len(self.rows()) == len(wanted), "those between the two")
        for name in wanted:
            self.assertTrue(self.row(name), name)

    def test_of_payouts_filter_by_the_day_of_the_reader(self):
        today = browser.run("return new Date().toLocaleDateString('en-CA')")
        day_before = (datetime.date.fromisoformat(today) - datetime.timedelta(days=1)).isoformat()
        self.sign_in(f"/payouts?from={today}")
        self.assertTrue(self.rows())
        self.go(f"/payouts?to={day_before}")
        browser.see("Nothing matches")

    def test_of_transactions_page_and_filter(self):
        self.sign_in("/transactions")
        self.assertEqual(len(self.rows()), 50)
        browser.click("Load more")
        browser.until(lambda: len(self.rows()) == 100, "the second page")
        browser.choose("Type", "Payment refunded")
        browser.until(lambda: len(self.rows()) == 4, "four refunds")
        browser.click("Clear")
        browser.fill("Asset", "JPY/0")
        browser.click("Filter")
        browser.until(lambda: self.rows() and all("JPY" in r.text for r in self.rows()), "of one asset")

    def test_of_deliveries_page_and_filter(self):
        self.sign_in("/deliveries")
        self.assertEqual(len(self.rows()), 50)
        browser.click("Load more")
        browser.until(lambda: len(self.rows()) == 100, "the second page")
        browser.choose("State", "Dead")
        browser.until(lambda: self.rows() and len(self.rows()) == min(50, len(deliveries("state=dead"))), "dead ones only")
        browser.choose("Event", "payment.refunded")
        browser.see("Nothing matches")
        browser.choose("State", "Delivered")
        browser.until(lambda: len(self.rows()) == len(deliveries("state=delivered&type=payment.refunded")) > 0, "told of refunds")

    def test_can_be_downloaded(self):
        self.sign_in("/payouts?state=rejected")
        for place, first in (("payouts.csv?state=rejected", "payout_id"), ("statement?asset=USD%2F2", "sequence")):
            text = browser.run_module(f"return await (await fetch('/v1/merchants/{COFFEE}/{place}')).text();")
            self.assertTrue(text.startswith(first), text[:80])
        self.assertIn("payouts.csv?state=rejected", browser.one("a[download]").get_attribute("href"))


class Webhooks(Portal):
    def broken(self, path):
        """An endpoint of its own that has given up one delivery; its id, and the delivery."""
        policy = {**world.SHORT_POLICY, "timeout_seconds": 60}
        made = w.endpoint(COFFEE, path, events=["dispute.opened"], policy=policy)["endpoint"]["id"]
        w.receiver.answers[path] = 503
        ident = f"pay_of_{path.strip('/')}"
        w.settle([w.event("PAYMENT_CAPTURED", COFFEE, ident, 10_000), w.event("DISPUTE_OPENED", COFFEE, ident, 10_000)])
        return made, until(lambda: deliveries(f"endpoint={made}&state=dead"), "it is given up")[0]

    def test_what_failed_is_seen_sent_again_and_seen_delivered(self):
        made, lost = self.broken("/mended")
        self.sign_in(f"/deliveries/{made}/{lost['message_id']}")
        browser.see("HTTP 503")
        self.assertIn("Dead", browser.text())
        # What it answered is shown, and is text.
        browser.one("main summary").click()
        browser.see("<b>Service Unavailable</b>")
        del w.receiver.answers["/mended"]
        # It is news when the page has already looked for it once.
        arrives = w.receiver.held["/mended"] = threading.Event()
        self.addCleanup(arrives.set)
        browser.click("Re-send")
        browser.see("It is being sent again")
        arrives.set()
        browser.see("Delivered, HTTP 200")
        browser.until(lambda: browser.one("section[aria-label=State] .badge").text == "Delivered", "its state")
        # The same message each time.
        self.assertEqual({headers["webhook-id"] for headers, _ in w.receiver.of("/mended")}, {lost["message_id"]})
        self.assertEqual(len(w.receiver.of("/mended")), 3)

    def test_what_failed_is_sent_again_from_the_list(self):
        made, _ = self.broken("/listed")
        self.sign_in(f"/deliveries?endpoint={made}&state=dead")
        del w.receiver.answers["/listed"]
        browser.run("arguments[0].click()", browser.one("tbody input[type=checkbox]"))
        browser.click("Re-send 1")
        browser.see("Sent again")
        until(lambda: deliveries(f"endpoint={made}&state=delivered"), "it is delivered")
        # The list is what it is when the reader comes back to it.
        browser.click("Close")
        browser.see("Nothing matches")

    def test_an_endpoint_is_added_tested_paused_edited_and_deleted(self):
        self.sign_in("/endpoints/new")
        browser.fill("Address", "https://shop.example/hooks/../x")
        browser.run("arguments[0].click()", browser.one("main form input[type=checkbox]"))
        browser.labelled("payout.*").click()
        browser.choose("Which", "Fixed delays")
        browser.click("Preview the schedule")
        browser.see("given up after")
        browser.click("Add endpoint", "main form")
        browser.see("the path must hold no")  # the server's reason
        browser.fill("Address", w.receiver.url("/added"))
        browser.click("Add endpoint", "main form")
        browser.see("whsec_")
        browser.click("I have stored it")
        browser.click("Send test")
        browser.see("Delivered, HTTP 200")
        self.assertEqual(json.loads(w.receiver.of("/added")[0][1])["type"], "webhook.test")
        made = endpoint_at("/added")
        self.go(f"/endpoints/{made}")
        browser.click("Pause")
        browser.see("Paused: messages wait until it is resumed.")
        browser.click("Resume")
        browser.see("Resumed")
        self.go(f"/endpoints/{made}/edit")
        browser.fill("Address", w.receiver.url("/edited"))
        browser.click("Save", "main form")
        until(lambda: w.ask("GET", f"/v1/merchants/{COFFEE}/endpoints/{made}")["url"].endswith("/edited"), "the change")
        self.go(f"/endpoints/{made}")
        browser.click("Delete")
        browser.click("Delete", "dialog")
        browser.see("The endpoint was deleted.")
        w.ask("GET", f"/v1/merchants/{COFFEE}/endpoints/{made}", status=404)

    def test_what_was_missed_is_counted_and_recovered(self):
        made, _ = self.broken("/recovered")
        del w.receiver.answers["/recovered"]
        self.sign_in(f"/endpoints/{made}")
        hour_ago = "2026-01-01T00:00:00"
        browser.run("arguments[0].value = arguments[1]", browser.labelled("Since"), hour_ago)
        browser.click("Count first")
        browser.click("Not now")
        browser.click("Count first")
        browser.until(lambda: [b for b in browser.all("main .panel button.primary") if b.text.startswith("Send ")], "how many").pop().click()
        until(lambda: deliveries(f"endpoint={made}&state=delivered"), "it is delivered")

    def test_the_default_policy_is_set_and_unset(self):
        self.sign_in("/endpoints/policy", merchant=OTHER)
        browser.choose("Which", "Fixed delays")
        browser.fill("Delay before each attempt", "0 s, 10 min, 2 h")
        browser.click("Save")
        browser.see("Saved.")
        self.assertEqual(w.ask("GET", f"/v1/merchants/{OTHER}/policy")["retry"]["delays_seconds"], [0, 600, 7200])
        browser.driver.refresh()
        browser.settled()
        browser.choose("Which", "Growing delays")
        browser.click("Preview the schedule")
        browser.see("given up after")
        browser.choose("Which", "The platform’s standard")
        browser.click("Save")
        until(lambda: w.ask("GET", f"/v1/merchants/{OTHER}/policy") is None, "the standard again")


class Secrets(Portal):
    def test_are_rotated_shown_once_and_both_good_for_a_while(self):
        made = w.endpoint(COFFEE, "/signed", events=["webhook.test"])
        ident, before = made["endpoint"]["id"], made["secret"]
        self.sign_in(f"/endpoints/{ident}")
        browser.click("Rotate secret")
        browser.choose("The old one stays good for", "An hour")
        browser.click("Rotate", "dialog")
        browser.see("whsec_")
        browser.see("good for another")
        now = browser.one("dialog code.secret").text
        self.assertNotEqual(now, before)
        browser.click("I have stored it")
        browser.see("Both secrets are good for another")
        self.assertNotIn(now, browser.run("return document.documentElement.outerHTML"))
        browser.driver.refresh()
        browser.see("Rotate secret")
        self.assertNotIn(now, browser.run("return document.documentElement.outerHTML"))
        browser.click("Send test")
        browser.see("Delivered, HTTP 200")
        headers, body = w.receiver.of("/signed")[0]
        self.assertEqual(pages.signers(headers, body, [before, now]), [True, True])

    def test_of_before_are_not_good_any_more_if_asked_so(self):
        made = w.endpoint(COFFEE, "/cut", events=["webhook.test"])
        ident, before = made["endpoint"]["id"], made["secret"]
        self.sign_in("/secrets")
        browser.click(f"Rotate the secret of {made['endpoint']['url']}")
        browser.choose("The old one stays good for", "Not at all: the old one ends now")
        browser.click("Rotate", "dialog")
        browser.see("whsec_")
        now = browser.one("dialog code.secret").text
        browser.click("I have stored it")
        w.ask("POST", f"/v1/merchants/{COFFEE}/endpoints/{ident}/test", {}, 202)
        until(lambda: w.receiver.of("/cut"), "the test")
        headers, body = w.receiver.of("/cut")[0]
        self.assertEqual(pages.signers(headers, body, [before, now]), [False, True])


class Details(Portal):
    def test_of_a_payout_lead_to_its_transactions_and_deliveries(self):
        paid = next(p for p in payouts("state=paid") if p["amount"]["asset"] == "USD/2")
        self.sign_in(f"/payouts/{paid['payout_id']}")
        text = browser.text()
        for part in ("Paid", "Sent to the bank", "payout.paid", "payout.requested"):
            self.assertIn(part, text)
        browser.driver.find_element(By.LINK_TEXT, "payout.requested").click()
        browser.see("Request body")

    def test_of_anothers_payout_are_not_there(self):
        w.settle([w.event("PAYOUT_REQUESTED", OTHER, "po_of_another", 100)])
        self.sign_in("/payouts/po_of_another")
        browser.see("Not found")
        self.assertNotIn(OTHER, browser.text())


if __name__ == "__main__":
    unittest.main(verbosity=2)
