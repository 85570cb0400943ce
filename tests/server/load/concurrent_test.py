#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten thousand events by 64 connections at once, of which 30 % are there already, or say otherwise under the same key: what is settled
is each of them once, by every account that the server gives of it. Standard library only. NORTHWIND_TEST_SEED repeats what is sent
(not in which order it comes in); the seed is printed."""
import collections
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from program import Server  # noqa: E402

SEED = int(os.environ.get("NORTHWIND_TEST_SEED") or random.SystemRandom().randrange(2**32))
CONNECTIONS = 64
POSTED = 10_000
AGAIN = 3_000  # of them
REFUNDS = 1_000  # of the others
MERCHANTS = 16
DOLLARS = "USD/2"


def money(units):
    return {"asset": DOLLARS, "units": str(units)}


def capture(rng, number):
    amount = rng.randrange(1_000, 100_000)
    return {"type": "PAYMENT_CAPTURED", "payment_id": f"pay_{number}", "merchant_id": f"m_{rng.randrange(MERCHANTS)}",
            "occurred_at": f"2026-07-01T12:00:00.{number:09}Z", "amount": money(amount), "fee": money(rng.randrange(1, amount // 10))}


def refund(rng, paid, number):
    """A part of a payment: never more than its merchant has of it, so that it is applied whenever it comes."""
    net = int(paid["amount"]["units"]) - int(paid["fee"]["units"])
    return {"type": "PAYMENT_REFUNDED", "payment_id": paid["payment_id"], "refund_id": f"r_{number}", "merchant_id": paid["merchant_id"],
            "occurred_at": f"2026-07-02T12:00:00.{number:09}Z", "amount": money(rng.randrange(1, net))}


def moves(event):
    """What it adds to its merchant's balance."""
    units = int(event["amount"]["units"]) - int(event.get("fee", {"units": 0})["units"])
    return -units if event["type"] == "PAYMENT_REFUNDED" else units


def spelt(rng, event):
    """The same event in other bytes."""
    names = list(event)
    rng.shuffle(names)
    return json.dumps({name: event[name] for name in names}, indent=rng.choice([None, 1]))


class Again:
    """What a payment is sent as besides the first time: the documented outcomes of all that were sent of it, of which one is applied."""

    SAME, OTHER_BYTES, OTHER_AMOUNT, OTHER_TIME = range(4)


