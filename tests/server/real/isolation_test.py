#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every route of the program against everybody who may not use it: each refusal is the one that docs/server.md says, and the same each time.

    .venv/bin/python tests/server/real/isolation_test.py

The routes are those that `reference_server --print-routes` prints: one that this file has no example of fails.
"""

import collections
import datetime
import http.client
import itertools
import json
import re
import subprocess
import unittest
import urllib.parse

import world
from world import BARE, until

MINE, THEIRS, NOBODY = "m_mine", "m_theirs", "m_nobody"
SCOPES = ("events:write", "merchant:read", "merchant:write", "portal:link", "operator:read", "operator:write")
PUBLIC = "public"
Route = collections.namedtuple("Route", "method pattern name scope")
# Of an answer, what may differ between two that say the same.
OWN_FIELDS = {"date", "x-request-id"}


def setUpModule():
    global w, routes, there
    w = world.World(True, "--trusted-proxies=127.0.0.1")
    unittest.addModuleCleanup(w.close)
    routes = print_routes()
    there = Examples()


def print_routes():
    command = [world.PROGRAM, "--print-routes", "--data", str(w.folder / "routes"), "--batch-gone"]
    printed = subprocess.run(command, env=BARE, check=True, capture_output=True, text=True, timeout=60).stdout
    return [Route(*line.split()) for line in printed.splitlines()]


class Examples:
    """Values of parts of paths: what there is of the other merchant, and what nobody has, in the same form."""

    def __init__(self):
        w.go_live(MINE, THEIRS)
        w.settle([w.event("PAYMENT_CAPTURED", m, f"pay_{m}", 100_000, occurred_at="2026-07-01T12:00:00Z") for m in (MINE, THEIRS)])
        w.settle([{"type": "NOTHING"}], "quarantined")
        self.endpoints = {m: w.endpoint(m, f"/{m}")["endpoint"]["id"] for m in (MINE, THEIRS)}
        w.settle([w.event("PAYOUT_REQUESTED", m, f"po_{m}", 1_000) for m in (MINE, THEIRS)])
        w.settle([w.event("PAYOUT_REQUESTED", m, f"po_told_{m}", 1_000) for m in (MINE, THEIRS)])
        told = lambda m: w.deliveries(m, "state=delivered&type=payout.requested")
        until(lambda: all(told(m) for m in (MINE, THEIRS)), "both are told")
        until(lambda: all(quiet(m) for m in (MINE, THEIRS)), "nothing is under way any more")
        self.messages = {m: told(m)[0]["message_id"] for m in (MINE, THEIRS)}
        self.sequences = {m: self.transactions(m)[0]["sequence"] for m in (MINE, THEIRS)}
        self.key = w.key("of-nobody-here", ["merchant:read"])["view"]["id"]
        # part -> (of the merchant, of nobody)
        self.parts = {
            "merchant": (lambda m: m, NOBODY),
            "sequence": (self.sequences.get, "999999999"),
            "payout": (lambda m: f"po_{m}", "po_of_nobody"),
            "endpoint": (self.endpoints.get, "ep_" + "0" * 32),
            "message": (self.messages.get, "msg_" + "0" * 26),
            "key": (lambda m: self.key, "key_" + "0" * 16),
            "merchant_id": (lambda m: m, NOBODY),
            "day": (lambda m: "2026-07-01", "2020-01-01"),
            "source": (lambda m: "batch", "nobodys"),
            "id": (lambda m: f"capture:pay_{m}", "capture:pay_of_nobody"),
            "file": (lambda m: "main.js", "nothing.js"),
        }

    def transactions(self, merchant):
        return w.ask("GET", f"/v1/merchants/{merchant}/transactions")["data"]

    def path(self, route, merchant=MINE, **others):
        """The route's path, with that merchant's own parts, but for those that are given. A part without an example is a KeyError."""
        value = lambda part: others[part] if part in others else self.parts[part][0](merchant) or self.parts[part][1]
        return re.sub(r"\{(\w+)\}", lambda match: urllib.parse.quote(value(match[1]), safe=""), route.pattern)


def quiet(merchant):
    payouts = w.ask("GET", f"/v1/merchants/{merchant}/payouts")["data"]
    # The last thing that becomes of a payout is that it is told.
    ends = w.deliveries(merchant, "state=delivered&type=payout.paid") + w.deliveries(merchant, "state=delivered&type=payout.failed")
    return len(payouts) == 2 and all(p["settled_at"] for p in payouts) and len(ends) == 2 and not w.deliveries(merchant, "state=pending")


def parts_of(route):
    return re.findall(r"\{(\w+)\}", route.pattern)


def of_a_merchant(route):
    return "merchant" in parts_of(route)


def changes(route):
    return route.method != "GET"


class Answer(collections.namedtuple("Answer", "status fields body")):
    """Without what is the request's own: its id, and the time."""

    @property
    def code(self):
        return json.loads(self.body)["code"] if self.body.startswith("{") else None


