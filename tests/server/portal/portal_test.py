#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The merchant portal in a headless Chromium, on a mock of the API: every screen at three sizes, the ways through them, their errors.

    .venv/bin/python tests/server/portal/portal_test.py

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
    def test_of_the_portal_fits_is_named_and_breaks_no_rule_of_its_policy(self):
        self.sign_in()
        paid = next(p["payout_id"] for p in mock.data.payouts if p["state"] == "paid")
        rejected = next(p["payout_id"] for p in mock.data.payouts if p["state"] == "rejected")
        ids = [e["id"] for e in mock.data.endpoints]
        dead = next(d for d in mock.data.deliveries if d["state"] == "dead")
        for name, screen in [
            ("overview", "/"),
            ("payouts", "/payouts"),
            ("payout", f"/payouts/{paid}"),
            ("payout-rejected", f"/payouts/{rejected}"),
            ("transactions", "/transactions"),
            ("endpoints", "/endpoints"),
            ("endpoint-new", "/endpoints/new"),
            ("endpoint-edit", f"/endpoints/{ids[1]}/edit"),
            ("policy", "/endpoints/policy"),
            ("endpoint", f"/endpoints/{ids[0]}"),
            ("endpoint-failing", f"/endpoints/{ids[1]}"),
            ("endpoint-disabled", f"/endpoints/{ids[2]}"),
            ("deliveries", "/deliveries"),
            ("delivery", f"/deliveries/{dead['endpoint_id']}/{dead['message_id']}"),
            ("dead", "/dead"),
            ("secrets", "/secrets"),
            ("events", "/events"),
            ("nothing", "/no-such-screen"),
        ]:
            self.look(name, screen)

    def test_without_anything_to_show_says_so(self):
        mock.data.transactions, mock.data.payouts, mock.data.endpoints, mock.data.deliveries = [], [], [], []
        self.sign_in()
        for screen, text in [
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


class SigningIn(screens.Pages):
    def test_takes_the_token_from_the_address_at_once_and_lives_through_a_reload(self):
        self.sign_in()
        self.assertNotIn("signin", browser.driver.current_url)
        self.assertNotIn("good", browser.run("return JSON.stringify([localStorage, sessionStorage, document.cookie])"))
        browser.driver.refresh()
        browser.see("Available, USD")

    def test_with_a_used_link_says_what_to_do(self):
        browser.driver.get("about:blank")
        browser.driver.get(f"{mock.address}/portal/#/signin/used")
        browser.see("This link is not good any more")
        self.assertNotIn("used", browser.driver.current_url)
        browser.screenshot("link-used")

    def test_is_asked_for_without_a_session_and_when_it_has_ended(self):
        browser.driver.get(f"{mock.address}/portal/")
        browser.see("There is no password here")
        browser.screenshot("signed-out")
        self.sign_in("/payouts")
        mock.sessions.clear()
        self.go("/transactions")
        browser.see("Your session has ended")
        self.assertNotIn("po_", browser.text())
        browser.screenshot("session-ended")

    def test_out_ends_it_at_the_server(self):
        self.sign_in()
        browser.click("Sign out")
        browser.see("You are signed out")
        self.assertEqual(mock.sessions, {})


class Lists(screens.Pages):
    def rows(self):
        return browser.all("main tbody tr")

    def test_filter_keep_the_filter_in_the_address_and_page(self):
        self.sign_in("/payouts")
        self.assertEqual(len(self.rows()), 50)
        browser.click("Load more")
        browser.until(lambda: len(self.rows()) == len(mock.data.payouts), "the second page")
        browser.choose("State", "Paid")
        paid = sum(p["state"] == "paid" for p in mock.data.payouts)
        browser.until(lambda: len(self.rows()) == paid, "paid ones only")
        self.assertIn("state=paid", browser.driver.current_url)
        browser.driver.refresh()
        browser.until(lambda: len(self.rows()) == paid, "the same after a reload")

    def test_of_payouts_filter_by_amount_in_the_scale_of_the_asset(self):
        self.sign_in("/payouts")
        browser.fill("Amount from", "1,000.50")
        browser.click("Filter")
        browser.see("choose the asset too")
        browser.fill("Asset", "USD/2")
        browser.click("Filter")
        browser.until(
            lambda: any("min_units=100050" in path for _, path, _ in list(mock.asked)), "the amount in minor units"
        )

    def test_of_payouts_change_as_they_change(self):
        self.sign_in("/payouts")
        waiting = next(p["payout_id"] for p in mock.data.payouts if p["state"] == "submitted")
        row = lambda: next(r.text for r in self.rows() if waiting in r.text)
        self.assertIn("Submitted", row())
        browser.until(lambda: mock.streams, "a stream")
        mock.asked.clear()
        mock.settle(waiting, "paid")
        browser.until(lambda: "Paid" in row(), "the payout is paid")
        self.assertEqual(self.asked("GET", "/payouts?"), [])  # the one alone was read

    def test_go_on_after_the_stream_was_cut(self):
        self.sign_in("/payouts")
        browser.until(lambda: mock.streams, "a stream")
        browser.see("Live")
        mock.cut_streams()
        browser.see("Reconnecting")
        browser.until(lambda: mock.streams, "another stream")
        browser.see("Live")

    def test_go_on_after_the_stream_was_refused_and_ask_anew(self):
        self.sign_in("/payouts")
        browser.until(lambda: mock.streams, "a stream")
        mock.fail = 503
        mock.asked.clear()
        mock.cut_streams()
        browser.until(lambda: self.asked("GET", "/live"), "a refused stream")
        browser.see("Reconnecting")
        mock.fail = None
        browser.see("Live")
        browser.until(lambda: self.asked("GET", "/payouts?"), "the list, as something may have been missed")

    def test_of_deliveries_are_sent_again_together(self):
        self.sign_in("/deliveries?state=dead")
        for box in browser.all("tbody input[type=checkbox]")[:3]:
            browser.run("arguments[0].click()", box)
        browser.click("Re-send 3")
        browser.see("Already under way")
        self.assertEqual(len(mock.data.resent), 3)

    def test_show_text_of_the_server_as_text(self):
        mock.data.payouts[0]["payout_id"] = "<img src=x onerror=document.title='owned'>"
        self.sign_in("/payouts")
        browser.see("<img src=x")
        self.assertEqual(browser.all("main img"), [])


class Endpoints(screens.Pages):
    def test_are_added_after_a_look_at_the_address_and_show_their_secret_once(self):
        self.sign_in("/endpoints/new")
        browser.fill("Address", "ftp://x")
        browser.click("Add endpoint", "main form")
        browser.see("must begin with https://")
        browser.fill("Address", "https://refused.example/hooks/../x")
        browser.click("Add endpoint", "main form")
        browser.see("the path must hold no")
        browser.fill("Address", "https://new.example/hook")
        browser.run("arguments[0].click()", browser.one("main form input[type=checkbox]"))
        browser.labelled("payout.*").click()
        browser.choose("Which", "Fixed delays")
        browser.click("Preview the schedule")
        browser.see("given up after")
        browser.screenshot("endpoint-preview")
        browser.click("Add endpoint", "main form")
        browser.see("whsec_")
        browser.screenshot("secret")
        browser.press(Keys.ESCAPE)
        self.assertIn("whsec_", browser.text())
        browser.click("I have stored it")
        browser.see("new.example")
        self.assertNotIn("whsec_", browser.run("return document.documentElement.outerHTML"))
        made = self.asked("POST", "/endpoints")[-1]
        self.assertEqual(made["events"], ["payout.*"])
        self.assertEqual(made["policy"]["retry"], {"delays_seconds": [0, 5, 300, 1800, 7200, 18000, 36000]})

    def test_are_changed_with_the_version_that_was_seen(self):
        e = mock.data.endpoints[0]
        self.sign_in(f"/endpoints/{e['id']}/edit")
        e["version"] = 9
        browser.click("Save")
        browser.see("changed elsewhere meanwhile")

    def test_rotate_their_secret_with_an_overlap_that_counts_down(self):
        self.sign_in("/secrets")
        browser.click(f"Rotate the secret of {mock.data.endpoints[0]['url']}")
        browser.choose("The old one stays good for", "An hour")
        browser.click("Rotate", "dialog")
        browser.see("good for another")
        browser.click("I have stored it")
        browser.see("Both secrets are good for another")

    def test_recover_after_they_counted(self):
        self.sign_in(f"/endpoints/{mock.data.endpoints[0]['id']}")
        browser.run("arguments[0].value = '2026-07-01T10:00'", browser.labelled("Since"))
        browser.click("Count first")
        browser.click("Send 52 messages")
        browser.see("Done")
        self.assertEqual(self.asked("POST", "/recovery")[0]["since"], "2026-07-01T14:00:00.000Z")

    def test_are_paused_and_tested(self):
        self.sign_in(f"/endpoints/{mock.data.endpoints[0]['id']}")
        browser.click("Pause")
        browser.see("messages wait until it is resumed")
        browser.click("Resume")
        browser.until(lambda: mock.data.endpoints[0]["state"] == "enabled", "resumed")
        browser.click("Send test")
        browser.see("webhook.test")


class Errors(screens.Pages):
    def test_of_the_server_can_be_tried_again(self):
        self.sign_in()
        mock.fail = 500
        self.go("/payouts")
        browser.see("This could not be loaded")
        browser.see("req_0000")
        browser.screenshot("error-500")
        mock.fail = None
        browser.click("Try again")
        browser.see("Load more")

    def test_of_the_network_say_so(self):
        self.sign_in()
        browser.offline(True)
        self.go("/payouts")
        browser.see("The server cannot be reached")
        browser.screenshot("error-offline")
        browser.offline(False)
        browser.click("Try again")
        browser.see("Load more")

    def test_that_mean_no_credential_lead_to_signing_in(self):
        self.sign_in("/payouts")
        mock.fail = 401
        self.go("/endpoints")
        browser.see("Your session has ended")

    def test_in_a_screen_that_was_shown_leave_it_and_say_so(self):
        self.sign_in()
        browser.until(lambda: mock.streams, "a stream")
        mock.fail = 503
        mock.tell("transaction", {"sequence": "1", "payout_id": None}, 1)
        browser.see("Not up to date")
        browser.see("Available, USD")
        mock.fail = None


class Keyboard(screens.Pages):
    def test_reaches_the_main_actions(self):
        first = mock.data.endpoints[0]
        for screen, actions in [
            ("/payouts", ["Download CSV", "Filter"]),
            ("/transactions", ["Statement as CSV"]),
            ("/endpoints", ["Add endpoint"]),
            (f"/endpoints/{first['id']}", ["Send test", "Pause", "Rotate secret", "Count first"]),
            ("/deliveries", ["Select all shown"]),
        ]:
            self.sign_in(screen)
            for action in actions:
                self.assertTrue(browser.tab_to(action), f"{screen}: {action}")
                self.assertNotEqual(browser.run("return getComputedStyle(document.activeElement).outlineStyle"), "none")

    def test_follows_to_the_heading_of_the_next_screen_and_back_from_a_dialog(self):
        self.sign_in("/secrets")
        self.go("/payouts")
        self.assertEqual(browser.run("return document.activeElement.textContent"), "Payouts")
        self.assertEqual(browser.driver.title, "Payouts · Merchant portal")
        self.go("/transactions")
        self.assertTrue(browser.tab_to("Statement as CSV"))
        browser.press(Keys.ENTER)
        browser.one("dialog[open]")
        browser.press(Keys.ESCAPE)
        browser.until(lambda: not browser.all("dialog"), "closed")
        self.assertEqual(browser.run("return document.activeElement.textContent"), "Statement as CSV")

    def test_opens_and_closes_the_menu_on_a_phone(self):
        browser.resize("phone")
        self.sign_in()
        browser.click("Menu")
        browser.see("Dead letters")
        browser.screenshot("menu-phone")
        browser.driver.find_element(By.LINK_TEXT, "Secrets").click()
        browser.until(lambda: browser.one("#menu").get_attribute("aria-expanded") == "false", "closed")
        browser.see("A secret is shown once")


class Words(screens.Pages):
    """format.js, in the browser that it is for; the zone is New York's."""

    def test_of_money_and_time(self):
        browser.driver.get(f"{mock.address}/portal/")
        for expression, expected in [
            ("f.money({asset: 'USD/2', units: '123456'})", "1,234.56 USD"),
            ("f.money({asset: 'USD/2', units: '-5'})", "−0.05 USD"),
            ("f.money({asset: 'JPY/0', units: '1234567'})", "1,234,567 JPY"),
            ("f.money({asset: 'BTC/8', units: '100000000'})", "1.00000000 BTC"),
            (
                "f.money({asset: 'USD/2', units: '170141183460469231731687303715884105727'})",
                "1,701,411,834,604,692,317,316,873,037,158,841,057.27 USD",
            ),
            ("f.money({asset: 'USD/2', units: 'x'})", "x USD/2"),
            ("f.money(null)", "–"),
            ("f.unitsOf('1,234.5', 'USD/2')", "123450"),
            ("f.unitsOf('-0.05', 'USD/2')", "-5"),
            ("f.unitsOf('1.005', 'USD/2')", None),
            ("f.unitsOf('5', 'JPY/0')", "5"),
            ("f.unitsOf('', 'USD/2')", None),
            ("f.timeText('2026-07-01T12:00:00.123456Z')", "1 Jul 2026, 08:00:00"),
            ("f.timeText('2026-01-01T02:03:04Z')", "31 Dec 2025, 21:03:04"),
            ("f.timeText(null)", "–"),
            ("f.utcText('2026-07-01T12:00:00.123456Z')", "2026-07-01 12:00:00.123456 UTC"),
            ("f.dayStart('2026-07-01')", "2026-07-01T04:00:00.000Z"),
            ("f.dayStart('2026-03-08', 1)", "2026-03-09T04:00:00.000Z"),
            ("f.dayStart('x')", None),
            ("f.duration(93)", "1 min 33 s"),
            ("f.duration(0)", "0 s"),
            ("f.duration(90061)", "1 d 1 h"),
            ("f.relative('2026-07-01T12:00:00Z', Date.parse('2026-07-01T12:03:10Z'))", "3 min ago"),
            ("f.relative('2026-07-01T12:00:20Z', Date.parse('2026-07-01T12:00:00Z'))", "in 20 s"),
            ("f.percent(0.9999)", "99.9 %"),
            ("f.percent(1)", "100 %"),
            ("f.percent(0.99)", "99.0 %"),
            ("f.percent(null)", "–"),
            ("f.words('PAYMENT_CAPTURED')", "Payment captured"),
            ("f.prettyJson('{\"units\":98765432109876543}')", '{"units":98765432109876543}'),
            ('f.prettyJson(\'{"a":"98765432109876543"}\')', '{\n  "a": "98765432109876543"\n}'),
        ]:
            with self.subTest(expression):
                self.assertEqual(
                    browser.run_module(f"const f = await import('/shared/format.js'); return {expression};"), expected
                )


if __name__ == "__main__":
    unittest.main(verbosity=2)