def made(rng):
    """(payment, event, text), shuffled. Of those that are sent again, each in one way, the other is as likely to come first."""
    captures = [capture(rng, number) for number in range(POSTED - AGAIN - REFUNDS)]
    ways = [rng.choice([Again.SAME, Again.SAME, Again.OTHER_BYTES, Again.OTHER_AMOUNT, Again.OTHER_TIME]) for _ in captures]
    sent = [(number, event, json.dumps(event)) for number, event in enumerate(captures)]
    again = rng.sample(range(len(captures)), AGAIN // 2)
    for number in again + rng.sample(again, AGAIN - len(again)):  # all of them twice
        event = captures[number]
        if ways[number] == Again.OTHER_AMOUNT:
            event = event | {"amount": money(int(event["amount"]["units"]) + rng.randrange(1, 3))}
        elif ways[number] == Again.OTHER_TIME:
            event = event | {"occurred_at": event["occurred_at"].replace("07-01", f"07-{rng.randrange(3, 5):02}")}
        sent.append((number, event, spelt(rng, event) if ways[number] == Again.OTHER_BYTES else json.dumps(event)))
    # One payment has one refund, and is not one whose amount is in doubt.
    sure = [number for number, way in enumerate(ways) if number not in set(again)]
    for number, paid in enumerate(rng.sample(sure, REFUNDS)):
        event = refund(rng, captures[paid], number)
        sent.append((f"refund {number}", event, json.dumps(event)))
    rng.shuffle(sent)
    return sent


class ConcurrentTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="northwind_load_")
        self.addCleanup(folder.cleanup)
        self.data = folder.name

    def post(self, server, sent, sizes):
        """[(payment, event, outcome)], by all connections at once: each takes the next part that nobody has."""
        parts, at = [], 0
        while at < len(sent):
            size = next(sizes)
            parts.append(sent[at:at + size])
            at += size
        told, failed, lock, begin = [], [], threading.Lock(), threading.Barrier(CONNECTIONS)

        def run(lines):
            try:
                with server.connect() as connection:
                    begin.wait()
                    while True:
                        with lock:
                            if not parts or failed:
                                return
                            part = parts.pop()
                        texts = [text if not lines else json.dumps(json.loads(text)) for _, _, text in part]
                        status, body = connection.ask("POST", "/v1/events", "\n".join(texts) if lines else f"[{','.join(texts)}]",
                                                      "application/x-ndjson" if lines else "application/json")
                        assert status == 202, f"{status} {body}"
                        outcomes = [json.loads(line) for line in body.splitlines()] if lines else json.loads(body)["outcomes"]
                        assert len(outcomes) == len(part), body
                        with lock:
                            told.extend((number, event, outcome) for (number, event, _), outcome in zip(part, outcomes))
            except Exception as error:  # told by the main thread
                begin.abort()
                failed.append(error)

        threads = [threading.Thread(target=run, args=(i % 4 == 0,)) for i in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        return told

    def judge(self, told):
        """The events that were applied, by what docs/events.md says of copies: of each payment one, and of all others why not."""
        groups = collections.defaultdict(list)
        for number, event, outcome in told:
            groups[number].append((event, outcome))
        applied = []
        for group in groups.values():
            first = [event for event, outcome in group if outcome["status"] in ("applied", "parked")]
            self.assertEqual(len(first), 1, group)
            applied.append(first[0])
            for event, outcome in group:
                if event is first[0] and outcome["status"] in ("applied", "parked"):
                    self.assertTrue(outcome["status"] == "applied" or event["type"] == "PAYMENT_REFUNDED", outcome)
                elif event == first[0]:
                    self.assertEqual(outcome["status"], "duplicate", group)
                elif event["occurred_at"] == first[0]["occurred_at"]:
                    self.assertEqual((outcome["status"], outcome["cause"]), ("quarantined", "conflict"), group)
                else:
                    # A new time is a key of its own: rejected the first time, and then a copy of what was rejected.
                    self.assertIn((outcome["status"], outcome["reason"]), [("already_settled", "reference_used"), ("duplicate", "reference_used")], group)
        return applied

    def check_books(self, connection, applied):
        balances, events = collections.Counter(), collections.defaultdict(list)
        for event in applied:
            balances[event["merchant_id"]] += moves(event)
            events[event["merchant_id"]].append((event["payment_id"], event["type"], event["occurred_at"][:19]))
        self.assertEqual(len(balances), MERCHANTS)
        for merchant, balance in balances.items():
            of_one = connection.get(f"/v1/merchants/{merchant}/balances")["balances"]
            self.assertEqual([(b["asset"], b["available"], b["held"]) for b in of_one], [(DOLLARS, str(balance), "0")])
            listed = [(t["payment_id"], t["type"], t["effective_at"][:19]) for t in connection.pages(f"/v1/merchants/{merchant}/transactions")]
            self.assertEqual(sorted(listed), sorted(events[merchant]))
        status, body = connection.ask("POST", "/v1/operator/verify", "{}")
        self.assertEqual(status, 200, body)
        self.assertEqual(int(json.loads(body)["transactions_applied"]), len(applied))

    def test_each_event_is_applied_once_whatever_comes_beside_it(self):
        rng = random.Random(SEED)
        sent = made(rng)
        self.assertEqual(len(sent), POSTED)
        sizes = (rng.choice([1, 3, 10, 40]) for _ in iter(int, 1))
        with Server(self.data, "--batch-gone") as server:
            told = self.post(server, sent, sizes)
            self.assertEqual(len(told), POSTED)
            applied = self.judge(told)
            self.assertEqual(len(applied), POSTED - AGAIN)
            conflicts = {json.dumps(event) for _, event, outcome in told if outcome["cause"] == "conflict"}
            with server.connect() as connection:
                self.check_books(connection, applied)
                self.assertEqual({json.dumps(json.loads(item["raw"])) for item in connection.pages("/v1/operator/quarantine")}, conflicts)
            self.assertEqual(server.end(signal.SIGTERM), 0)
        print(dict(collections.Counter(outcome["status"] for _, _, outcome in told)), flush=True)
        with Server(self.data, "--batch-gone") as server, server.connect() as connection:
            self.check_books(connection, applied)
            # All of it once more, by all at once: nothing of it is new.
            status = collections.Counter(outcome["status"] for _, _, outcome in self.post(server, sent, sizes))
            self.assertEqual(status["applied"] + status["parked"] + status["already_settled"], 0, status)
            self.check_books(connection, applied)
            self.assertEqual(server.end(signal.SIGTERM), 0)


if __name__ == "__main__":
    print(f"NORTHWIND_TEST_SEED={SEED}", flush=True)
    unittest.main()