addresses = (f"10.{a}.{b}.{c}" for a, b, c in itertools.product(range(256), repeat=3))


def ask(method, path, fields=None, body=None):
    """From an address of its own each time, so that none comes to its rate."""
    connection = http.client.HTTPConnection(w.address.removeprefix("http://"), timeout=30)
    sent = {"X-Forwarded-For": next(addresses), **(fields or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    try:
        connection.request(method, path, body=body, headers=sent)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders() if name.lower() not in OWN_FIELDS}
        # A stream has no end.
        text = "" if names.get("content-type") == "text/event-stream" else response.read().decode(errors="replace")
        return Answer(response.status, names, re.sub(r"req_[0-9a-z]+", "req", text))
    finally:
        connection.close()


def bearer(key):
    return {"Authorization": f"Bearer {key}"}


def sign_in(merchant):
    """(the cookie, the token against forgery)"""
    token = w.link(merchant).rpartition("/")[2]
    connection = http.client.HTTPConnection(w.address.removeprefix("http://"), timeout=30)
    try:
        fields = {"X-Forwarded-For": next(addresses), "Content-Type": "application/json"}
        connection.request("POST", "/v1/session", body=json.dumps({"token": token}), headers=fields)
        response = connection.getresponse()
        made = json.loads(response.read())
        return response.getheader("Set-Cookie").partition(";")[0], made["csrf_token"]
    finally:
        connection.close()


def good_session(merchant):
    cookie, token = sign_in(merchant)
    return {"Cookie": cookie, "X-CSRF-Token": token}


def bad_credentials():
    """What was a credential once, or never: name -> fields."""
    bad = {
        "garbage": bearer("nwk_key_0011223344556677_" + "ab" * 32),
        "not even of the form": bearer("x"),
        "another scheme": {"Authorization": "Basic YWRhOnNlY3JldA=="},
        "empty": {"Authorization": ""},
        "garbage cookie": {"Cookie": "northwind-plain=" + "ab" * 32},
    }
    cookie, token = sign_in(MINE)
    signed_out = {"Cookie": cookie, "X-CSRF-Token": token}
    assert ask("DELETE", "/v1/session", signed_out).status == 204
    bad["session that was ended"] = signed_out
    revoked = w.key("revoked", list(SCOPES))
    w.ask("DELETE", f"/v1/operator/keys/{revoked['view']['id']}", status=204)
    bad["revoked key"] = bearer(revoked["key"])
    rotated = w.key("rotated", list(SCOPES))
    w.ask("POST", f"/v1/operator/keys/{rotated['view']['id']}/rotate", {"overlap_seconds": 0}, 201)
    bad["key that was rotated out"] = bearer(rotated["key"])
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    expired = bearer(w.key("expired", list(SCOPES), expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))["key"])
    until(lambda: ask("GET", "/v1/operator/keys", expired).status == 401, "it has expired")
    bad["expired key"] = expired
    return bad


def state():
    """All that a request in the name of somebody else could spoil."""
    seen = [f"/v1/operator/{of}" for of in ("quarantine", "cutover/log", "cutover/overrides", "parallel-run/discrepancies")]
    for merchant in (MINE, THEIRS, NOBODY):
        base = f"/v1/merchants/{merchant}"
        seen += [f"{base}/{of}" for of in ("balances", "transactions", "payouts", "endpoints", "policy", "deliveries", "attempts")]
        seen += [f"{base}/endpoints/{there.endpoints[m]}/recovery" for m in (MINE, THEIRS) if m == merchant]
    without_time = lambda path: {name: value for name, value in (w.ask("GET", path) or {}).items() if name != "at"}
    return {path: without_time(path) for path in seen}


class Isolation(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # What was refused has changed nothing, of anybody's.
        self.addCleanup(lambda before: self.assertEqual(state(), before), state())

    def guarded(self):
        return [route for route in routes if route.scope != PUBLIC]

    def assert_same(self, answer, expected, what):
        with self.subTest(what):
            self.assertEqual(answer, expected)

    def test_every_route_has_an_example(self):
        self.assertGreater(len(routes), 80)
        for route in routes:
            with self.subTest(route=route.name):
                self.assertEqual(sorted(set(parts_of(route)) - set(there.parts)), [])
                self.assertIn(route.scope, (PUBLIC, *SCOPES))
        # And no example that no route has any more.
        self.assertEqual(set(there.parts) - {part for route in routes for part in parts_of(route)}, set())

    def test_what_is_public_is_a_list_that_somebody_has_read(self):
        public = sorted(route.name for route in routes if route.scope == PUBLIC)
        pages = ["getConsole", "getConsoleFile", "getConsoleRoot", "getPortal", "getPortalFile", "getPortalRoot", "getRoot", "getSharedFile"]
        self.assertEqual(public, sorted([*pages, "getHealth", "getReadiness", "listEventTypes", "signIn"]))

    def test_nobody_is_told_the_same_everywhere(self):
        expected = ask("GET", f"/v1/merchants/{NOBODY}/balances")
        self.assertEqual((expected.status, expected.code, expected.fields["www-authenticate"]), (401, "unauthenticated", "Bearer"))
        for route in self.guarded():
            for merchant in (MINE, THEIRS):
                self.assert_same(ask(route.method, there.path(route, merchant)), expected, f"{route.name} of {merchant}")
            # Nor does it matter what comes along.
            self.assert_same(ask(route.method, there.path(route) + "?x=1", body=b"{" if changes(route) else None), expected, route.name)

    def test_a_credential_that_is_not_good_is_as_none(self):
        expected = ask("GET", f"/v1/merchants/{NOBODY}/balances")
        bad = bad_credentials()
        for route in self.guarded():
            for name, fields in bad.items():
                self.assert_same(ask(route.method, there.path(route), fields), expected, f"{route.name}, {name}")

    def test_what_is_public_is_the_same_for_everybody(self):
        who = [{}, bearer("x"), bearer(w.server.key), good_session(MINE), {"Cookie": "northwind-plain=" + "ab" * 32}]
        for route in routes:
            if route.scope != PUBLIC or changes(route) or route.name in ("getHealth", "getReadiness"):
                continue
            expected = ask("GET", there.path(route))
            self.assertIn(expected.status, (200, 302, 404), route.name)  # each folder has files of its own
            for fields in who:
                self.assert_same(ask("GET", there.path(route), fields), expected, route.name)

    def test_two_credentials_at_once_are_refused(self):
        both = {**bearer(w.server.key), **good_session(MINE)}
        for route in self.guarded():
            answer = ask(route.method, there.path(route), both)
            self.assert_same((answer.status, answer.code), (400, "invalid_request"), route.name)

    def test_another_merchant_is_as_a_path_that_leads_nowhere(self):
        every = ["events:write", "merchant:read", "merchant:write", "portal:link"]
        key = bearer(w.key("of-one", every, merchant_id=MINE)["key"])
        weak = bearer(w.key("of-one-and-little", ["portal:link"], merchant_id=MINE)["key"])
        expected = ask("GET", "/v1/nothing", key)
        self.assertEqual((expected.status, expected.code), (404, "not_found"))
        for route in routes:
            if not of_a_merchant(route):
                continue
            session = good_session(MINE)
            without_token = {"Cookie": session["Cookie"]}
            for merchant in (THEIRS, NOBODY):
                for who, fields in (("key", key), ("weak key", weak), ("session", session), ("session, no token", without_token)):
                    answer = ask(route.method, there.path(route, merchant), fields)
                    self.assert_same(answer, expected, f"{route.name} of {merchant}, {who}")

    def test_what_another_merchant_has_is_as_what_nobody_has(self):
        """Under one's own merchant: each part of the path once as the other has it, and once as nobody."""
        looked = 0
        for route in routes:
            if not of_a_merchant(route):
                continue
            for part in parts_of(route):
                if part == "merchant":
                    continue
                of, nobodys = there.parts[part]
                fields = {**good_session(MINE), "If-Match": '"1"'}
                body = BODIES.get(route.name)
                theirs = ask(route.method, there.path(route, MINE, **{part: of(THEIRS)}), fields, body)
                none = ask(route.method, there.path(route, MINE, **{part: nobodys}), fields, body)
                self.assert_same(theirs, none, f"{route.name}: {part}")
                self.assertEqual((none.status, none.code), (404, "not_found"), f"{route.name}: {part}: {none}")
                looked += 1
        self.assertGreater(looked, 15)

    def test_what_is_asked_for_in_queries_and_bodies_is_ones_own_only(self):
        fields = good_session(MINE)
        mine = f"/v1/merchants/{MINE}"
        for place, name, theirs, nobodys in [
            ("deliveries", "endpoint", there.endpoints[THEIRS], there.parts["endpoint"][1]),
            ("deliveries", "message", there.messages[THEIRS], there.parts["message"][1]),
            ("attempts", "endpoint", there.endpoints[THEIRS], there.parts["endpoint"][1]),
            ("attempts", "message", there.messages[THEIRS], there.parts["message"][1]),
        ]:
            answer = ask("GET", f"{mine}/{place}?{name}={theirs}", fields)
            self.assert_same(answer, ask("GET", f"{mine}/{place}?{name}={nobodys}", fields), f"{place}?{name}")
            self.assertEqual(json.loads(answer.body), {"data": [], "next_cursor": None})
        names = lambda endpoint, message: json.dumps({"deliveries": [{"endpoint_id": endpoint, "message_id": message}]})
        for endpoint, message in [(there.endpoints[THEIRS], there.messages[THEIRS]), (there.parts["endpoint"][1], there.parts["message"][1])]:
            answer = ask("POST", f"{mine}/deliveries/resend", fields, names(endpoint, message))
            self.assertEqual((answer.status, json.loads(answer.body)["data"][0]["status"]), (200, "not_found"))
        # Where another one's page ended leads to nothing of that one's.
        for place in ("transactions", "payouts", "deliveries", "attempts", "endpoints"):
            cursor = w.ask("GET", f"/v1/merchants/{THEIRS}/{place}?limit=1")["next_cursor"]
            if cursor is None:
                continue
            answer = ask("GET", f"{mine}/{place}?cursor={urllib.parse.quote(cursor)}", fields)
            self.assertNotIn(THEIRS, answer.body, place)
            self.assertNotIn(there.endpoints[THEIRS], answer.body, place)

    def test_a_key_of_one_merchant_does_nothing_for_another(self):
        key = bearer(w.key("of-one-too", ["events:write", "portal:link"], merchant_id=MINE)["key"])
        event = lambda merchant: json.dumps(w.event("PAYMENT_CAPTURED", merchant, "pay_forged", 1))
        answers = [ask("POST", "/v1/events", key, event(m)) for m in (THEIRS, NOBODY)]
        answers += [ask("POST", "/v1/portal-links", key, json.dumps({"merchant_id": m})) for m in (THEIRS, NOBODY)]
        self.assertEqual({(answer.status, answer.code) for answer in answers}, {(403, "forbidden")})
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[2], answers[3])

    def test_without_its_scope_nothing_is_done(self):
        keys = {scope: bearer(w.key("all-but-" + scope.replace(":", "-"), [s for s in SCOPES if s != scope])["key"]) for scope in SCOPES}
        expected = ask("POST", "/v1/events", keys["events:write"])
        self.assertEqual((expected.status, expected.code), (403, "forbidden"))
        for route in self.guarded():
            self.assert_same(ask(route.method, there.path(route), keys[route.scope]), expected, route.name)

    def test_a_session_is_a_merchants_and_no_operators(self):
        expected = None
        for route in self.guarded():
            if route.scope in ("merchant:read", "merchant:write"):
                continue
            answer = ask(route.method, there.path(route), good_session(MINE))
            expected = expected or answer
            self.assertEqual((answer.status, answer.code), (403, "forbidden"))
            self.assert_same(answer, expected, route.name)

    def test_a_sessions_change_needs_its_token(self):
        cookie, token = sign_in(MINE)
        _, of_another = sign_in(MINE)
        wrong = {"none": {}, "empty": {"X-CSRF-Token": ""}, "another session's": {"X-CSRF-Token": of_another}, "in part": {"X-CSRF-Token": token[:-1]}}
        expected = ask("DELETE", "/v1/session", {"Cookie": cookie})
        self.assertEqual((expected.status, expected.code), (403, "csrf"))
        changing = [route for route in self.guarded() if changes(route) and route.scope.startswith("merchant:")]
        self.assertGreater(len(changing), 14)
        for route in changing:
            cookie, token = sign_in(MINE)  # a session has a rate
            for name, fields in wrong.items():
                if name == "in part":
                    fields = {"X-CSRF-Token": token[:-1]}
                self.assert_same(ask(route.method, there.path(route), {"Cookie": cookie, **fields}), expected, f"{route.name}, {name}")

    def test_another_method_is_told_so_to_everybody(self):
        paths = collections.defaultdict(set)
        for route in routes:
            paths[route.pattern].add(route.method)
        for route in routes:
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - paths[route.pattern]:
                answer = ask(method, there.path(route))
                # A path may be another route's too: /payouts.csv is a file and a payout's id.
                if answer.status != 405:
                    self.assertEqual((answer.status, answer.code), (401, "unauthenticated"), f"{method} {route.pattern}")


# What a change needs, to come as far as to what it is about.
BODIES = {
    "updateEndpoint": b'{"url":"https://shop.example/forged"}',
    "startRecovery": b'{"since":"2020-01-01T00:00:00Z"}',
}

if __name__ == "__main__":
    unittest.main(verbosity=2)
